"""A connection that breaks for a moment is not a page that was left.

Gradio takes the end of a page's heartbeat for its end, and then a page's analyses are stopped and its files deleted.
But phones drop connections when the screen goes dark, laptops when they are closed, proxies now and then; and gradio's
page does not connect again. So gradio hears one heartbeat that is as long as the visit, while the page's connections
come and go: `assets/presence.js` keeps one that comes back by itself, and tells when the page is closed for good.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app import settings
from app.server.guard import path_of
from app.server.uploads import API

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRACE = 300  # seconds in which a page may come back: a phone that is put away for a moment stops its pages
LATE = 2  # seconds in which what a page asked for just before it was closed may still arrive
BEAT = 15  # seconds between signs of life, as gradio's own
HEARTBEAT = f"{API}/heartbeat/"
OURS = b"page"  # the query of the connection that our script keeps
ALIVE = {"type": "http.response.body", "body": b"data: ALIVE\n\n", "more_body": True}
FAILED = {"type": "http.response.start", "status": 500, "headers": []}


def grace_of_server() -> int:
    """Seconds in which a page may come back. Raises InputError where COUPLED_MAMBA_GRACE is no whole number."""
    return settings.whole_number(settings.GRACE, GRACE)


@dataclass(eq=False)
class _Visit:
    """A page as gradio knows it, however many connections it had meanwhile; each is an event that ends it."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    begins: asyncio.Future[Message] = field(default_factory=asyncio.Future)  # gradio's answer
    connections: set[asyncio.Event] = field(default_factory=set)
    is_left: bool = False
    timer: asyncio.TimerHandle | None = None

    def connect(self, alone: bool) -> asyncio.Event:
        """One connection more, or in place of the others: a browser has but six for all pages of one address."""
        if alone:
            self.end_connections()
        if self.timer and not self.is_left:
            self.timer.cancel()
        ended = asyncio.Event()
        self.connections.add(ended)
        return ended

    def end_connections(self) -> None:
        """The server hangs up."""
        for connection in self.connections:
            connection.set()

    def end_in(self, seconds: float) -> None:
        """Over after so long, unless it is connected again before."""
        if self.timer:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(seconds, self.over.set)


class Presence:
    """Stands before gradio as ASGI middleware; see this module."""

    def __init__(self, app: ASGIApp, grace: float | None = None, late: float = LATE) -> None:
        self._app, self._grace, self._late = app, grace_of_server() if grace is None else grace, late
        self._visits: dict[str, _Visit] = {}
        self._told: set[asyncio.Task[None]] = set()  # or they could be collected while they go on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, but for heartbeats: GET is a page that is there, POST one that was closed."""
        session = _session_of(scope)
        if session and scope["method"] == "GET":
            await self._stay(session, scope, receive, send)
        elif session and scope["method"] == "POST":
            self._leave(session, scope)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send)

    async def _stay(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        visit = self._visits.get(session) or self._begin(session, scope)
        ended = visit.connect(alone=scope["query_string"] == OURS)
        try:
            await _beat(visit.begins, ended, receive, send)
        finally:
            visit.connections.discard(ended)
            if not visit.connections and not visit.is_left:
                visit.end_in(self._grace)

    def _leave(self, session: str, scope: Scope) -> None:
        """The visit is over in a moment. Nobody else knows its name; another site's page is not believed even so."""
        visit = self._visits.get(session)
        if visit and not visit.is_left and _is_own(scope):
            visit.is_left = True
            visit.end_in(self._late)

    def _begin(self, session: str, scope: Scope) -> _Visit:
        visit = self._visits[session] = _Visit()
        told = asyncio.create_task(self._tell(session, visit, dict(scope)))
        self._told.add(told)
        told.add_done_callback(self._told.discard)
        return visit

    async def _tell(self, session: str, visit: _Visit, scope: Scope) -> None:
        """Gradio's own heartbeat, from the visit's beginning to its end; it may end it too, when the server stops."""

        async def receive() -> Message:
            await visit.over.wait()
            self._forget(session, visit)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start" and not visit.begins.done():
                visit.begins.set_result(message)

        try:
            await self._app(scope, receive, send)
        finally:
            if not visit.begins.done():
                visit.begins.set_result(FAILED)
            self._forget(session, visit)

    def _forget(self, session: str, visit: _Visit) -> None:
        """Before gradio ends it, which takes a while: who comes now begins anew."""
        if self._visits.get(session) is visit:
            del self._visits[session]
        visit.end_connections()


def _session_of(scope: Scope) -> str:
    """The session whose heartbeat is asked for, "" for every other request."""
    path = path_of(scope) if scope["type"] == "http" else ""
    name = path.removeprefix(HEARTBEAT) if path.startswith(HEARTBEAT) else ""
    return "" if "/" in name else name


def _is_own(scope: Scope) -> bool:
    """Whether the request is not of another site's page, as far as the browser says so."""
    site = next((value for name, value in scope["headers"] if name == b"sec-fetch-site"), b"same-origin")
    return bool(site == b"same-origin")


async def _beat(begins: asyncio.Future[Message], ended: asyncio.Event, receive: Receive, send: Send) -> None:
    """Signs of life until either side hangs up."""
    gone, over = asyncio.ensure_future(_gone(receive)), asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait((begins, gone), return_when=asyncio.FIRST_COMPLETED)
        if not begins.done():
            return
        await send(begins.result())
        while not gone.done() and not over.done():
            await send(ALIVE)
            await asyncio.wait((gone, over), timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        over.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
