"""When gradio hears that a page was left: once, when it says so or stays away, and not if it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.server.presence import Presence

GRACE, LATE = 0.3, 0.1
ME, YOU = "/gradio_api/heartbeat/me", "/gradio_api/heartbeat/you"


class _Heart:
    """Stands in for gradio: notes when it hears of a disconnection."""

    def __init__(self, status: int = 200) -> None:
        self.begun: list[str] = []
        self.ended: list[tuple[str, float]] = []
        self._status = status

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["path"])
        await send({"type": "http.response.start", "status": self._status, "headers": [(b"from", b"gradio")]})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.ended.append((scope["path"], time.monotonic()))

    @property
    def left(self) -> list[str]:
        return [path for path, _ in self.ended]


class _Connection:
    """A heartbeat whose connection breaks after so long, or is ended by the server."""

    def __init__(self, presence: Presence, path: str = ME, seconds: float = 60.0, query: bytes = b"") -> None:
        self.sent: list[Any] = []
        self._breaks = time.monotonic() + seconds
        self.done = asyncio.ensure_future(presence(_scope(path, "GET", query), self._receive, self._send))

    async def _receive(self) -> dict[str, str]:
        await asyncio.sleep(max(0.0, self._breaks - time.monotonic()))
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def hears(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def _scope(path: str, method: str, query: bytes = b"", **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "path": path, "method": method, "query_string": query, "headers": named}


async def _close(presence: Presence, path: str = ME, **headers: str) -> int:
    """What the page's script sends as it is closed; the answer's status."""
    said: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nothing of it is read")

    async def send(message: Any) -> None:
        said.append(message)

    await presence(_scope(path, "POST", **headers), receive, send)
    status: int = said[0]["status"]
    return status


Story = Callable[[Presence, _Heart], Coroutine[Any, Any, None]]


def _play(story: Story, heart: _Heart | None = None) -> _Heart:
    heart = heart or _Heart()

    async def within() -> None:
        presence = Presence(heart, GRACE, LATE)
        await story(presence, heart)
        assert not presence._visits
        assert not presence._told

    asyncio.run(within())
    return heart


def test_a_page_that_stays_away_is_told_of_after_the_grace() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        begin = time.monotonic()
        await _Connection(presence, seconds=0.0).done
        assert not heart.ended
        await asyncio.sleep(2 * GRACE)
        assert heart.ended[0][1] - begin >= GRACE

    assert _play(story).left == [ME]


def test_a_page_that_comes_back_is_not_told_of_until_it_is_really_left_and_then_once() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        for _ in range(4):
            await _Connection(presence, seconds=0.0).done
            await asyncio.sleep(GRACE / 2)
        again, other = _Connection(presence), _Connection(presence, YOU, 0.0)
        await asyncio.sleep(3 * GRACE)
        assert other.done.done()
        assert heart.left == [YOU]
        assert again.hears == b"data: ALIVE\n\n"
        assert again.sent[0]["headers"] == [(b"from", b"gradio")]
        again.done.cancel()
        await asyncio.sleep(2 * GRACE)

    heart = _play(story)
    assert heart.left == [YOU, ME]
    assert heart.begun == [ME, YOU]  # however often a page came back, gradio has one heartbeat of it


def test_a_page_is_there_while_any_of_its_connections_is() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        _Connection(presence, seconds=0.0), _Connection(presence, seconds=4 * GRACE)
        await asyncio.sleep(3 * GRACE)
        assert not heart.ended
        await asyncio.sleep(3 * GRACE)

    assert _play(story).left == [ME]


def test_our_scripts_connection_takes_the_place_of_gradios_own() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        first = _Connection(presence)
        await asyncio.sleep(0.01)
        second = _Connection(presence, query=b"page")
        await asyncio.wait_for(first.done, 1)
        assert first.sent[-1] == {"type": "http.response.body", "body": b""}  # an end, and no error
        await asyncio.sleep(2 * GRACE)
        assert not second.done.done()
        assert not heart.ended
        await _close(presence)
        await asyncio.wait_for(second.done, 1)

    assert _play(story).left == [ME]


def test_a_page_that_is_closed_is_told_of_at_once_though_its_connection_still_stands() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        mine, yours = _Connection(presence), _Connection(presence, YOU)
        await asyncio.sleep(0.01)
        assert await _close(presence) == 204
        assert not heart.ended  # what it asked for last may still be on its way
        await asyncio.wait_for(mine.done, 1)
        assert heart.left == [ME]
        assert not yours.done.done()
        await _close(presence, YOU)
        await asyncio.wait_for(yours.done, 1)
        await asyncio.sleep(0.01)

    _play(story)


def test_a_connection_on_its_way_does_not_bring_a_closed_page_back() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        _Connection(presence, seconds=0.0)
        await asyncio.sleep(0.01)
        await _close(presence)
        late = _Connection(presence, query=b"page", seconds=0.01)
        await late.done
        await asyncio.sleep(2 * LATE)
        assert heart.left == [ME]

    _play(story)


@pytest.mark.parametrize(
    ("path", "site", "is_ended"),
    [
        (ME, "same-origin", True),
        (ME, "cross-site", False),
        (ME, "same-site", False),
        (ME[:-1], "same-origin", False),
    ],
)
def test_only_the_page_itself_ends_its_visit(path: str, site: str, is_ended: bool) -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        page = _Connection(presence)
        await asyncio.sleep(0.01)
        told = await _close(presence, path, sec_fetch_site=site)
        assert told == 204  # whoever is there or not
        await asyncio.sleep(2 * LATE)
        assert bool(heart.ended) == is_ended
        page.done.cancel()
        await asyncio.sleep(2 * GRACE)

    _play(story)


def test_who_begins_while_the_visit_before_ends_begins_anew() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        await _Connection(presence, seconds=0.0).done
        await asyncio.sleep(1.5 * GRACE)
        await _Connection(presence, seconds=0.0).done
        assert heart.begun == [ME, ME]
        await asyncio.sleep(1.5 * GRACE)

    assert _play(story).left == [ME, ME]


def test_where_gradio_ends_its_heartbeat_so_does_the_pages() -> None:
    """As it does when the server stops, which would wait for its connections."""

    class Stops(_Heart):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def story(presence: Presence, heart: _Heart) -> None:
        await asyncio.wait_for(_Connection(presence).done, 1)

    _play(story, Stops())


def test_where_gradio_fails_the_page_is_told_so() -> None:
    async def fails(*_: Any) -> None:
        return

    async def story() -> None:
        connection = _Connection(Presence(fails, GRACE, LATE))
        await asyncio.wait_for(connection.done, 1)
        assert connection.sent[0]["status"] == 500

    asyncio.run(story())


@pytest.mark.parametrize("root", ["", "/here"])
def test_a_heartbeat_is_known_behind_a_proxy_too(root: str) -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        scope = _scope(root + ME, "POST") | {"root_path": root}
        page = _Connection(presence, ME)
        await asyncio.sleep(0.01)

        async def send(_: Any) -> None: ...

        await presence(scope, send, send)
        await asyncio.wait_for(page.done, 1)

    assert _play(story).left == [ME]


def test_other_requests_pass_at_once() -> None:
    async def story(presence: Presence, heart: _Heart) -> None:
        for path in ("/gradio_api/info", "/gradio_api/file=/heartbeat/me", f"{ME}/more"):
            await asyncio.wait_for(_Connection(presence, path, 0.0).done, 1)

    assert len(_play(story).left) == 3
