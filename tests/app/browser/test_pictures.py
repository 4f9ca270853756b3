"""In a real browser, without a server: pictures under fingers, the keys after a click, and the clock they follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.page import ASSETS
from app.panels.timeline import window_buttons
from app.report import render_report
from tests.app.browser.visit import DRIVES_A_BROWSER
from tests.app.made import make_analysis

pytestmark = DRIVES_A_BROWSER
TICKS = 120  # 24 s
PLOT = "document.querySelector('#cm-timeline .js-plotly-plot')"
# A video whose time is set by hand, before the page's own scripts; its places are called as on the page.
FILM = """
<div id="cm-video"><video src="data:,"></video></div>
<script>
  const film = document.querySelector("video"), shown = { currentTime: 0, paused: true, duration: 24 };
  for (const name of Object.keys(shown)) {
    Object.defineProperty(film, name, { get: () => shown[name], set: (value) => { shown[name] = value; } });
  }
  document.querySelectorAll(".wide").forEach((place) => place.classList.add("cm-wide"));
</script>
"""
STYLE = (
    "<style>.js-plotly-plot { position: relative }"
    " .cm-playhead { position: absolute; top: 0; left: 0; width: 1px; height: 9px }</style>"
)
COUNT = """
async (ms) => {
  const seen = { ours: 0, all: 0 };
  const count = () => { seen.ours += 1; };
  let on = true;
  const each = () => { seen.all += 1; if (on) requestAnimationFrame(each); };
  document.addEventListener("cm-frame", count);
  requestAnimationFrame(each);
  await new Promise((done) => setTimeout(done, ms));
  on = false;
  document.removeEventListener("cm-frame", count);
  return seen;
}
"""
Opened = Callable[..., Any]


def _script(name: str) -> str:
    return f"<script>({(ASSETS / name).read_text(encoding='utf-8').strip()})();</script>"


@pytest.fixture(scope="module")
def saved() -> str:
    return render_report(make_analysis(TICKS))


@pytest.fixture
def opened(browser: Any, saved: str, tmp_path: Path) -> Iterator[Opened]:
    """Opens a saved report, with a film and what follows it where one is wanted; on a phone or not."""
    contexts: list[Any] = []
    faults: list[str] = []

    def open_(film: bool = False, phone: bool = False) -> Any:
        text = saved
        if film:
            more = FILM + STYLE + window_buttons("en") + _script("playhead.js") + _script("sideways.js")
            text = text.replace("</body>", f"{more}</body>")
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        contexts.append(browser.new_context(viewport=size, has_touch=phone, is_mobile=phone))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 3")
        page.evaluate(f"{PLOT}.scrollIntoView({{ block: 'center' }})")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not faults


def _point(page: Any) -> tuple[float, float]:
    """Of the time line, among its lines."""
    left, top = page.evaluate(
        f"(() => {{ const b = {PLOT}.getBoundingClientRect(); return [b.left, b.top] }})()"
    )
    return left + 200, top + 100


def _swipe(page: Any, x: float, y: float, way: int) -> None:
    """A finger is put down, moved upwards and taken away."""
    log = page.context.new_cdp_session(page)
    for kind, up in (("touchStart", 0), *(("touchMove", far) for far in range(20, way, 20)), ("touchEnd", 0)):
        points = [] if kind == "touchEnd" else [{"x": x, "y": y - up}]
        log.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(20)


def _range(page: Any) -> list[float]:
    ends: list[float] = page.evaluate(f"{PLOT}._fullLayout.xaxis.range.map(Number)")
    return ends


def test_a_finger_scrolls_the_page_over_a_picture(opened: Opened) -> None:
    page = opened(film=True, phone=True)
    page.wait_for_selector("#cm-timeline .cm-playhead", state="attached")
    x, y = _point(page)
    before, window = page.evaluate("scrollY"), _range(page)
    _swipe(page, x, y + 200, 250)
    page.wait_for_function(f"scrollY > {before + 150}")
    page.wait_for_timeout(500)
    assert _range(page) == window
    assert page.evaluate("shown.currentTime") == 0  # it was no click


def test_a_tap_seeks_and_chooses_no_window(opened: Opened) -> None:
    page = opened(film=True, phone=True)
    page.wait_for_selector("#cm-timeline .cm-playhead", state="attached")
    x, y = _point(page)
    page.evaluate(f"{PLOT}.on('plotly_click', () => {{ window.clicks = (window.clicks ?? 0) + 1 }})")
    window = _range(page)
    page.touchscreen.tap(x, y)
    page.wait_for_function("document.querySelector('video').currentTime > 1")
    page.wait_for_timeout(500)
    assert page.evaluate("window.clicks") == 1
    assert _range(page) == window


def test_a_window_is_chosen_by_a_finger(opened: Opened) -> None:
    page = opened(film=True, phone=True)
    page.wait_for_selector("#cm-timeline .cm-playhead", state="attached")
    page.evaluate("shown.currentTime = 8")

    def choose(key: str) -> list[float]:
        page.tap(f"#cm-window [data-key='{key}']")
        return _range(page)

    assert choose("+") == [2, 14]
    assert choose("[") == [8, 14]
    page.evaluate("shown.currentTime = 12")
    assert choose("]") == [8, 12]
    assert choose("Escape") == [0, 24]
    hints = page.locator(".cm-title:has-text('Time line') .cm-hint:visible").all_inner_texts()
    assert hints == ["tap it to read what it shows there"]


def test_the_keys_work_once_a_picture_was_clicked(opened: Opened) -> None:
    page = opened(film=True)
    page.wait_for_selector("#cm-timeline .cm-playhead", state="attached")
    page.mouse.click(*_point(page))
    page.wait_for_function("document.querySelector('video').currentTime > 1")
    before = page.evaluate("document.querySelector('video').currentTime")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(
        before + 0.2, abs=0.01
    )


def test_one_click_asks_once_and_other_buttons_of_the_mouse_ask_nothing(opened: Opened) -> None:
    page = opened(film=True)
    page.wait_for_selector("#cm-timeline .cm-playhead", state="attached")
    page.evaluate(
        "() => { const asks = document.createElement('button'); asks.id = 'cm-explain'; window.asked = 0;"
        " asks.onclick = () => { asked += 1 }; document.body.append(asks) }"
    )
    for button in ("right", "middle"):
        page.mouse.click(*_point(page), button=button)
    page.wait_for_timeout(400)
    assert page.evaluate("[asked, shown.currentTime]") == [0, 0]
    page.mouse.dblclick(*_point(page))
    page.wait_for_timeout(400)
    assert page.evaluate("asked") == 1
    assert page.evaluate("shown.currentTime") > 1


def test_the_keys_of_a_slider_move_the_video_and_the_browsers_own_are_left_to_it(opened: Opened) -> None:
    page = opened(film=True)
    page.wait_for_selector("#cm-timeline .cm-playhead", state="attached")
    page.evaluate(f"shown.currentTime = 9; Plotly.relayout({PLOT}, {{ 'xaxis.range': [8, 18] }})")
    page.evaluate(
        "addEventListener('keydown', (e) => { window.kept = e.defaultPrevented; e.preventDefault() })"
    )
    page.focus("#cm-timeline .js-plotly-plot")

    def press(key: str) -> tuple[float, bool]:
        page.keyboard.press(key)
        return round(page.evaluate("shown.currentTime"), 3), page.evaluate("kept")

    assert [press(key) for key in ("End", "PageDown", "Home", "PageUp")] == [
        *((18, True), (17, True), (8, True), (9, True))
    ]
    assert [press(f"{held}+ArrowLeft") for held in ("Alt", "Control", "Meta")] == [(9, False)] * 3
    assert press("Shift+ArrowLeft") == (8, True)


def test_while_it_plays_the_playhead_stays_in_view_unless_somebody_scrolls_away(opened: Opened) -> None:
    page = opened(film=True, phone=True)
    page.wait_for_selector("#cm-timeline .cm-playhead", state="attached")
    place = "document.querySelector('.cm-wide:has(#cm-timeline)')"
    seen = (
        f"(() => {{ const b = {PLOT}.querySelector('.cm-playhead').getBoundingClientRect(),"
        f" w = {place}.getBoundingClientRect(); return b.left >= w.left && b.right <= w.right }})()"
    )
    page.evaluate("shown.currentTime = 20")
    page.wait_for_timeout(600)
    assert page.evaluate(f"{place}.scrollLeft") == 0  # it stands still, and so does what is looked at
    page.evaluate("shown.paused = false")
    page.wait_for_function(f"{place}.scrollLeft > 100 && {seen}")
    page.evaluate(f"{place}.scrollLeft = 0")
    for _ in range(5):
        page.wait_for_timeout(100)
        page.evaluate("shown.currentTime += 0.1")
    assert page.evaluate(f"{place}.scrollLeft") == 0
    page.evaluate("shown.currentTime = 18")  # a word was clicked
    page.wait_for_function(f"{place}.scrollLeft > 100 && {seen}")


def test_what_follows_the_video_rests_while_nothing_moves(opened: Opened) -> None:
    page = opened(film=True)
    page.wait_for_timeout(6000)
    resting = page.evaluate(COUNT, 2000)
    assert 4 <= resting["ours"] <= 12
    page.evaluate("shown.paused = false; document.querySelector('video').dispatchEvent(new Event('play'))")
    playing = page.evaluate(COUNT, 2000)
    assert playing["ours"] >= playing["all"] - 3  # every frame that the screen is drawn
    page.evaluate("shown.paused = true")
    page.mouse.move(300, 300)
    page.mouse.move(310, 300)
    moved = page.evaluate(COUNT, 1000)
    assert moved["ours"] >= moved["all"] - 3
