"""In a real browser: no serious fault of access by axe-core, the keyboard alone, and no English left elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.test_browser import (
    CHROMIUM,
    SHOTS,
    _analyse,
    address,  # noqa: F401 (a fixture)
    browser,  # noqa: F401 (a fixture)
)
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
    page.wait_for_timeout(500)


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
        known = NAMES | said | {"COUPLED", "MAMBA", "WHISPER", "Enter"}
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
    page.click("#cm-several-analyse")
    page.wait_for_selector("#cm-several-table >> text=two.mp4 >> visible=true")
    page.wait_for_selector("#cm-several-stop", state="hidden")
    assert not serious(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=SHOTS / "phone-light-all.png", full_page=True)
    context.close()


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
