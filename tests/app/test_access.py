"""In a real browser: no serious fault of access by axe-core, the keyboard alone, and no English left elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.report import render_report
from tests.app.made import make_analysis, with_intervals
from tests.app.test_browser import (
    CHROMIUM,
    SHOTS,
    _analyse,
    address,  # noqa: F401 (a fixture)
    browser,  # noqa: F401 (a fixture)
)
from tests.app.test_report import answered
from tests.clips import make_clip

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (set CHROMIUM to its path)"),
]
SERIOUS = ("serious", "critical")
FOLDED = ".cm-accordion > button, #cm-several > button, #cm-correcting > button"
NAMES = {
    "Coupled",
    "Mamba",
    "English",
    "JSON",
    "CSV",
    "ELAN",
    "API",
    "srt",
    "vtt",
    "txt",
    "faster",
    "whisper",
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


@pytest.fixture
def opened(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:  # noqa: F811
    """The page in a language, of a width and a colour scheme, with the sample analysed; faults of the browser fail."""
    language, width, scheme = request.param
    context = browser.new_context(
        locale=language, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page, faults = context.new_page(), []
    page.set_default_timeout(180_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    page.on("response", lambda r: faults.append(r.url) if "/static/ffmpeg/" in r.url else None)  # 31 MB
    page.goto(address)
    page.wait_for_selector("#cm-video video")
    _analyse(page)
    page.wait_for_selector("#cm-why-card p", state="attached")
    yield page
    context.close()
    assert not faults


def unfold(page: Any) -> None:
    for head in page.query_selector_all(FOLDED):
        head.click()
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    page.wait_for_timeout(1200)  # once a second gradio's fault is mended


def serious(page: Any) -> list[tuple[str, Any]]:
    """(rule, elements) of the serious faults that axe-core finds in the page as it is."""
    found = axe.Axe().run(page).response["violations"]
    return [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in SERIOUS]


LOOKS = [("en-US", 1280, "light"), ("zh-CN", 390, "dark"), ("ja-JP", 1280, "dark")]


@pytest.mark.parametrize(
    "opened", LOOKS, indirect=True, ids=["english", "chinese-phone-dark", "japanese-dark"]
)
def test_nothing_is_in_the_way_of_anybody(opened: Any, request: pytest.FixtureRequest) -> None:
    page, (language, _, _) = opened, request.node.callspec.params["opened"]
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{request.node.callspec.id}.png", full_page=True)
    # Before unfolding: the tables to edit and the places for files are full of gradio's own English names.
    if language != "en-US":
        said = set(re.findall("[A-Za-z]+", page.inner_text(".cm-transcript")))
        lines = [line for line in page.evaluate(SEEN).splitlines() if line.strip() not in OWN]
        known = NAMES | said | {"COUPLED", "MAMBA", "WHISPER", "Enter", "Esc"}
        left = [line for line in lines if set(re.findall("[A-Za-z]{2,}", line)) - known]
        assert not left
    unfold(page)
    assert not serious(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert language.startswith(page.evaluate("document.documentElement.lang"))


def test_nothing_is_in_the_way_at_any_moment(browser: Any, address: str, tmp_path: Path) -> None:  # noqa: F811
    """A light phone: the page as it opens, the stages under way, a finished comparison, and several clips' table."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.goto(address)
    page.wait_for_selector("#cm-video video")
    assert not serious(page)
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
    page.wait_for_selector(
        "#cm-several-files .icon-button[role=group]"
    )  # gradio has a button in a button there
    page.click("#cm-several-analyse")
    page.wait_for_selector("#cm-several-table >> text=two.mp4 >> visible=true")
    page.wait_for_selector("#cm-several-stop", state="hidden")
    assert not serious(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=SHOTS / "phone-light-all.png", full_page=True)
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_in_the_way_in_a_saved_report(
    browser: Any,  # noqa: F811
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(with_intervals(make_analysis(60)), "clip", answered(60)), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 6")
    unfold(page)
    assert not serious(page)
    named = page.eval_on_selector_all(".wide", "all => all.map(picture => picture.ariaLabel)")
    assert len(set(named)) == len(page.query_selector_all(".js-plotly-plot"))
    context.close()


SAID = (
    "() => { window.said = []; new MutationObserver((records) => records.forEach((r) => r.target.id === 'cm-status'"
    " && r.addedNodes.forEach((n) => said.push(n.textContent)))).observe(document.body,"
    " { childList: true, subtree: true }) }"
)
PICTURES = (
    "pictures => Object.fromEntries(pictures.map(p => [p.closest('[id^=cm-]').id,"
    " [p.role, p.ariaLabel, p.ariaValueText, p.ariaValueMax]]))"
)


def test_what_is_seen_is_also_said_and_what_is_pointed_at_has_keys(browser: Any, address: str) -> None:  # noqa: F811
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.goto(address)
    page.wait_for_selector("#cm-video video")
    page.evaluate(SAID)
    _analyse(page)
    page.wait_for_function("said.at(-1).startsWith('Analysed. The clip as a whole: ')")
    stages = page.evaluate("said.slice(0, -1)")
    # A line that stays, and not a list that is replaced six times a second: each sentence is another one.
    assert stages
    assert len(set(stages)) == len(stages) <= 12
    assert all(text.startswith("Analysing") for text in stages)
    page.wait_for_selector("#cm-why .js-plotly-plot[role=slider]")
    _names_tell_the_pictures_apart(page)
    _a_window_is_chosen_by_keys(page)
    _focus_stays_where_a_picture_is_drawn_again(page)
    _words_are_reached_by_keys(page)
    context.close()


def _names_tell_the_pictures_apart(page: Any) -> None:
    found = page.eval_on_selector_all(".js-plotly-plot", PICTURES)
    assert set(found) == {"cm-timeline", "cm-why", "cm-coupling", "cm-switched"}
    assert len({name for _, name, _, _ in found.values()}) == 4
    assert all((role, end) == ("slider", "24.0") for role, _, _, end in found.values())
    assert "[ and ]" in found["cm-timeline"][1]
    explains = {place for place, (_, name, _, _) in found.items() if "Enter" in name}
    assert explains == {"cm-timeline", "cm-why"}


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
    assert plot.get_attribute("aria-valuetext") == "0:11.0"
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


@pytest.mark.parametrize("opened", [("en-US", 1280, "light")], indirect=True, ids=["english"])
def test_another_language_is_chosen_and_the_keyboard_reaches_everything(opened: Any) -> None:
    page = opened
    page.click(".cm-languages a[data-language=ja]")
    page.wait_for_selector("#cm-result >> text=動画全体")
    page.wait_for_selector("#cm-timeline text:has-text('聞こえた')", state="attached")
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.inner_text("#cm-analyse") == "分析する"
    assert page.url.endswith("?lang=ja")
    page.wait_for_timeout(2000)
    page.evaluate("document.activeElement.blur()")
    reached: list[str] = []
    for _ in range(140):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(
            "(() => { const e = document.activeElement; const near = e.closest('[id^=cm-]');"
            " return e.dataset.language ?? near?.id ?? '' })()"
        ))  # fmt: skip
    wanted = {
        "en",
        "zh",
        "ja",
        "cm-video",
        "cm-analyse",
        "cm-sample",
        "cm-delete",
        "cm-save-json",
        "cm-save-html",
    }
    wanted |= {
        "cm-timeline",
        "cm-target",
        "cm-explain",
        "cm-why",
        "cm-space",
        "cm-coupling",
        "cm-kept",
        "cm-switched",
    }
    wanted |= {"cm-compare", "cm-compare-way", "cm-correcting", "cm-several"}
    assert wanted <= set(reached)
    # In the order in which the page is read, which no tabindex breaks.
    met = [name for name in dict.fromkeys(reached) if name.startswith("cm-")]
    inside = page.evaluate(
        "names => names.map(n => [...document.querySelectorAll('[id]')].findIndex(e => e.id === n))", met
    )
    assert inside == sorted(inside)
