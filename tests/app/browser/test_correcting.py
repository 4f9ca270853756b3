"""In a real browser: a corrected word."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.browser.visit import DRIVES_A_BROWSER, analyse

pytestmark = DRIVES_A_BROWSER
STANDS = "document.querySelector('#cm-correct').getBoundingClientRect().top"


def test_a_corrected_word_changes_the_words_and_nothing_else(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    analyse(page)
    read = (
        "() => Object.fromEntries(document.querySelector('#cm-timeline .js-plotly-plot').data"
        ".filter(t => /alone/.test(t.name || '')).map(t => [t.name, t.customdata.join()]))"
    )
    before = page.evaluate(read)
    page.evaluate("window.old = [...document.querySelectorAll('.js-plotly-plot')]")
    page.click("#cm-correcting > button")
    page.locator("#cm-words [role=gridcell]:has-text('best')").first.dblclick()
    page.keyboard.press("Control+A")
    page.keyboard.type("horrible")
    page.keyboard.press("Enter")
    page.click("#cm-unfold")
    page.click("#cm-switched-card summary")
    page.focus("#cm-correct")
    page.wait_for_timeout(500)
    stood = page.evaluate(STANDS)
    page.keyboard.press("Enter")
    page.wait_for_selector("#cm-correct", state="detached")
    page.wait_for_selector(".cm-transcript >> text=horrible")
    page.wait_for_selector("#cm-switched-card details[open] td", timeout=20_000)
    page.wait_for_function("document.activeElement.id === 'cm-correct'")
    page.wait_for_timeout(1000)
    assert page.evaluate(STANDS) == pytest.approx(stood, abs=2)
    page.wait_for_selector("#cm-shares", state="visible")
    _a_picture_that_is_gone_is_let_go(page)
    page.wait_for_function(
        "[...document.querySelector('#cm-video video').cmTrack.cues].some(c => c.text.includes('horrible'))"
    )
    assert page.evaluate("document.querySelector('#cm-video video').cmTrack.language") == "en"
    _captions_are_switched_off_and_stay_as_they_are(page)
    after = page.evaluate(read)
    assert {name for name in before if before[name] != after[name]} == {"words alone"}


def _captions_are_switched_off_and_stay_as_they_are(page: Any) -> None:
    track = "document.querySelector('#cm-video video').cmTrack"
    page.evaluate(f"window.cue = {track}.cues[0]")
    page.evaluate("document.querySelector('.cm-word').setAttribute('role', 'button')")  # as the arrow keys do
    assert page.evaluate(f"{track}.mode") == "showing"
    page.click("#cm-film [data-captions][aria-pressed=true]")
    page.wait_for_selector("#cm-film [data-captions][aria-pressed=false]")
    page.wait_for_timeout(600)
    assert page.evaluate(f"[{track}.mode, {track}.cues[0] === cue]") == ["hidden", True]
    page.evaluate(f"{track}.mode = 'showing'")  # by the browser's own menu
    page.wait_for_selector("#cm-film [data-captions][aria-pressed=true]")


def _a_picture_that_is_gone_is_let_go(page: Any) -> None:
    """Plotly would keep it, with all of its data, for as long as the window may change its size."""
    page.wait_for_function(
        "old.every(picture => !picture.isConnected && !picture._fullLayout && !picture.data)"
    )
