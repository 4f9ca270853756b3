"""A stretch of the time line: every picture of the report shows it, more words get room, and faces stay in place."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.analysis import Analysis, TimedWord
from app.portraits import Portrait
from app.report import render_report
from app.telling.numbers import clock, signed
from app.telling.tables import share_table
from app.telling.wording import typical_shares
from tests.app.browser.visit import DRIVES_A_BROWSER, chromium
from tests.app.made import make_analysis, with_words
from tests.app.test_report import answered

PLOT = "document.querySelector('#cm-timeline .js-plotly-plot')"
WORDS = f"{PLOT}.data.find(t => t.meta === 'words')"
TICKS = 3000  # ten minutes
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="

pytestmark = DRIVES_A_BROWSER


def look_at(page: Any, start: float, end: float) -> None:
    page.evaluate(f"window.Plotly.relayout({PLOT}, {{'xaxis.range': [{start}, {end}]}})")


def ranges(page: Any) -> list[list[float]]:
    found: list[list[float]] = page.eval_on_selector_all(
        ".cm-follows .js-plotly-plot", "all => all.map(p => p._fullLayout.xaxis.range.map(Number))"
    )
    return found


@pytest.mark.slow
def test_a_stretch_of_the_time_line_is_shown_by_all(tmp_path: Path) -> None:
    words = [TimedWord("honestly", 0.5 * i, 0.5 * i + 0.4) for i in range(TICKS * 2 // 5)]
    analysis = with_words(make_analysis(TICKS), *words)
    faces = [Portrait(float(at), 0.5, DOT) for at in (5, 75, 300)]
    path = tmp_path / "report.html"
    path.write_text(render_report(analysis, "clip", answered(TICKS), faces), encoding="utf-8")
    with chromium() as browser:
        page, faults = browser.new_page(viewport={"width": 1280, "height": 900}), []
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 6")
        page.wait_for_function("document.querySelectorAll('.cm-face:not([hidden])').length == 3")
        page.wait_for_timeout(400)
        own, whole = ranges(page), page.evaluate(f"{WORDS}.x")
        assert len([x for x in whole if 60 <= x <= 90]) < 20
        look_at(page, 60, 90)
        page.wait_for_function(f"{WORDS}.x.length > 40 && {WORDS}.x.every(x => x > 59 && x < 91)")
        of_all = [range_ for range_ in own if range_[1] > 500]
        assert len(of_all) == 3  # coupling, and twice without a modality
        page.wait_for_function(
            "count => [...document.querySelectorAll('.cm-follows .js-plotly-plot')]"
            ".filter(p => p._fullLayout.xaxis.range.map(Number).join() === '60,90').length === count",
            arg=len(of_all),
        )
        # A moment at the clip's beginning has nothing in this stretch, and shows what it showed.
        assert [range_ for range_ in ranges(page) if range_ != [60, 90]] == [
            range_ for range_ in own if range_[1] < 500
        ]
        boxes = page.eval_on_selector_all(
            "#cm-timeline .textpoint text",
            "all => all.map(t => t.getBoundingClientRect()).map(b => [b.left, b.right, b.top, b.bottom])",
        )
        for i, (left, right, top, bottom) in enumerate(boxes):
            for other in boxes[:i]:
                apart = left >= other[1] or right <= other[0] or top >= other[3] - 4 or bottom <= other[2] + 4
                assert apart
        _shares_are_of(page, analysis, 60, 90)
        _a_stretch_chosen_in_another_picture_is_shown_by_all(page)
        face = page.locator(".cm-face:not([hidden])")
        assert face.count() == 1
        box, plot = face.bounding_box(), page.locator("#cm-timeline .js-plotly-plot").bounding_box()
        offset, length = page.evaluate(
            f"[{PLOT}._fullLayout.xaxis._offset, {PLOT}._fullLayout.xaxis._length]"
        )
        assert box["x"] + box["width"] / 2 == pytest.approx(plot["x"] + offset + length / 2, abs=2)
        look_at(page, 0, TICKS * 0.2)
        page.wait_for_function(f"{WORDS}.x.length == {len(whole)}")
        page.wait_for_function("document.querySelectorAll('.cm-face:not([hidden])').length == 3")
        assert np.allclose(ranges(page), own)
        _shares_are_of(page, analysis, 0, TICKS * 0.2)
    assert not faults


def _a_stretch_chosen_in_another_picture_is_shown_by_all(page: Any) -> None:
    """And all of it, as a double click there does; afterwards it is 60 to 90 s as before."""
    place = page.locator(".cm-follows .js-plotly-plot .nsewdrag").last
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 30, steps=5)
    page.mouse.up()
    main = f"{PLOT}._fullLayout.xaxis.range.map(end => Math.round(Number(end))).join()"
    page.wait_for_function(f"{main} === '75,84'")
    last = "[...document.querySelectorAll('.cm-follows .js-plotly-plot')].pop()"
    page.evaluate(f"window.Plotly.relayout({last}, {{ 'xaxis.range': [0, 600] }})")
    page.wait_for_function(f"{main} === '0,600'")
    look_at(page, 60, 90)
    page.wait_for_function(f"{WORDS}.x.length > 40 && {WORDS}.x.every(x => x > 59 && x < 91)")


MARKS = "all => all.map(p => [...p.querySelectorAll('.xtick text')].map(text => text.textContent))"


def test_time_is_told_by_the_clock_however_close_one_looks(tmp_path: Path) -> None:
    analysis, path = make_analysis(TICKS), tmp_path / "report.html"
    path.write_text(render_report(analysis, "clip", answered(TICKS)), encoding="utf-8")
    with chromium() as browser:
        page, faults = browser.new_page(viewport={"width": 1280, "height": 900}), []
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 6")
        for start, end, first in (
            (0, 600, ["0:00", "1:00", "2:00"]),
            (180, 420, ["3:00", "3:20", "3:40"]),
            (63, 75, ["1:03", "1:04", "1:05"]),
            (60, 61, ["1:00", "1:00.1", "1:00.2"]),
        ):
            look_at(page, start, end)
            page.wait_for_function(
                f"first => ({MARKS})([{PLOT}])[0].slice(0, 3).join() === first", arg=",".join(first)
            )
            # Of this stretch alone: whatever is shown next, plotly has no hundreds of labels to write first.
            page.wait_for_function(f"{PLOT}.layout.xaxis.tickvals?.every(at => at >= {start} && at <= {end})")
        page.wait_for_timeout(500)
        for marks in page.eval_on_selector_all(".js-plotly-plot", MARKS):
            assert marks
            assert all(re.fullmatch(r"\d+:\d\d(\.\d)?", text) for text in marks)
        page.hover("#cm-timeline .nsewdrag >> nth=0", position={"x": 300, "y": 60})
        page.wait_for_selector("#cm-timeline .hoverlayer .legendtitletext", state="attached")
        told = page.text_content("#cm-timeline .hoverlayer .legendtitletext")
        assert re.fullmatch(r"1:00\.[13579]", told)
        # What the scripts read stays seconds.
        assert page.evaluate(f"{PLOT}._fullLayout.xaxis.range") == [60, 61]
    assert not faults


def _shares_are_of(page: Any, analysis: Analysis, start: float, end: float) -> None:
    """Both tables of the coupling are made of the ticks of the stretch, as the server would make them."""
    ticks = slice(round(5 * start), round(5 * end))
    share = {t: {s: line[ticks] for s, line in row.items()} for t, row in analysis.dynamics.share.items()}
    part: Any = SimpleNamespace(
        ticks=SimpleNamespace(start=analysis.ticks.start[ticks]), dynamics=SimpleNamespace(share=share)
    )
    rows = share_table(part)[1]
    page.wait_for_function(
        "last => [...document.querySelectorAll('.cm-shares .cm-scroll tr:last-child td')]"
        ".map(cell => cell.textContent).join() === last",
        arg=",".join(rows[-1]),
    )
    read = "cells => cells.map(c => c.textContent)"
    shares = [share for row in typical_shares(part).values() for share in row.values()]
    typical = [f"{signed(100 * share, 0).removeprefix('+')} %" for share in shares]
    assert page.eval_on_selector_all(".cm-shares .cm-cell", read) == typical
    assert page.eval_on_selector_all(".cm-shares .cm-scroll td", read) == [
        cell for row in rows for cell in row
    ]
    hints = page.eval_on_selector_all(".cm-shares .cm-cell", "cells => cells.map(c => c.title)")
    assert hints[1] == f"{typical[1]} of the words’ output comes from the voice"
    whole = end - start > analysis.end - 0.01
    told = f"Of the window {clock(start)} to {clock(end)}:"
    assert page.is_visible(".cm-shares [data-window]") != whole
    assert page.text_content(".cm-shares [data-window]") == ("" if whole else told)
