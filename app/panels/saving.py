"""What can be taken home: a button for each format of `app.exports`."""

from __future__ import annotations

import re
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.exports import FORMATS, Step, save
from app.i18n import tell
from app.i18n.labels import html, label
from extractors.records import Grid

TRANSLATED = ("vtt", "html")  # the others' buttons bear a format's name


@dataclass(frozen=True)
class SavingPanel:
    """The components that `show` fills, by the format's ending."""

    buttons: dict[str, gr.DownloadButton]


def render(name: str = "cm-save") -> SavingPanel:
    """Lay out the panel; the buttons' ids begin with `name`."""
    with gr.Row(elem_classes="cm-saving"):
        gr.HTML(
            html(lambda language: f'<span class="cm-small">{tell("saving.save", language)}</span>'),
            padding=False,
            min_width=40,
        )
        return SavingPanel(
            {
                kind: gr.DownloadButton(_name(kind), size="sm", elem_id=f"{name}-{kind}", min_width=76)
                for kind in FORMATS
            }
        )


def _name(kind: str) -> Any:
    """What the button of a format says; the names of formats are the same in every language."""
    return label(f"saving.{kind}") if kind in TRANSLATED else FORMATS[kind].label


def outputs(panel: SavingPanel) -> list[Any]:
    """What `show` gives values for."""
    return list(panel.buttons.values())


def show(analysis: Analysis, clip: str, cache: str) -> list[str]:
    """Values for `outputs`: files named after the clip, in a new folder of the page's `cache`."""
    Path(cache).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=cache))
    paths = [folder / f"{stem(clip)}.{kind}" for kind in FORMATS]
    for kind, path in zip(FORMATS, paths, strict=True):
        save(analysis, kind, path, Path(clip).name)
    return [str(path) for path in paths]


def show_report(analysis: Analysis, grid: Grid, clip: str, folder: Path, step: Step = nullcontext) -> str:
    """The value of the report's button, with the answers to further questions in the report; takes some seconds.

    Each part of it is done within a `step`.
    """
    path = folder / f"{stem(clip)}.html"
    save(analysis, "html", path, Path(clip).name, grid, clip, step)
    return str(path)


def stem(clip: str | Path) -> str:
    """The clip's name without its ending, fit for any file system and any header."""
    return re.sub(r"[^\w.-]+", "_", Path(clip).stem)[:60] or "clip"
