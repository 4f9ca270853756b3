"""A connection that breaks for a moment is not a page that was left.

Gradio takes the end of a page's heartbeat for its end, and then a page's analyses are stopped and its files deleted.
But phones drop connections when the screen goes dark, and busy machines when nothing comes for twenty seconds; the page
is back a second later. So gradio hears late that a heartbeat ended, and not while the session has another one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from app import settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRACE = 20  # seconds in which a page may come back
HEARTBEAT = "/heartbeat/"


def grace_of_server() -> int:
    """Seconds in which a page may come back. Raises InputError where COUPLED_MAMBA_GRACE is no whole number."""
    return settings.whole_number(settings.GRACE, GRACE)


class Presence:
    """Stands before gradio as ASGI middleware; see this module."""

    def __init__(self, app: ASGIApp, grace: float | None = None) -> None:
        self._app, self._grace = app, grace_of_server() if grace is None else grace
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; of a heartbeat, hold the end back."""
        if scope["type"] != "http" or HEARTBEAT not in scope["path"]:
            await self._app(scope, receive, send)
            return
        session = scope["path"].rpartition(HEARTBEAT)[2]
        connected = True
        self._open[session] += 1

        async def patient() -> Message:
            nonlocal connected
            message = await receive()
            if message["type"] == "http.disconnect" and connected:
                connected = False
                self._close(session)
                await asyncio.sleep(self._grace)
                while self._open[session]:
                    await asyncio.sleep(self._grace)
            return message

        try:
            await self._app(scope, patient, send)
        finally:
            if connected:
                self._close(session)

    def _close(self, session: str) -> None:
        self._open[session] -= 1
        if not self._open[session]:
            del self._open[session]
