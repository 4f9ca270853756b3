"""The page in a real browser: a clip is uploaded, analysed and drawn, in light, in the dark and on a phone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.analysis import Analysis
from app.batch import Row, write_table
from app.batch.rows import row_of
from tests.app.made import make_analysis
from tests.clips import make_clip

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "screenshots"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
LINES = "#cm-timeline .js-plotly-plot .cartesianlayer path.js-line"
PATIENCE = 180_000  # ms; the first analysis also loads every model, on whatever machine this is

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (set CHROMIUM to its path)"),
]


class Address(str):
    """Where a server of the tests answers, and how much its processor works."""

    process: psutil.Process

    def worked(self) -> float:
        """Seconds of the processor that the server has used, all its threads together."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def work_until_quiet(self) -> float:
        """Wait until it does next to nothing; gives what it had `worked` then."""
        end, last = time.monotonic() + PATIENCE / 1000, -1.0
        while time.monotonic() < end:
            now = self.worked()
            if now - last < 0.1:
                return now
            last = now
            time.sleep(1)
        pytest.fail("the server is still at work")


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    """A server of its own, as `make app` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {"GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1"}
    log = ROOT / "build" / "server.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as out:
        server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env, stdout=out, stderr=out)
        try:
            url = Address(f"http://127.0.0.1:{port}")
            url.process = psutil.Process(server.pid)
            _wait_for(url, server, log)
            yield url
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the server did not answer in a minute: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of a size and colour scheme; the test fails on any error in the browser's log or outside request."""
    width, height, scheme = getattr(request, "param", (1280, 900, "light"))
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    opened, faults = context.new_page(), []
    opened.set_default_timeout(PATIENCE)
    opened.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    opened.on("console", lambda m: faults.append(f"console: {m.text}") if m.type == "error" else None)
    opened.on("request", lambda r: faults.append(f"outside: {r.url}") if _outside(r.url, address) else None)
    opened.goto(address)
    yield opened
    context.close()
    assert not faults


def _outside(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("127.0.0.1", "localhost"), "data:", "blob:"))


def _upload(page: Any, clip: Path) -> None:
    page.wait_for_selector("#cm-video video")  # the sample is there already
    page.click("#cm-video [aria-label='Clear']")
    page.set_input_files("#cm-video input[type=file]", str(clip))
    page.wait_for_selector(f"#cm-video video[src*='{clip.stem}']")


def _analyse(page: Any) -> None:
    page.click("#cm-analyse")
    page.wait_for_selector(".cm-stages li.done")
    page.wait_for_selector(LINES, state="attached")
    page.wait_for_selector("#cm-coupling .js-plotly-plot .scatterlayer path.js-fill", state="attached")
    page.wait_for_selector(".cm-transcript")
    page.wait_for_timeout(600)


def _drawn(page: Any) -> dict[str, float]:
    """{stroke colour: pixels that the widest line of that colour spans} in the time line."""
    found: list[tuple[str, float]] = page.eval_on_selector_all(
        LINES, "paths => paths.map(p => [getComputedStyle(p).stroke, p.getBBox().width])"
    )
    return {colour: max(w for c, w in found if c == colour) for colour, _ in found}


def test_news_of_a_video_that_comes_late_does_not_stop_its_analysis(page: Any, tmp_path: Path) -> None:
    change = page.evaluate(
        """() => {
            const video = gradio_config.components.find(c => c.props.elem_id === 'cm-video').id
            const told = t => t[0] === video && t[1] === 'change'
            return gradio_config.dependencies.filter(d => d.targets.some(told)).map(d => d.id)
        }"""
    )
    held: list[Any] = []

    def pass_on(route: Any) -> None:
        if route.request.post_data_json["fn_index"] in change:
            held.append(route)
        else:
            route.continue_()

    page.wait_for_selector("#cm-video video")
    with page.expect_response("**/queue/join**"):  # that the sample is gone comes in time
        page.click("#cm-video [aria-label='Clear']")
    page.wait_for_timeout(1000)
    page.route("**/queue/join**", pass_on)
    page.set_input_files("#cm-video input[type=file]", str(make_clip(tmp_path / "late.mp4", 3.0)))
    page.wait_for_selector("#cm-video video[src*='late']")
    page.click("#cm-analyse")
    page.wait_for_selector(".cm-stages")
    assert held
    for route in held:
        route.continue_()
    page.unroute("**/queue/join**")
    page.wait_for_selector(LINES, state="attached")


def test_an_uploaded_clip_is_analysed_and_drawn(page: Any, tmp_path: Path) -> None:
    _upload(page, make_clip(tmp_path / "talking.mp4", 6.0, size=(640, 480)))
    _analyse(page)
    lines = _drawn(page)
    for colour in ("rgb(29, 36, 48)", "rgb(59, 111, 212)", "rgb(217, 138, 0)", "rgb(18, 144, 127)"):
        assert lines[colour] > 400
    assert "times" in page.inner_text(".cm-transcript").lower()
    assert page.is_visible("text=all together")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "light.png", full_page=True)
    with page.expect_download() as download:
        page.click("#cm-save-json")
    saved = Analysis.from_json(download.value.path().read_text(encoding="utf-8"))
    assert download.value.suggested_filename == "talking.json"
    assert saved.sentiment.clip.label in page.inner_text(".cm-score")
    with page.expect_download() as download:
        page.click("#cm-save-html")
    assert "Plotly.newPlot(" in download.value.path().read_text(encoding="utf-8")


def test_several_clips_give_a_table_and_each_row_opens(page: Any, tmp_path: Path) -> None:
    page.wait_for_selector("#cm-video video")
    clips = [make_clip(tmp_path / "short.mp4", 1.0, sound=None), tmp_path / "text.mp4"]
    clips[1].write_text("no video")
    page.click("#cm-several > button")
    page.set_input_files("#cm-several-files input[type=file]", [str(clip) for clip in clips])
    page.wait_for_selector("#cm-several-files >> text=short")
    page.click("#cm-several-analyse")
    page.wait_for_selector("#cm-several-table >> text=cannot be read as a video >> visible=true")
    page.click("#cm-several-table >> text=short.mp4 >> visible=true")
    page.click("#cm-several-open")
    page.wait_for_selector(LINES, state="attached")
    page.wait_for_selector("#cm-video video[src*='short']")
    page.wait_for_timeout(600)  # the change of the video must not take the result away again
    assert page.is_visible("#cm-timeline")
    assert "Nothing analysed yet" not in page.inner_text("#cm-result")
    for kind, holds in {
        "csv": "time,said,score",
        "vtt": "WEBVTT",
        "eaf": "TIME_ORDER",
        "json": "coupled-mamba/",
    }.items():
        with page.expect_download() as download:
            page.click(f"#cm-save-{kind}")
        assert download.value.suggested_filename == f"short.{kind}"
        assert holds in download.value.path().read_text(encoding="utf-8")
    page.screenshot(path=SHOTS / "several.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_table_of_a_batch_sorts_itself_with_what_is_missing_last(browser: Any, tmp_path: Path) -> None:
    rows = [
        row_of(make_analysis(20, seed=n), f"clip {n}.mp4", "k", "clips/k.json", "clips/k.html")
        for n in (2, 10)
    ]
    rows.append(Row("bad.mp4", "failed", "It is empty."))
    (tmp_path / "index.html").write_text(write_table(rows)["index.html"], encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())

    def order() -> list[str]:
        names: list[str] = page.eval_on_selector_all("tbody th", "cells => cells.map(c => c.innerText)")
        return names

    page.click("thead button:text-is('clip')")
    assert order() == ["bad.mp4", "clip 2.mp4", "clip 10.mp4"]  # numbers within names count as numbers
    page.click("thead button:text-is('clip')")
    assert order() == ["clip 10.mp4", "clip 2.mp4", "bad.mp4"]
    page.click("thead button:text-is('score')")
    assert order()[-1] == "bad.mp4"
    assert page.get_attribute("thead th:nth-child(3)", "aria-sort") == "ascending"
    page.close()


def _now(page: Any) -> float:
    return float(page.evaluate("document.querySelector('#cm-video video').currentTime"))


def test_a_click_an_arrow_and_a_word_seek_the_video_and_the_playhead_follows(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    _analyse(page)
    requests: list[str] = []
    page.on("request", lambda r: requests.append(r.url) if _asks(r) else None)
    plot = page.locator("#cm-timeline .js-plotly-plot")
    plot.scroll_into_view_if_needed()
    why = page.inner_text("#cm-why-card p")
    box = plot.bounding_box()
    axis = plot.evaluate("p => { const a = p._fullLayout.xaxis; return [a._offset, a._length, a.range[1]] }")
    page.mouse.move(box["x"] + axis[0] + axis[1] / 2 - 5, box["y"] + 100)
    page.mouse.click(box["x"] + axis[0] + axis[1] / 2, box["y"] + 100)
    page.wait_for_timeout(300)
    assert abs(_now(page) - axis[2] / 2) < 0.2
    _changes(page, "#cm-why-card p", why)
    assert len([url for url in requests if "/queue/join" in url]) == 1  # a click asks why
    page.wait_for_timeout(500)
    requests.clear()
    before = _now(page)
    plot.focus()
    page.keyboard.press("ArrowRight")
    assert abs(_now(page) - before - 0.2) < 0.05
    page.wait_for_timeout(100)
    line = page.locator("#cm-timeline .cm-playhead").bounding_box()
    expected = box["x"] + axis[0] + axis[1] * _now(page) / axis[2]
    assert abs(line["x"] + line["width"] / 2 - expected) < 2
    face = page.locator("button.cm-face").nth(1)
    assert face.get_by_role("img").get_attribute("alt").startswith("The face at 0:")
    face.click()
    assert abs(_now(page) - float(face.get_attribute("data-start"))) < 0.05
    word = page.locator(".cm-word").nth(3)
    word.click()
    page.wait_for_function("!document.querySelector('#cm-video video').paused")  # "click a word to hear it"
    assert 0 <= _now(page) - float(word.get_attribute("data-start")) < 1
    _stays_quiet_while_playing(page, requests)


def _asks(request: Any) -> bool:
    """Whether the request is more than the video's own bytes, or the sign that the page is open."""
    return request.resource_type != "media" and "/heartbeat" not in request.url


def _stays_quiet_while_playing(page: Any, requests: list[str]) -> None:
    """For seconds nothing is asked of the server, and all the while playhead and states' points move."""
    page.evaluate(
        "() => { const v = document.querySelector('#cm-video video');"
        " [v.muted, v.currentTime] = [true, 2]; return v.play() }"
    )
    seen = []
    for _ in range(4):
        page.wait_for_timeout(800)
        line = page.locator("#cm-timeline .cm-playhead").bounding_box()
        seen.append((_now(page), line["x"], page.evaluate("document.querySelector('#cm-space').toDataURL()")))
    for before, after in pairwise(seen):
        assert after[0] > before[0]
        assert after[1] > before[1]
        assert after[2] != before[2]
    assert seen[-1][0] - seen[0][0] > 1  # it did play
    assert not requests


def _changes(page: Any, selector: str, before: str) -> None:
    page.wait_for_function(
        "([s, b]) => document.querySelector(s).innerText != b", arg=[selector, before], timeout=20_000
    )


def test_the_keyboard_asks_why_and_a_modality_is_switched_off(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    _analyse(page)
    why, without = (page.inner_text(f"{card} p") for card in ("#cm-why-card", "#cm-switched-card"))
    plot = page.locator("#cm-timeline .js-plotly-plot")
    plot.focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    _changes(page, "#cm-why-card p", why)
    assert "At 0:02.0 the score is" in page.inner_text("#cm-why-card p")
    assert "With words and face" in without
    page.click("#cm-kept label:has-text('words')")
    _changes(page, "#cm-switched-card p", without)
    assert "With face alone" in page.inner_text("#cm-switched-card p")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    offset, length = plot.evaluate("p => [p._fullLayout.xaxis._offset, p._fullLayout.xaxis._length]")
    page.mouse.move(box["x"] + offset + 0.25 * length, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + offset + 0.5 * length, box["y"] + 150, steps=5)
    page.mouse.up()
    page.wait_for_selector("#cm-shares >> text=Of the window 0:06")  # a quarter of 24 s
    shown = "document.querySelector('{} .js-plotly-plot')._fullLayout.xaxis.range.map(Number).join()"
    main, switched = shown.format("#cm-timeline"), shown.format("#cm-switched")
    page.wait_for_function(f"{main} === {switched}")
    window = page.evaluate(main)
    page.click("#cm-tone label")  # one band more, the same stretch
    page.wait_for_selector("#cm-timeline text:has-text('pitch')", state="attached")
    assert page.evaluate(main) == window
    # Another language, and yet another while the answers are told in the first: all ends in the last, and as it was.
    for language in ("ja", "zh"):
        page.click(f".cm-languages a[data-language={language}]")
        page.wait_for_timeout(300)
    told = {
        "#cm-why-card": "在 0:02.0，分数为",
        "#cm-switched-card": "若输入为仅面部，整段视频会是",
        "#cm-shares": "的窗口：",
    }
    for _ in range(2):
        for card, said in told.items():
            page.wait_for_selector(f"{card} >> text={said}")
        page.wait_for_timeout(3000)  # whatever comes late
    page.wait_for_selector("#cm-timeline text:has-text('语言的')", state="attached")
    page.wait_for_function(f"{main} === '{window}'")
    kept = "() => [...document.querySelectorAll('#cm-kept input')].map((box) => box.checked)"
    assert page.evaluate(kept) == [False, False, True]


def test_a_corrected_word_changes_the_words_and_nothing_else(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    _analyse(page)
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
    after = page.evaluate(read)
    assert {name for name in before if before[name] != after[name]} == {"words alone"}


def test_results_leave_with_their_video(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    _analyse(page)
    page.click("#cm-video [aria-label='Clear']")
    page.wait_for_selector("#cm-timeline", state="hidden", timeout=5000)
    assert "Nothing analysed yet" in page.inner_text("#cm-result")


def test_another_target_changes_the_shares_alone(page: Any) -> None:
    page.wait_for_selector("#cm-video video")
    _analyse(page)
    plot = "document.querySelector('#cm-timeline .js-plotly-plot')"
    read = f"() => JSON.stringify({plot}.data.map(t => [t.name, t.customdata]))"
    before = json.loads(page.evaluate(read))
    page.click("#cm-target label:has-text('face')")
    page.wait_for_selector("#cm-timeline text:has-text('the face’s')", state="attached")
    after = json.loads(page.evaluate(read))
    assert {n for n, _ in before} >= {"from words", "from voice", "from face"}
    # The shares may take another number of traces (those below zero are drawn apart), so all are told by name.
    shares, others = (
        [
            [trace for trace in data if (trace[0] or "from").startswith("from") == of_shares]
            for data in (before, after)
        ]
        for of_shares in (True, False)
    )
    assert shares[0] != shares[1]
    assert others[0] == others[1]
    assert others[0]


@pytest.mark.parametrize(
    "page", [(1280, 900, "dark"), (390, 844, "light")], indirect=True, ids=["dark", "phone"]
)
def test_in_the_dark_and_on_a_phone(page: Any, request: pytest.FixtureRequest) -> None:
    page.wait_for_selector("#cm-video video")
    _analyse(page)
    name = request.node.callspec.id
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ink = "rgb(238, 241, 246)" if name == "dark" else "rgb(29, 36, 48)"
    assert _drawn(page)[ink] > 400


def test_bad_input_is_a_sentence_on_the_page(page: Any, tmp_path: Path) -> None:
    page.wait_for_selector("#cm-video video")
    clip = make_clip(tmp_path / "nothing.mp4", 1.0, video="plain", sound="silence")
    _upload(page, clip)
    page.click("#cm-analyse")
    page.wait_for_selector(".cm-message:has-text('There is nothing to analyse')")
    assert "Traceback" not in page.content()
    assert page.is_enabled("#cm-analyse")


@pytest.mark.parametrize("button", ["cancel", "delete"])
def test_cancel_and_delete_end_the_work_and_give_the_page_back(
    page: Any, address: Address, button: str
) -> None:
    page.wait_for_selector("#cm-video video")
    address.work_until_quiet()  # the models are loaded behind the page
    page.click("#cm-analyse")
    page.wait_for_selector(".cm-stages li.now")
    before = address.worked()
    page.click(f"#cm-{button}")
    told = "The analysis was cancelled" if button == "cancel" else "Nothing analysed yet"
    page.wait_for_selector(f"#cm-result :text('{told}')", timeout=20_000)
    # Of the processor, all threads together: by the clock a busy machine would decide.
    assert address.work_until_quiet() - before < 2
    page.wait_for_timeout(500)
    assert page.is_enabled("#cm-analyse")
    assert page.is_hidden("#cm-cancel")
    assert page.is_hidden("#cm-timeline")
    assert told in page.inner_text("#cm-result")
    if button == "delete":
        page.wait_for_selector("#cm-video video", state="detached")
        page.click("#cm-sample")  # and the page, which the server has forgotten, works on
        page.wait_for_selector("#cm-video video")
        page.click("#cm-analyse")
        page.wait_for_selector(".cm-stages li.now")
        assert not page.locator(".toast-body:has-text('no longer')").count()
