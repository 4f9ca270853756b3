"""What the server answers to: gradio's doors that the page has no use for are shut, and no address is fetched.

Gradio serves more than a page needs. Two of it are dangerous here: it fetches any public address that a client names
(as a file's path, or after /gradio_api/file=), and it hands a recording to the ffmpeg of the system, past everything
that `extractors.media.reading` guards against. So these never reach gradio, whatever its version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from app.server.uploads import API, Disk, counted, disk_of_server, is_upload

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SHUT = (
    f"{API}/proxy=",  # other servers' pages
    f"{API}/process_recording",  # a stranger's file for the system's ffmpeg
    f"{API}/deep_link",  # a page's state, written to disk and readable by whoever has its name
    f"{API}/component_server",
    f"{API}/custom_component",
    f"{API}/stream/",
    f"{API}/runs",  # runs kept in the browser, beyond the hour that is promised
    f"{API}/run-history",
    f"{API}/vibe",
    f"{API}/undo-vibe",
    f"{API}/dev/",
    "/monitoring",  # how often each endpoint was called
)
"""Beginnings of paths that are answered with 404."""
TOOLS = f"{API}/mcp"
MOST, MOST_TOOLS = 2_000_000, 4 * 1024 * 1024
"""Bytes of a request; that of a tool's call holds a clip, a third longer than its file, and `mcp` reads no more.

The page's own longest one is the table of the words: 0.8 MB for the most that can be said in half an hour.
"""
MOST_PARTS = 200_000
"""Brackets and commas of a request: what JSON makes of them is looked through while everybody else waits.

The table of those words has 135,000 of them, if each ends in a comma.
"""
MOST_NAME = 64  # characters of a session's name, which is a client's choice and kept while the session is
LONG_NAME = f"A session's name may have at most {MOST_NAME} characters."
BEATS = f"{API}/heartbeat/"
NO_ADDRESS = "Addresses are not fetched here: give the file itself, uploaded or, to a tool, as a data: URL."
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        # Scripts in the page and made of text are gradio's and plotly's own way; but nothing is loaded from, sent to or
        # framed from elsewhere, so that a script that slipped in would have nowhere to tell what it saw.
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
        b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
        b"font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'",
    ),
)


class Guard:
    """Stands before gradio as ASGI middleware; see this module.

    `most_uploaded` is how many bytes an upload may hold with all its files, `tools` whether MCP's tools are served,
    `disk` what all uploads together may take.
    """

    def __init__(
        self, app: ASGIApp, most_uploaded: int = MOST, tools: bool = False, disk: Disk | None = None
    ) -> None:
        self._app, self._most_uploaded, self._tools = app, most_uploaded, tools
        self._disk = disk or disk_of_server()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request with a refusal, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        if is_shut(path):
            await _refuse(send, 404, "Not found.")
        elif is_upload(path, scope):
            with self._disk.upload(counted(receive, self._most_uploaded)) as given:
                await self._app(scope, given, _with_headers(send))
        else:
            await self._pass_small(scope, receive, send, self._tools and path.startswith(TOOLS))

    async def _pass_small(self, scope: Scope, receive: Receive, send: Send, tools: bool) -> None:
        """Pass on a request that is no upload, if it is no longer than allowed: gradio holds all of it in memory."""
        most = MOST_TOOLS if tools else MOST
        body = await _read(receive, most)
        if body is None:
            await _refuse(send, 413, f"A request may hold at most {most:,} bytes.")
        elif (parts := sum(body.count(sign) for sign in b"{[,")) > MOST_PARTS:
            most_parts = f"at most {MOST_PARTS:,} brackets and commas, and this one has {parts:,}"
            await _refuse(send, 413, f"A request may hold {most_parts}.")
        elif why := refusal_of(body, tools):
            await _refuse(send, 400, why)
        else:
            await self._app(scope, _again(body, receive), _with_headers(send))


def path_of(scope: Scope) -> str:
    """The path that gradio's routes are told: without what a proxy puts before it (GRADIO_ROOT_PATH)."""
    path, before = scope["path"], scope.get("root_path", "")
    return path[len(before) :] if before and path.startswith(f"{before}/") else path


def is_shut(path: str) -> bool:
    """Whether nothing is answered under the path: see SHUT; files by an address and long names are shut too."""
    # Twice: a server before this one may have left the sign for a slash as it was.
    plain = unquote(path).replace("//", "/")
    if plain.startswith((f"{API}/file=", f"{API}/file/")):
        name = plain[len(f"{API}/file=") :].lstrip("/ ").lower()
        return name.split(":")[0] in ("http", "https", "ftp", "file", "data")
    return plain.startswith(SHUT) or (plain.startswith(BEATS) and len(plain) > len(BEATS) + MOST_NAME)


def refusal_of(body: bytes, tools: bool = False) -> str:
    """Why the JSON is refused; "" where it is not, nor are other bytes.

    For a session's name that is too long, or an address where a file's path belongs, or in a call of a tool anywhere.
    The page's own requests name a file's address on this server under "url", beside its path; gradio does not read it.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return ""  # gradio refuses it
    name = data.get("session_hash") if isinstance(data, dict) else None
    if isinstance(name, str) and len(name) > MOST_NAME:
        return LONG_NAME
    asks = any(_is_address(value) for key, value in _texts(data) if tools or key == "path")
    return NO_ADDRESS if asks else ""


def _texts(data: Any) -> Iterator[tuple[str, str]]:
    """Every text in the data with the key of the object it is in; no recursion, since a client chooses the depth."""
    waiting = [("", data)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        elif isinstance(value, str):
            yield key, value


def _is_address(text: str) -> bool:
    return text.lstrip()[:8].lower().startswith(("http:/", "https:/"))


async def _read(receive: Receive, most: int) -> bytes | None:
    """The request's body, None where it is longer than `most` bytes."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, and then whatever else comes: that the client has left, for one."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return left.pop() if left else await receive()

    return give


def _with_headers(send: Send) -> Send:
    async def give(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return give


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"detail": sentence, "error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
