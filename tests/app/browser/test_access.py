"""In a real browser: no serious fault of access by axe-core, and no English left elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.report import render_report
from tests.app.browser.visit import DRIVES_A_BROWSER, SHOTS, analyse, upload
from tests.app.made import make_analysis, with_intervals
from tests.app.test_report import answered
from tests.clips import make_clip

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

pytestmark = DRIVES_A_BROWSER
SERIOUS = ("serious", "critical")
FOLDED = ":is(.cm-accordion, #cm-several, #cm-correcting) > button:not(.open)"
NAMES = {
    "Coupled",
    "Mamba",
    "English",
    "JSON",
    "CSV",
    "ELAN",
    "API",
    "MCP",
    "srt",
    "vtt",
    "txt",
    "faster",
    "whisper",
    "WebVTT",
    "HTML",
    "eaf",
}
OWN = (
    "play-pause-replay-button", "Adjust volume", "full-screen", "Reset video to initial value", "undo",
    "Trim video to selection", "Upload file", "Capture from camera", "Gradio footer navigation", "text", "audio",
    "visual", "independent", "other", "Download plot as a PNG", "Zoom", "Pan", "Box Select", "Lasso Select",
    "Zoom in", "Zoom out", "Autoscale", "Reset axes",
)  # fmt: skip
"""Names that gradio's and plotly's own parts have in English only, and gradio's titles of choices, their values."""
SEEN = (
    "() => [document.body.innerText, ...[...document.querySelectorAll('[aria-label],[title]')]"
    ".flatMap((e) => [e.ariaLabel ?? '', e.getAttribute('title') ?? ''])].join('\\n')"
)
KEYS = {"COUPLED", "MAMBA", "WHISPER", "Enter", "Esc", "Page", "Up", "Down", "Home", "End"}


def unfold(page: Any) -> None:
    for head in page.query_selector_all(FOLDED):
        head.click()
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    page.wait_for_timeout(1200)  # once a second gradio's fault is mended


# A button that may be pressed again fades in: half-way its contrast is nobody's fault.
STILL = "!document.getAnimations().some(a => a instanceof CSSTransition && a.playState === 'running')"


# The tables say each tick of a picture: a row is like the one eight above it, and the contrast of each cell takes long.
THIN = """document.querySelectorAll('.cm-details tr').forEach((row) => {
  if (row.rowIndex % 8 > 1) row.remove();
})"""


def serious(page: Any) -> list[tuple[str, Any]]:
    """(rule, elements) of the serious faults that axe-core finds in the page as it is, once its colours stand still."""
    page.evaluate(THIN)
    page.wait_for_function(STILL)
    found = axe.Axe().run(page).response["violations"]
    return [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in SERIOUS]


@pytest.mark.parametrize(
    ("language", "width", "then"),
    [("zh-CN", 390, ""), ("ja-JP", 1280, "en")],
    ids=["chinese-phone-dark", "japanese-dark-then-english"],
)
def test_nothing_is_in_the_way_of_anybody(
    visit: Any, address: str, language: str, width: int, then: str, request: pytest.FixtureRequest
) -> None:
    """In the dark; and in the light too, in another language chosen there."""
    page = visit(address, width, scheme="dark", language=language)
    page.wait_for_selector("#cm-video video")
    analyse(page)
    page.wait_for_selector("#cm-why-card p", state="attached")
    _shoot(page, request.node.callspec.id)
    # Before unfolding: the tables to edit and the places for files are full of gradio's own English names.
    said = set(re.findall("[A-Za-z]+", page.inner_text(".cm-transcript")))
    lines = [line for line in page.evaluate(SEEN).splitlines() if line.strip() not in OWN]
    assert not [line for line in lines if set(re.findall("[A-Za-z]{2,}", line)) - NAMES - KEYS - said]
    _is_in_nobodys_way(page, language)
    if then:
        page.emulate_media(color_scheme="light")
        page.wait_for_function("!document.body.classList.contains('dark')")
        page.click(f".cm-languages a[data-language={then}]")
        page.wait_for_selector("#cm-why-card >> text=the score is")
        page.wait_for_selector("#cm-save-html:enabled")  # the last of what is told anew
        _is_in_nobodys_way(page, then)
        _shoot(page, then)


def _is_in_nobodys_way(page: Any, language: str) -> None:
    unfold(page)
    assert not serious(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert language.startswith(page.evaluate("document.documentElement.lang"))


def _shoot(page: Any, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def test_nothing_is_in_the_way_at_any_moment(visit: Any, address: str, tmp_path: Path) -> None:
    """A light phone: the page as it opens, the stages under way, a finished comparison, and several clips' table."""
    page = visit(address, 390, 844)
    page.wait_for_selector("#cm-video video")
    assert not serious(page)
    upload(page, make_clip(tmp_path / "long.mp4", 12.0))
    page.click("#cm-analyse")
    page.wait_for_selector(".cm-stages")
    assert not serious(page)
    page.wait_for_selector("#cm-why-card p", state="attached")
    page.click("#cm-compare")
    page.wait_for_selector("#cm-compared-answer table", state="attached")
    page.click("#cm-several > button")
    clips = [make_clip(tmp_path / name, 1.5) for name in ("one.mp4", "two.mp4")]
    page.set_input_files("#cm-several-files input[type=file]", [str(clip) for clip in clips])
    page.wait_for_selector("#cm-several-files >> text=two")
    # Gradio has a button in a button there.
    page.wait_for_selector("#cm-several-files .icon-button[role=group]")
    page.click("#cm-several-analyse")
    page.wait_for_selector("#cm-several-table >> text=two.mp4 >> visible=true")
    page.wait_for_selector("#cm-several-stop", state="hidden")
    assert not serious(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    _shoot(page, "phone-light-all")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_in_the_way_in_a_saved_report(
    visit: Any,
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(with_intervals(make_analysis(60)), "clip", answered(60)), encoding="utf-8")
    page = visit(width=width, scheme=scheme)
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 6")
    unfold(page)
    assert not serious(page)
    named = page.eval_on_selector_all(".wide", "all => all.map(picture => picture.ariaLabel)")
    assert len(set(named)) == len(page.query_selector_all(".js-plotly-plot"))
