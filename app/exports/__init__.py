"""What can be taken home: an Analysis as a file, one format a file of this folder, one list of them for all callers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.analysis import Analysis
from app.exports.elan import render_eaf
from app.exports.subtitles import render_vtt
from app.exports.ticks import render_csv


@dataclass(frozen=True)
class Format:
    """One kind of file: its button's name, what it is good for, and how it is made of (analysis, the clip's path)."""

    label: str
    told: str
    render: Callable[[Analysis, str], str]


def _report(analysis: Analysis, clip: str) -> str:
    from app.report import render_report  # late: it brings plotly

    return render_report(analysis, Path(clip).name)


FORMATS = {
    "json": Format("JSON", "the whole analysis", lambda analysis, _: analysis.to_json(indent=1)),
    "csv": Format("CSV", "a table with a row a tick", lambda analysis, _: render_csv(analysis)),
    "vtt": Format("Subtitles", "subtitles (WebVTT) with the score in each", lambda a, _: render_vtt(a)),
    "eaf": Format("ELAN", "tiers for the annotation program ELAN (.eaf)", render_eaf),
    "html": Format("Report", "a report as one HTML file that needs no network", _report),
}
"""Every format by its file's ending."""


def save(analysis: Analysis, kind: str, path: str | Path, clip: str | Path = "clip") -> None:
    """Write the analysis as `kind` (a key of FORMATS) to `path`; `clip` is what it is of.

    Raises:
        ValueError: an unknown kind. OSError: the file cannot be written.
    """
    if kind not in FORMATS:
        raise ValueError(f"there is no format {kind!r}: choose one of {', '.join(FORMATS)}")
    # newline="": what is written has the line ends its format asks for, on every system.
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        file.write(FORMATS[kind].render(analysis, _name(clip)))


def _name(clip: str | Path) -> str:
    """The clip's path as text that can be written: names on disk may hold bytes that are no text."""
    return str(clip).encode("utf-8", "replace").decode("utf-8")
