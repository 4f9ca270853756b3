"""In a real browser: a corrected word."""

from __future__ import annotations

from typing import Any

from tests.app.browser.visit import DRIVES_A_BROWSER, analyse

pytestmark = DRIVES_A_BROWSER


def test_a_corrected_word_changes_the_words_and_nothing_else(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    analyse(page)
    read = (
        "() => Object.fromEntries(document.querySelector('#cm-timeline .js-plotly-plot').data"
        ".filter(t => /alone/.test(t.name || '')).map(t => [t.name, t.customdata.join()]))"
    )
    before = page.evaluate(read)
    page.click("#cm-correcting > button")
    page.locator("#cm-words [role=gridcell]:has-text('best')").first.dblclick()
    page.keyboard.press("Control+A")
    page.keyboard.type("horrible")
    page.keyboard.press("Enter")
    page.click("#cm-correct")
    page.wait_for_selector(".cm-transcript >> text=horrible")
    page.wait_for_function(
        "[...document.querySelector('#cm-video video').cmTrack.cues].some(c => c.text.includes('horrible'))"
    )
    assert page.evaluate("document.querySelector('#cm-video video').cmTrack.language") == "en"
    after = page.evaluate(read)
    assert {name for name in before if before[name] != after[name]} == {"words alone"}
