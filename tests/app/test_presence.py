"""When gradio hears that a page was left: after a while, and not if the page came back."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from app.server.presence import Presence

GRACE = 0.2


class _Heart:
    """Stands in for gradio: notes when it hears of a disconnection."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, float]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.ended.append((scope["path"], time.monotonic()))


def _beat(presence: Presence, path: str, seconds: float) -> Any:
    """A heartbeat whose connection breaks after so long."""

    async def receive() -> dict[str, str]:
        await asyncio.sleep(seconds)
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    return presence({"type": "http", "path": path}, receive, send)


def test_a_page_that_was_left_is_told_after_the_grace() -> None:
    heart = _Heart()
    begin = time.monotonic()
    asyncio.run(_beat(Presence(heart, GRACE), "/gradio_api/heartbeat/me", 0.0))
    assert heart.ended[0][1] - begin >= GRACE


def test_a_page_that_comes_back_is_not_told_of_until_it_is_really_left() -> None:
    heart = _Heart()
    presence = Presence(heart, GRACE)

    async def visit() -> None:
        first = asyncio.create_task(_beat(presence, "/gradio_api/heartbeat/me", 0.0))
        await asyncio.sleep(GRACE / 2)
        again = asyncio.create_task(_beat(presence, "/gradio_api/heartbeat/me", 4 * GRACE))
        other = asyncio.create_task(_beat(presence, "/gradio_api/heartbeat/you", 0.0))
        await asyncio.sleep(3 * GRACE)
        assert [path for path, _ in heart.ended] == ["/gradio_api/heartbeat/you"]
        await asyncio.gather(first, again, other)

    asyncio.run(visit())
    assert len(heart.ended) == 3
    assert not presence._open


def test_other_requests_pass_at_once() -> None:
    heart = _Heart()
    begin = time.monotonic()
    asyncio.run(_beat(Presence(heart, 60.0), "/gradio_api/info", 0.0))
    assert time.monotonic() - begin < 10
