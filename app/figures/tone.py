"""Pitch and loudness of the voice: two thin bands that the time line shows on demand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import Gapped, Tone
from app.figures.lines import score_line
from app.figures.style import COLOURS, FAINT, beside, y_axis
from app.i18n import DEFAULT, tell

HEIGHT = 168  # pixels that the two bands add to a picture
PITCH, LOUDNESS = (64, 138), (0, 46)  # where they stand, pixels from the bottom
DOT = 3  # pixels: a lone voiced tick has no neighbour that a line could be drawn to
QUIETEST = -30.0  # dB under which silence would flatten the rest


def add_tone(picture: go.Figure, tone: Tone, seconds: NDArray[np.float32], language: str = DEFAULT) -> None:
    """Make the picture higher, and put the two bands under the rest of it, over the same time axis.

    Lines are in the voice's colour, with gaps where there is no voice; pitch is heard, and drawn, in octaves.
    """
    margins = picture.layout.margin.t + picture.layout.margin.b
    inside = picture.layout.height - margins
    total = inside + HEIGHT

    def lifted(share: float) -> float:
        return float((share * inside + HEIGHT) / total)

    axes = [key for key in picture.to_dict()["layout"] if key.startswith("yaxis")]
    for key in axes:
        picture.layout[key].domain = [lifted(end) for end in picture.layout[key].domain]
    for note in picture.layout.annotations:
        note.y = lifted(note.y)
    first, second = (f"y{len(axes) + more}" for more in (1, 2))
    pitch, loudness = _tone_axes(tone, total)
    picture.update_layout(
        {
            "height": total + margins,
            "xaxis.anchor": second,
            f"yaxis{first[1:]}": pitch,
            f"yaxis{second[1:]}": loudness,
            "annotations": [*picture.layout.annotations, *_tone_notes(tone, total, language)],
        }
    )
    said = [
        _line(tone.pitch, seconds, first, tell("timeline.pitch", language), _hertz),
        _line(tone.loudness, seconds, second, tell("timeline.loudness", language), _decibels),
    ]
    for rank, trace in enumerate(said):
        trace.legendrank = -rank  # the hover lists them after all others
    picture.add_traces(said)


def _tone_axes(tone: Tone, total: float) -> tuple[dict[str, Any], dict[str, Any]]:
    low, high = _pitch_range(tone)
    quiet, loud = _loudness_range(tone)
    pitch = y_axis(math.log10(low), math.log10(high), _share(PITCH, total), type="log")
    loudness = y_axis(quiet, loud, _share(LOUDNESS, total), zeroline=True, zerolinecolor=FAINT)
    return pitch, loudness


def _tone_notes(tone: Tone, total: float, language: str) -> list[dict[str, Any]]:
    """Names and ranges, in the left margin; pointed at, they say what the numbers mean."""
    (low, high), (quiet, loud) = _pitch_range(tone), _loudness_range(tone)
    named = (
        (PITCH, "timeline.pitch", "timeline.pitch_hint", f"{low:.0f} – {high:.0f} Hz"),
        (
            LOUDNESS,
            "timeline.loudness",
            "timeline.loudness_hint",
            f"{_decibels(quiet)[:-3]} … {_decibels(loud)}",
        ),
    )
    notes = []
    for band, name, hint, ends in named:
        middle = sum(_share(band, total)) / 2
        told = tell(hint, language)
        notes.append(beside(tell(name, language), middle + 9 / total, hint=told))
        notes.append(beside(ends, middle - 9 / total, size=11, hint=told))
    return notes


def _line(
    values: Gapped, seconds: NDArray[np.float32], axis: str, name: str, told: Callable[[float], str]
) -> Any:
    known = tuple(math.nan if value is None else value for value in values)
    line = score_line(seconds, known, axis, COLOURS["audio"], name, 1.5, told)
    return line.update(mode="lines+markers", marker={"size": DOT, "color": COLOURS["audio"]})


def _hertz(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.0f} Hz"


def _decibels(value: float) -> str:
    if math.isnan(value):
        return ""
    rounded = round(value)
    return f"{'−' if rounded < 0 else '+' if rounded > 0 else ''}{abs(rounded)} dB"


def _pitch_range(tone: Tone) -> tuple[float, float]:
    """Hertz, in tens; a voice that keeps its pitch still has an octave's room, so that a waver is not a leap."""
    known = [value for value in tone.pitch if value is not None] or [100.0, 200.0]
    low, high = min(known), max(known)
    wider = max(1.0, math.sqrt(2 * low / high))
    return 10 * math.floor(low / wider / 10), 10 * math.ceil(high * wider / 10)


def _loudness_range(tone: Tone) -> tuple[float, float]:
    """Decibels, in fives, with the clip's own speech (0) always among them."""
    known = [max(value, QUIETEST) for value in tone.loudness if value is not None] or [0.0]
    return min(-10.0, 5.0 * math.floor(min(known) / 5)), max(5.0, 5.0 * math.ceil(max(known) / 5))


def _share(band: tuple[int, int], total: float) -> tuple[float, float]:
    return band[0] / total, band[1] / total
