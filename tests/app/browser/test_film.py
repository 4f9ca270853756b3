"""In a real browser: the row under the video, which has what gradio's player lacks."""

from __future__ import annotations

from typing import Any

from tests.app.browser.visit import DRIVES_A_BROWSER, now

pytestmark = DRIVES_A_BROWSER
VIDEO = "document.querySelector('#cm-video video')"
PRESSED = "buttons => buttons.filter(b => b.ariaPressed === 'true').map(b => b.textContent)"


def test_speed_and_repeating_are_reached_by_keys_and_the_time_is_always_seen(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    page.wait_for_function(f"{VIDEO}.duration > 20")
    page.wait_for_selector("#cm-film >> text=0:00.0 / 0:2")
    page.focus("#cm-film [data-rate='2']")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{VIDEO}.playbackRate === 2")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('#cm-film [data-again]').ariaPressed === 'true'")
    assert page.eval_on_selector_all("#cm-film button", PRESSED) == ["2 ×", "⟲ Repeat"]
    page.evaluate(f"{VIDEO}.muted = true; {VIDEO}.currentTime = {VIDEO}.duration - 0.6; {VIDEO}.play()")
    page.wait_for_function(f"{VIDEO}.currentTime < 5 && !{VIDEO}.paused")
    page.evaluate(f"{VIDEO}.pause()")
    page.wait_for_timeout(200)
    assert page.text_content("#cm-film time").startswith(f"0:{now(page):04.1f}")
