"""What stands between a browser and the page: a line that can be cut, and a proxy that serves it under a prefix."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse


class Line:
    """Passes on what comes at a port of loopback, until it is cut: then every connection breaks and none is taken."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self._to, self._is_cut = port, False
        self._ends: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()

    def cut(self) -> None:
        """From now on."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._break)

    def mend(self) -> None:
        """Connections are taken again."""
        self._is_cut = False

    def _break(self) -> None:
        for end in list(self._ends):
            end.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._ends |= {writer, back}
        await asyncio.gather(_pump(reader, back), _pump(there, writer))
        self._ends -= {writer, back}

    @contextmanager
    def laid(self) -> Iterator[Line]:
        """While it stands."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        listening = asyncio.start_server(self._take, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._break)
            self._loop.call_soon_threadsafe(server.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@contextmanager
def prefixed(prefix: str, port: int) -> Iterator[str]:
    """The address of a proxy that passes on what is asked for under the prefix, without it; all else is not there."""
    settings: dict[str, Any] = {"port": 0, "log_level": "critical", "lifespan": "off", "access_log": False}
    proxy = uvicorn.Server(uvicorn.Config(_Prefixed(prefix, port), timeout_graceful_shutdown=1, **settings))
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    while not proxy.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{proxy.servers[0].sockets[0].getsockname()[1]}{prefix}/"
    proxy.should_exit = True
    thread.join(20)


class _Prefixed:
    def __init__(self, prefix: str, port: int) -> None:
        self._prefix, self._to = prefix, f"http://127.0.0.1:{port}"
        self._client = httpx.AsyncClient(timeout=None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asked = Request(scope, receive)
        path = scope["raw_path"].decode()
        if path.startswith(f"{self._prefix}/"):
            answer = await self._pass_on(asked, path.removeprefix(self._prefix))
        else:  # but for the sign that a browser looks for there
            answer = Response(status_code=204 if path == "/favicon.ico" else 404)
        await answer(scope, receive, send)

    async def _pass_on(self, asked: Request, path: str) -> Response:
        url = f"{self._to}{path}?{asked.url.query}".removesuffix("?")
        body = asked.stream() if asked.method == "POST" else None
        request = self._client.build_request(asked.method, url, headers=asked.headers.raw, content=body)
        came = await self._client.send(request, stream=True)

        async def parts() -> AsyncIterator[bytes]:
            try:
                async for part in came.aiter_raw():
                    yield part
            finally:
                await came.aclose()

        answer = StreamingResponse(parts(), came.status_code)
        answer.raw_headers = [
            (k.lower(), v) for k, v in came.headers.raw if k.lower() != b"transfer-encoding"
        ]
        return answer
