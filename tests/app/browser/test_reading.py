"""In a real browser: what is read at the playhead, and the video that is seen small beside the answer to a click."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.browser.saved import TABLE_OF
from tests.app.browser.visit import DRIVES_A_BROWSER, analyse, now

pytestmark = DRIVES_A_BROWSER
READ = (
    "() => Object.fromEntries([...document.querySelectorAll('#cm-reading [data-line]')]"
    ".map((told) => [told.dataset.line, told.lastElementChild.textContent]))"
)
COLUMNS = {"all": "all together", "text": "words alone", "audio": "voice alone", "visual": "face alone"}
NAMES = {"text": "words", "audio": "voice", "visual": "face"}
SMALL = "document.documentElement.hasAttribute('data-aside')"


def test_the_reading_follows_the_playhead_and_a_click_and_its_answer_are_on_one_screen(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    analyse(page)
    page.wait_for_selector("#cm-save-html:enabled")  # the last of what follows an analysis
    _the_reading_says_what_the_table_says(page)
    _a_click_its_picture_and_its_answer_are_on_one_screen(page)
    _is_sent_away_by_keys(page)
    _on_a_phone_it_covers_nothing(page)


def _the_reading_says_what_the_table_says(page: Any) -> None:
    requests: list[str] = []
    page.on("request", lambda r: requests.append(r.url) if "/queue/" in r.url or "/run/" in r.url else None)
    header, *rows = page.evaluate(TABLE_OF)
    dashes = 0
    for tick in (2, 36, 60, 118):
        seconds = 0.2 * tick + 0.1
        page.evaluate(f"document.querySelector('#cm-video video').currentTime = {seconds}")
        when = f"0:{seconds:04.1f}"
        page.wait_for_function(f"document.querySelector('#cm-reading time').textContent === '{when}'")
        assert page.text_content("#cm-timeline .cm-when") == when
        row, read = dict(zip(header, rows[tick], strict=True)), page.evaluate(READ)
        assert set(read) == set(COLUMNS)
        for line, told in read.items():
            if line != "all" and NAMES[line] not in row["heard or seen"].split(", "):
                assert told == "–"
                dashes += 1
            else:
                score = float(row[COLUMNS[line]].split()[0].replace("−", "-"))
                assert float(told.replace("−", "-")) == pytest.approx(score, abs=0.0551)
    assert dashes  # before the first word nothing is heard
    assert not requests


def _a_click_its_picture_and_its_answer_are_on_one_screen(page: Any) -> None:
    assert not page.evaluate(SMALL)
    place, high = page.locator("#cm-video").bounding_box(), page.evaluate("document.body.scrollHeight")
    plot = page.locator("#cm-timeline .js-plotly-plot")
    page.evaluate("scrollBy(0, document.querySelector('#cm-timeline').getBoundingClientRect().top - 180)")
    page.wait_for_function(SMALL, timeout=60_000)
    assert page.evaluate("document.body.scrollHeight") == pytest.approx(high, abs=1)  # nothing moved
    assert page.locator("#cm-video").bounding_box()["height"] == place["height"]
    box, axis = (
        plot.bounding_box(),
        plot.evaluate("p => [p._fullLayout.xaxis._offset, p._fullLayout.xaxis._length]"),
    )
    x, y = box["x"] + axis[0] + axis[1] * 12.1 / 24, box["y"] + 100  # the middle of a tick
    page.mouse.move(x - 4, y)
    page.mouse.click(x, y)
    page.wait_for_selector("#cm-brief >> text=At 0:12.0 the score is", timeout=60_000)
    assert abs(now(page) - 12.1) < 0.1
    for part in ("#cm-video video", "#cm-brief", "#cm-reading", "#cm-timeline .cm-playhead"):
        found = page.locator(part).bounding_box()
        assert found["y"] >= 0
        assert found["y"] + found["height"] <= 900 or part.endswith("playhead")


def _is_sent_away_by_keys(page: Any) -> None:
    page.locator("#cm-aside-close").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"!{SMALL}")
    assert page.evaluate("document.activeElement.closest('#cm-timeline') !== null")
    page.evaluate("scrollBy(0, 60)")
    page.wait_for_timeout(600)
    assert not page.evaluate(SMALL)
    place = page.evaluate("scrollY")
    page.evaluate("scrollTo(0, 0)")  # to the player itself: where it is left again it is small again
    page.wait_for_timeout(600)
    page.evaluate(f"scrollTo(0, {place})")
    page.wait_for_function(SMALL, timeout=60_000)


def _on_a_phone_it_covers_nothing(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.querySelector('#cm-video video').src += '#again'")  # another video
    page.wait_for_timeout(1000)
    assert not page.evaluate(SMALL)  # on a phone it would cover what is looked at
    assert page.locator("#cm-reading").bounding_box()["y"] >= 0
    page.set_viewport_size({"width": 320, "height": 256})  # 1280 x 1024 enlarged four times
    assert page.evaluate("getComputedStyle(document.querySelector('#cm-reading')).position") == "static"
