"""In a real browser: the row under the video, which has what gradio's player lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.face_box import face_box
from extractors.records import Looks
from tests.app.browser.visit import DRIVES_A_BROWSER, analyse, now, upload
from tests.app.made import make_grid
from tests.clips import make_clip

pytestmark = DRIVES_A_BROWSER
VIDEO = "document.querySelector('#cm-video video')"
FRAMED = """() => {
  const where = (selector) => document.querySelector(selector).getBoundingClientRect();
  const box = where("#cm-video .cm-box"), video = where("#cm-video video");
  return [box.x - video.x, box.y - video.y, box.width, box.height, video.width, video.height];
}"""
PRESSED = "buttons => buttons.filter(b => b.ariaPressed === 'true' && !b.hidden).map(b => b.textContent)"


def test_speed_and_repeating_are_reached_by_keys_and_the_time_is_always_seen(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    page.wait_for_function(f"{VIDEO}.duration > 20")
    page.wait_for_selector("#cm-film >> text=0:00.0 / 0:2")
    _the_keyboard_goes_past_the_player_without_starting_it(page)
    page.focus("#cm-film [data-rate]")
    page.keyboard.press("2")  # as in any list to choose from
    page.wait_for_function(f"{VIDEO}.playbackRate === 2")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('#cm-film [data-again]').ariaPressed === 'true'")
    assert page.eval_on_selector_all("#cm-film button", PRESSED) == ["⟲ Repeat"]
    page.evaluate(f"{VIDEO}.muted = true; {VIDEO}.currentTime = {VIDEO}.duration")
    page.wait_for_function(f"{VIDEO}.ended")
    page.wait_for_timeout(500)
    assert page.evaluate(f"{VIDEO}.paused && {VIDEO}.ended")  # what stands still is not started
    page.evaluate(f"{VIDEO}.currentTime = {VIDEO}.duration - 0.6; {VIDEO}.play()")
    page.wait_for_function(f"{VIDEO}.currentTime < 5 && !{VIDEO}.paused")
    # As in a tab that is not looked at.
    page.evaluate(
        "[window.own, window.late] = [requestAnimationFrame, []]; requestAnimationFrame = f => late.push(f); 0"
    )
    page.wait_for_timeout(400)
    page.evaluate(f"{VIDEO}.currentTime = {VIDEO}.duration - 0.6")
    page.wait_for_function(f"{VIDEO}.currentTime < 5 && !{VIDEO}.paused", polling=100)
    page.evaluate(f"{VIDEO}.pause(); requestAnimationFrame = own; late.forEach(f => own(f))")
    page.wait_for_timeout(200)
    assert page.text_content("#cm-film time").startswith(f"0:{now(page):04.1f}")
    page.evaluate(
        f"Object.defineProperty({VIDEO}, 'duration', {{ value: Infinity }})"
    )  # as of some recordings
    page.wait_for_function("document.querySelector('#cm-film time').textContent.endsWith(' / –')")
    page.evaluate(f"{VIDEO}.removeAttribute('src')")  # as while one is recorded
    page.wait_for_selector("#cm-film", state="hidden")


def test_the_face_that_is_read_is_framed_in_the_video(page: Any, tmp_path: Path) -> None:
    upload(page, make_clip(tmp_path / "high.mp4", 3.0, size=(240, 320)))  # higher than its player is
    assert page.is_hidden("#cm-film [data-box]")
    analyse(page)
    page.wait_for_selector("#cm-video .cm-box")
    seen = _framed(page)
    assert 0.3 < seen[0] < seen[0] + seen[2] < 0.9  # the astronaut's face
    assert 0.1 < seen[1] < seen[1] + seen[3] < 0.7
    known = Looks(
        np.array([0.0, 0.8, 1.2, 2.9]),
        np.array([[0.4, 0.3, 0.3, 0.3], [0.2, 0.2, 0.3, 0.7], [0.6, 0, 0.2, 0.1], [0.5] * 4], np.float32),
        np.ones(4, np.int64),
    )
    page.evaluate(
        "told => { document.querySelector('.cm-looks').outerHTML = told; }",
        face_box(replace(make_grid(), looks=known)),
    )
    page.evaluate(f"{VIDEO}.currentTime = 0.4")
    page.wait_for_timeout(400)
    assert _framed(page) == pytest.approx([0.3, 0.25, 0.3, 0.5], abs=0.02)  # halfway between two looks
    page.evaluate(f"{VIDEO}.currentTime = 1.1")
    page.wait_for_timeout(400)
    assert _framed(page) == pytest.approx([0.2, 0.2, 0.3, 0.7], abs=0.02)  # another face: nothing in between
    page.evaluate(f"{VIDEO}.currentTime = 2.5")
    page.wait_for_selector(
        "#cm-video .cm-box", state="hidden"
    )  # there was no face for longer than a look lasts
    page.evaluate(f"{VIDEO}.currentTime = 0.8")
    page.wait_for_selector("#cm-video .cm-box")
    page.click("#cm-film [data-box]")
    page.wait_for_selector("#cm-video .cm-box", state="hidden")
    page.click("#cm-film [data-box]")
    page.wait_for_selector("#cm-video .cm-box")
    upload(page, make_clip(tmp_path / "other.mp4", 2.0))
    page.wait_for_selector("#cm-film [data-box]", state="hidden")
    assert not page.locator("#cm-video .cm-box:visible").count()


def _the_keyboard_goes_past_the_player_without_starting_it(page: Any) -> None:
    starts = page.locator("#cm-video [aria-label='play-pause-replay-button']")
    page.evaluate(f"{VIDEO}.muted = true")
    for key, plays in (("Tab", False), ("Shift+Tab", False), ("x", False), ("Space", True), ("Enter", False)):
        starts.focus()
        page.keyboard.press(key)
        page.wait_for_timeout(150)
        assert page.evaluate(f"!{VIDEO}.paused") == plays, key
    assert page.evaluate("scrollY") == 0
    page.evaluate(f"{VIDEO}.currentTime = 0")


def _framed(page: Any) -> list[float]:
    """The frame as shares of the picture: x, y, width, height."""
    left, top, width, height, across, down = page.evaluate(FRAMED)
    wide, high = min(across, down * 240 / 320), min(down, across * 320 / 240)
    edges = [(left - (across - wide) / 2) / wide, (top - (down - high) / 2) / high]
    return [*edges, width / wide, height / high]
