"""Type in the pictures reads on a light ground and on a dark one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.asking import Fewer
from app.figures import draw_coupling, draw_timeline
from app.figures.compare import draw_beside, draw_over
from app.figures.moment import draw_moment
from app.figures.style import COLOURS, GREY, INK, NEGATIVE, POSITIVE, TYPE
from app.figures.switches import draw_switched
from app.telling.differences import sides_of
from tests.app.made import make_analysis, with_intervals, with_tone
from tests.app.test_moments import make_moment

LINE = 3.0  # that of lines
REPLACED_LINES = {"#3b6fd4": "#5b8cf0"}  # in `cards.css`
LEAST = 4.5  # contrast that WCAG 2.2 (1.4.3) asks for of type under 18 pt
SHEET = (Path(__file__).parents[2] / "app" / "assets" / "cards.css").read_text(encoding="utf-8")
REPLACED = (
    r'\.dark \.js-plotly-plot (?:text)?\[style\*="fill: rgb\((\d+), (\d+), (\d+)\)"\] \{ fill: (#\w{6})'
)


def brightness(colour: str) -> float:
    """Relative luminance of "#rrggbb"."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(first: str, second: str) -> float:
    high, low = sorted((brightness(first), brightness(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def ground(scheme: str) -> str:
    """The cards' colour, on which the pictures stand."""
    start = SHEET.index(scheme)
    found = re.search(r"--cm-card: (#\w{6})", SHEET[start:])
    assert found is not None
    return found.group(1)


def in_the_dark() -> dict[str, str]:
    """What the style sheet puts in place of each colour of type."""
    return {
        "#" + "".join(f"{int(part):02x}" for part in found[:3]): found[3]
        for found in re.findall(REPLACED, SHEET)
    }


def pictures() -> Iterator[Any]:
    analysis = with_tone(with_intervals(make_analysis(60)))
    first, second = sides_of(("a", "b"), analysis, with_intervals(make_analysis(60, seed=1)))
    yield from (draw_timeline(analysis, target, tone=True) for target in TYPE)
    yield draw_coupling(analysis)
    yield draw_moment(make_moment(), analysis.transcript.words)
    yield draw_switched(analysis, Fewer(("text",), analysis.sentiment.clip, analysis.sentiment.ticks))
    yield from (draw_over(first, second), *draw_beside(first, second))


def colours_of(picture: Any) -> Iterator[str]:
    """Those of the type that plotly writes into the picture itself."""
    yield picture.layout.font.color
    yield from (note.font.color for note in picture.layout.annotations)
    for trace in picture.data:
        if "text" in (getattr(trace, "mode", None) or ""):
            yield from trace.textfont.color


@pytest.mark.parametrize("colour", [*TYPE.values(), INK, GREY, POSITIVE, NEGATIVE])
def test_type_reads_on_light_and_dark(colour: str) -> None:
    assert contrast(colour, ground(":root")) >= LEAST
    assert contrast(in_the_dark()[colour], ground(".dark")) >= LEAST


def test_the_pictures_have_no_other_type() -> None:
    used = {colour for picture in pictures() for colour in colours_of(picture)}
    assert used <= {*TYPE.values(), INK, GREY, POSITIVE, NEGATIVE}
    assert set(TYPE.values()) < used


def test_type_is_of_the_cards_colours() -> None:
    for modality, colour in TYPE.items():
        assert f"--cm-{modality}-type: {colour}" in SHEET


def test_contrast_is_as_published() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#d98a00", "#ffffff") == pytest.approx(2.8, abs=0.05)


@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_lines_are_seen_on_light_and_dark(colour: str) -> None:
    """Those that are not replaced on a dark ground are seen on both; WCAG 2.2 (1.4.11) asks for 3."""
    dark = REPLACED_LINES.get(colour, colour)
    assert contrast(colour, ground(":root")) >= LINE
    assert contrast(dark, ground(".dark")) >= LINE
