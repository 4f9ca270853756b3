"""The saved report: it answers further questions too, is small, and works without a network in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.answered import APART, Answered, telling_moments
from app.asking import Fewer
from app.report import render_report
from app.telling.moments import Moment
from model.inference.answers import Memory, Paths
from tests.app.browser.visit import CHROMIUM, chromium
from tests.app.made import make_analysis, with_intervals
from tests.app.test_moments import make_moment

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def answered(ticks: int) -> Answered:
    """Answers of the shape that the network gives."""
    analysis = make_analysis(ticks)
    fewer = [
        Fewer(kept, analysis.sentiment.clip, (0.3,) * ticks)
        for kept in (("audio", "visual"), ("text", "visual"))
    ]
    coupling = np.array([[[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]], np.float32)
    turns = np.linspace(0, 12, ticks)
    points = np.stack([np.stack([np.sin(turns + k), np.cos(turns), turns / 12], -1) for k in range(3)], 1)
    return Answered(
        (make_moment(), make_moment(30)),
        tuple(fewer),
        Memory(coupling, np.array([[1.0, 2.0, 3.0]], np.float32), np.array([2.0], np.float32)),
        Paths(points.astype(np.float32) * 0.7, 0.8),
    )


def weight(report: str) -> int:
    """Bytes beside plotly.js itself."""
    scripts = re.findall(r"<script[^>]*>.*?</script>", report, flags=re.S)
    return len(report.encode()) - max(len(script.encode()) for script in scripts)


def test_a_report_holds_the_answers_and_half_an_hour_stays_small() -> None:
    plain, report = render_report(make_analysis(60)), render_report(make_analysis(60), "clip", answered(60))
    for told in ("Why here?", "State space", "Without one of them", "half-life", "most of it by what came"):
        assert told in report
        assert told not in plain
    assert report.count("Plotly.newPlot(") == plain.count("Plotly.newPlot(") + 4
    # Each picture stays under 3 MB (test_figures.py); the report holds seven, and their tables.
    assert weight(render_report(make_analysis(9000), "long", answered(9000))) < 5_000_000


def test_a_moment_before_anything_was_observed_is_told_and_not_drawn() -> None:
    full = answered(60)
    early = replace(full, moments=(Moment((0.0,), 0.2, 0.1, 0.1, {}), *full.moments))
    report = render_report(make_analysis(60), "clip", early)
    assert "Nothing was seen or heard by then" in report
    assert report.count("Plotly.newPlot(") == render_report(make_analysis(60), "clip", full).count(
        "Plotly.newPlot("
    )


def test_telling_moments_lie_apart_and_the_strongest_is_among_them() -> None:
    analysis = make_analysis(300)
    found = telling_moments(analysis)
    assert found == sorted(found)
    assert len(found) == 4
    assert min(np.diff(found)) >= APART
    assert analysis.ticks.start[int(np.argmax(np.abs(analysis.sentiment.ticks)))] in found
    assert telling_moments(make_analysis(1)) == [0.0]


def since(analysis: Analysis, **ticks: int) -> Analysis:
    """The analysis with modalities that are observed only from so many ticks on, or before 0 never."""
    count = len(analysis.ticks.start)
    late = {m: tuple(float(0 <= first <= i) for i in range(count)) for m, first in ticks.items()}
    return replace(analysis, presence={**analysis.presence, **late})


def test_a_modality_that_comes_late_is_not_waited_for() -> None:
    analysis = make_analysis(300)
    assert telling_moments(since(analysis, visual=250)) == telling_moments(analysis)
    assert min(telling_moments(since(analysis, visual=50))) >= 10.0  # which is early
    assert min(telling_moments(since(analysis, text=-1, audio=-1, visual=150))) >= 30.0
    assert min(telling_moments(since(analysis, visual=250), of="visual")) >= 50.0


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (set CHROMIUM to its path)")
def test_the_report_works_in_a_browser_without_a_network(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(with_intervals(make_analysis(60)), "clip", answered(60)), encoding="utf-8")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for name, width, scheme in (
            ("light", 1280, "light"),
            ("dark", 1280, "dark"),
            ("phone", 390, "light"),
        ):
            size = {"width": width, "height": 900}
            context = browser.new_context(viewport=size, color_scheme=scheme, has_touch=name == "phone")
            context.set_offline(True)
            page, faults = context.new_page(), []
            page.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
            page.on("console", lambda m, faults=faults: m.type == "error" and faults.append(m.text))
            page.goto(path.as_uri())
            page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 6")
            canvas = "document.querySelector('#cm-space').toDataURL()"
            page.wait_for_function(f"{canvas}.length > 5000")
            page.wait_for_timeout(300)
            if name == "light":
                before = page.evaluate(canvas)
                page.hover("#cm-timeline .nsewdrag >> nth=0", position={"x": 500, "y": 60})
                page.wait_for_function(f"b => {canvas} != b", arg=before)
            _explanations_are_read(page, by_finger=name == "phone")
            page.screenshot(path=SHOTS / f"report-{name}.png", full_page=True)
            if name == "light":
                assert set(page.eval_on_selector_all(".cm-word:is(.up, .down)", LINED)) == {"solid", "dotted"}
            if name == "dark":
                _is_printed_in_light_colours_and_within_the_sheet(page)
                _keeps_its_colours_among_the_systems_few(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert not faults
            context.close()


def _explanations_are_read(page: Any, by_finger: bool) -> None:
    """Below their words and within the screen, until Escape is pressed; by keys, by a mouse or by a finger."""
    hows = page.locator(".cm-how")
    assert hows.count() >= 5
    for how in hows.all():
        told = how.locator(".cm-unseen")
        assert told.bounding_box()["height"] <= 1
        how.tap() if by_finger else how.hover()
        box, words = told.bounding_box(), how.bounding_box()
        assert 0 <= box["x"] <= words["x"] + words["width"] < box["x"] + box["width"] + 80
        assert box["x"] + box["width"] <= page.viewport_size["width"]
        assert 0 <= box["y"] - words["y"] - words["height"] < 12  # the pointer can go there
        assert box["height"] > 30
        how.focus()
        page.keyboard.press("Escape")
        assert told.bounding_box()["height"] <= 1


LINED = "words => words.map(word => getComputedStyle(word).textDecorationStyle)"
PRINTED = """() => ["beforeprint", "afterprint"].forEach((event) => addEventListener(event, () => {
  const svg = document.querySelector("#cm-timeline .main-svg");
  const texts = document.querySelectorAll("#cm-timeline .textpoint text");
  const right = Math.max(...[...texts].map((text) => text.getBoundingClientRect().right));
  const box = svg.getBoundingClientRect();
  (window.printed ??= []).push([document.documentElement.className, Math.round(box.width), right <= box.right]);
}))"""


def _is_printed_in_light_colours_and_within_the_sheet(page: Any) -> None:
    """Its words too; and then all is as it was."""
    page.evaluate(PRINTED)
    before = page.evaluate("document.querySelector('#cm-timeline .main-svg').getBoundingClientRect().width")
    page.pdf(format="A4")
    assert page.evaluate("printed") == [["", 646, True], ["dark", round(before), True]]


def _keeps_its_colours_among_the_systems_few(page: Any) -> None:
    page.emulate_media(forced_colors="active")
    colours = (
        "all => all.map(mark => getComputedStyle(mark, mark.matches('b') ? '' : '::before').backgroundColor)"
    )
    for marks in (".cm-row .cm-track b", ".cm-legend >> nth=0 >> i:not(.cm-key-band)"):
        found = page.locator(marks).evaluate_all(colours)
        assert len(set(found)) == 4, marks
