"""What can be taken home: an Analysis as a file, one format a file of this folder, one list of them for all callers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.analysis import Analysis
from app.exports.elan import render_eaf
from app.exports.subtitles import render_vtt
from app.exports.ticks import render_csv
from app.i18n import DEFAULT, tell

if TYPE_CHECKING:
    from extractors.records import Grid

Step = Callable[[], AbstractContextManager[None]]
"""What each step of long work is done within: it may wait until it is the step's turn, and raise to end the work."""


@dataclass(frozen=True)
class Format:
    """One kind of file: its button's name, and how it is made; `told` says what it is good for.

    `render` is given (analysis, clip's path, grid, film, step), as `save` is.
    """

    label: str
    render: Callable[[Analysis, str, Grid | None, str | Path | None, Step], str]


def told(kind: str, language: str = DEFAULT) -> str:
    """What a file of the `kind` (a key of FORMATS) is, and for whom: the end of a sentence, without its full stop."""
    return tell(f"saving.told.{kind}", language)


def _report(analysis: Analysis, clip: str, grid: Grid | None, film: str | Path | None, step: Step) -> str:
    from app.answered import answer_ahead  # late: they bring plotly
    from app.portraits import make_portraits
    from app.report import render_report

    answered = None if grid is None else answer_ahead(analysis, grid, step)
    with step():
        portraits = [] if film is None else make_portraits(analysis, grid, film)
        return render_report(analysis, Path(clip).name, answered, portraits)


FORMATS = {
    "json": Format("JSON", lambda analysis, *_: analysis.to_json(indent=1)),
    "csv": Format("CSV", lambda analysis, *_: render_csv(analysis)),
    "vtt": Format("Subtitles", lambda analysis, *_: render_vtt(analysis)),
    "eaf": Format("ELAN", lambda analysis, clip, *_: render_eaf(analysis, clip)),
    "html": Format("Report", _report),
}
"""Every format by its file's ending."""


def save(
    analysis: Analysis,
    kind: str,
    path: str | Path,
    clip: str | Path = "clip",
    grid: Grid | None = None,
    film: str | Path | None = None,
    step: Step = nullcontext,
) -> None:
    """Write the analysis as `kind` (a key of FORMATS) to `path`; `clip` is what it is of.

    With the `grid` that it was read from, a report also answers what only the network can: a few seconds' work, each
    part of it within a `step`. With the clip's file as `film` it also holds small pictures of the face; no other kind
    of file does.

    Raises:
        ValueError: an unknown kind. OSError: the file cannot be written. What `step` raises.
    """
    if kind not in FORMATS:
        raise ValueError(f"there is no format {kind!r}: choose one of {', '.join(FORMATS)}")
    text = FORMATS[kind].render(analysis, _name(clip), grid, film, step)
    # newline="": what is written has the line ends its format asks for, on every system.
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        file.write(text)


def _name(clip: str | Path) -> str:
    """The clip's path as text that can be written: names on disk may hold bytes that are no text."""
    return str(clip).encode("utf-8", "replace").decode("utf-8")
