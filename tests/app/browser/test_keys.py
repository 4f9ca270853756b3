"""In a real browser: the keyboard alone reaches and does everything, and what is seen is also said."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.exports import FORMATS
from app.sample import sample_clip
from tests.app.browser.visit import DRIVES_A_BROWSER, analyse, await_result, upload

pytestmark = DRIVES_A_BROWSER
SAID = (
    "() => { window.said = []; new MutationObserver((records) => records.forEach((r) => r.target.id === 'cm-status'"
    " && r.addedNodes.forEach((n) => said.push(n.textContent)))).observe(document.body,"
    " { childList: true, subtree: true }) }"
)
PICTURES = (
    "pictures => Object.fromEntries(pictures.map(p => [p.closest('[id^=cm-]').id,"
    " [p.role, p.ariaLabel, p.ariaValueText, p.ariaValueMax]]))"
)


def test_what_is_seen_is_also_said_and_what_is_pointed_at_has_keys(page: Any, tmp_path: Path) -> None:
    upload(
        page, Path(shutil.copy(sample_clip(), tmp_path / "mine.mp4"))
    )  # of which nothing is known beforehand
    page.evaluate(SAID)
    _an_analysis_is_begun_and_could_be_cancelled_by_keys(page)
    await_result(page)
    page.wait_for_function("document.activeElement.id === 'cm-analyse'")  # what could be cancelled is done
    page.wait_for_function("said.at(-1).startsWith('Analysed. The clip as a whole: ')")
    stages = page.evaluate("said.slice(0, -1)")
    # A line that stays, and not a list that is replaced six times a second: each sentence is another one.
    assert stages
    assert len(set(stages)) == len(stages) <= 12
    assert all(text.startswith("Analysing") for text in stages)
    page.wait_for_selector("#cm-why .js-plotly-plot[role=slider]")
    _names_tell_the_pictures_apart(page)
    _the_coupling_is_unfolded_by_keys(page)
    _a_window_is_chosen_by_keys(page)
    _focus_stays_where_a_picture_is_drawn_again(page)
    _an_answer_that_comes_again_is_said_again(page)
    _words_are_reached_by_keys(page)


def _an_analysis_is_begun_and_could_be_cancelled_by_keys(page: Any) -> None:
    page.locator("#cm-analyse").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#cm-cancel")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "cm-cancel"


def _names_tell_the_pictures_apart(page: Any) -> None:
    found = page.eval_on_selector_all(".js-plotly-plot", PICTURES)
    assert set(found) == {"cm-timeline", "cm-why", "cm-coupling", "cm-switched"}
    assert len({name for _, name, _, _ in found.values()}) == 4
    assert all((role, end) == ("slider", "24.0") for role, _, _, end in found.values())
    assert "[ and ]" in found["cm-timeline"][1]
    explains = {place for place, (_, name, _, _) in found.items() if "Enter" in name}
    assert explains == {"cm-timeline", "cm-why"}


def _the_coupling_is_unfolded_by_keys(page: Any) -> None:
    """And its picture, drawn while it was folded away, has the width of its place."""
    assert not page.is_visible("#cm-shares")
    page.wait_for_selector("#cm-unfold[aria-expanded=false]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#cm-unfold[aria-expanded=true]")
    page.wait_for_selector("#cm-shares", state="visible")
    page.wait_for_function(
        "Math.abs(document.querySelector('#cm-coupling .main-svg').getBoundingClientRect().width"
        " - document.querySelector('#cm-coupling').getBoundingClientRect().width) < 2"
    )


def _a_window_is_chosen_by_keys(page: Any) -> None:
    plot = page.locator("#cm-timeline .js-plotly-plot")
    plot.focus()
    shown = "p => p._fullLayout.xaxis.range"

    def press(*keys: str) -> list[float]:
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(60)
        ends: list[float] = plot.evaluate(shown)
        return ends

    assert press(*["Shift+ArrowRight"] * 5, "[") == pytest.approx([5, 24], abs=0.05)
    assert press(*["Shift+ArrowRight"] * 6, "]") == pytest.approx([5, 11], abs=0.05)
    read = [" ".join(line.split()) for line in page.locator("#cm-reading [data-line]").all_inner_texts()]
    assert read[0].startswith("all together ")
    assert plot.get_attribute("aria-valuetext") == ", ".join(["0:11.0", *read])
    page.wait_for_selector("#cm-shares >> text=Of the window 0:05")
    page.wait_for_function("said.at(-1).startsWith('Of the window 0:05')")
    assert press("Escape") == pytest.approx([0, 24], abs=0.05)


def _focus_stays_where_a_picture_is_drawn_again(page: Any) -> None:
    page.locator("#cm-why .js-plotly-plot").focus()
    page.evaluate("document.activeElement.isTheOld = true")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cm-why-card >> text=At 0:11.0 the score is")
    page.wait_for_function("said.at(-1).startsWith('At 0:11.0 the score is')")
    page.wait_for_function("document.activeElement.closest('#cm-why') && !document.activeElement.isTheOld")


def _an_answer_that_comes_again_is_said_again(page: Any) -> None:
    told = "document.querySelector('#cm-why-card [data-said]')"
    again = "said.filter(text => text.startsWith('At 0:11.0')).length"
    before = page.evaluate(again)
    page.evaluate(f"window.answer = {told}.dataset.said; delete {told}.dataset.said")  # as of no question
    page.wait_for_timeout(1200)
    page.evaluate("document.querySelector('#cm-why-card p').dataset.said = answer")
    page.wait_for_function(f"{again} === {before + 1}")


def _words_are_reached_by_keys(page: Any) -> None:
    page.locator(".cm-transcript").focus()
    now = (
        "[document.activeElement.textContent, document.activeElement.role,"
        " document.querySelectorAll('.cm-word[role]').length]"
    )

    def press(key: str) -> list[Any]:
        page.keyboard.press(key)
        found: list[Any] = page.evaluate(now)
        return found

    said = page.inner_text(".cm-transcript").split()[1:]  # without the first time
    press("ArrowRight")
    assert press("Home") == [said[0], "button", 1]
    assert press("ArrowRight") == [said[1], "button", 1]
    assert press("ArrowLeft") == [said[0], "button", 1]
    line = "[...document.querySelectorAll('.cm-transcript p')].indexOf(document.activeElement.parentElement)"
    assert page.evaluate(line) == 0
    press("ArrowDown")
    assert page.evaluate(line) == 1
    assert press("End") == [said[-1], "button", 1]
    press("ArrowLeft")
    start = float(page.evaluate("document.activeElement.dataset.start"))
    page.keyboard.press("Enter")
    video = "document.querySelector('#cm-video video')"
    page.wait_for_function(f"!{video}.paused && Math.abs({video}.currentTime - {start}) < 1")
    page.keyboard.press("Tab")  # the transcript is one stop
    assert not page.evaluate("document.activeElement.closest('.cm-transcript')")


EVERYTHING = {
    *("en", "zh", "ja", "cm-switch", "cm-video", "cm-film", "cm-analyse", "cm-sample", "cm-delete"),
    "cm-transcript-file",
    *(f"cm-save-{kind}" for kind in FORMATS),
    *("cm-faces", "cm-timeline", "cm-target", "cm-tone", "cm-window", "cm-explain", "cm-why", "cm-space"),
    *(
        "cm-lead",
        "cm-layers",
        "cm-unfold",
        "cm-coupling",
        "cm-shares",
        "cm-kept",
        "cm-switched",
        "cm-compare-way",
        "cm-other",
        "cm-compare",
    ),
    *("cm-correcting", "cm-words", "cm-correct", "cm-several", "cm-several-files", "cm-several-analyse"),
    "cm-several-folder",
}
"""By their ids or languages; Cancel is there during an analysis alone, the row to open once it is chosen, and the
choice of the speech's language where others than English are heard."""


FACES_AND_SPACE = """() => {
  const plot = document.querySelector("#cm-timeline").getBoundingClientRect();
  const canvas = document.querySelector("#cm-space");
  const faces = [...document.querySelectorAll("button.cm-face")].map((face) => face.getBoundingClientRect());
  const drawn = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const isThere = (face) => face.left >= plot.left && face.right <= plot.right;
  return [faces.length, ...faces.map(isThere), drawn.some(Boolean)];
}"""


def _unfold_by_keys(page: Any) -> None:
    """What is folded away, and the place for another clip to compare with."""
    for head in page.query_selector_all(".cm-accordion > button"):
        head.focus()
        page.keyboard.press("Enter")
    page.locator("#cm-compare-way input").last.focus()  # to gradio each choice is a group of its own
    page.keyboard.press("Space")
    for opened in ("cm-transcript-file", "cm-correct", "cm-several-folder", "cm-other"):
        page.wait_for_selector(f"#{opened}")


def _reached_by_tab(page: Any, wanted: set[str]) -> list[str]:
    """What the tab key came to, one after another from the page's head, until all that is wanted was among it."""
    page.evaluate(
        "() => { window.reached = []; document.addEventListener('focusin', ({ target }) =>"
        " reached.push(target.dataset.language ?? target.closest('[id^=cm-]')?.id ?? '')) }"
    )
    page.locator(".cm-languages a").first.focus()
    reached: list[str] = []
    for _ in range(20):
        for _ in range(10):
            page.keyboard.press("Tab")
        reached = page.evaluate("reached")
        if wanted <= set(reached):
            break
    return reached


def test_another_language_is_chosen_and_the_keyboard_reaches_everything(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    analyse(page)
    with page.context.expect_page() as other:  # a tab of its own, and this one stays as it is
        page.click(".cm-languages a[data-language=zh]", modifiers=["Control"])
    other.value.close()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.click(".cm-languages a[data-language=ja]")
    page.wait_for_selector("#cm-result >> text=動画全体")
    page.wait_for_selector("#cm-timeline text:has-text('聞こえた')", state="attached")
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.inner_text("#cm-analyse") == "分析する"
    assert page.url.endswith("?lang=ja")
    # The last of what is told anew: until then a picture may be replaced by another one.
    page.wait_for_selector("#cm-faces img[alt*='顔']", state="attached")
    page.wait_for_selector("#cm-save-html:enabled")  # which it is once the report is made
    page.wait_for_function(f"({FACES_AND_SPACE})().every(Boolean)", timeout=20_000)
    for picture in ("cm-why", "cm-coupling", "cm-switched"):
        page.wait_for_selector(f"#{picture} .js-plotly-plot[role=slider]", state="attached")
    _unfold_by_keys(page)
    reached = _reached_by_tab(page, EVERYTHING)
    missing = EVERYTHING - set(reached)
    assert not missing
    # In the order in which the page is read, which no tabindex breaks.
    met = [name for name in dict.fromkeys(reached) if name.startswith("cm-")]
    inside = page.evaluate(
        "names => names.map(n => [...document.querySelectorAll('[id]')].findIndex(e => e.id === n))", met
    )
    assert inside == sorted(inside)
