"""What can be taken home: a button for each format of `app.exports`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.exports import FORMATS, Step, save
from app.i18n import DEFAULT, retell, tell
from app.i18n.labels import html, label
from extractors.records import Grid

TRANSLATED = ("vtt", "html")  # the others' buttons bear a format's name
REPORT = "html"  # made after the others, since it holds answers that are worked out first


@dataclass(frozen=True)
class SavingPanel:
    """The components that `show` fills: the buttons by the format's ending, and what is said under them."""

    buttons: dict[str, gr.DownloadButton]
    told: gr.HTML


def render(name: str = "cm-save") -> SavingPanel:
    """Lay out the panel; the buttons' ids begin with `name`."""
    with gr.Row(elem_classes="cm-saving"):
        gr.HTML(
            html(lambda language: f'<span class="cm-small">{tell("saving.save", language)}</span>'),
            padding=False,
            min_width=40,
        )
        buttons = {
            kind: gr.DownloadButton(_name(kind), size="sm", elem_id=f"{name}-{kind}", min_width=76)
            for kind in FORMATS
        }
    gr.HTML(html(faces), padding=False)  # told before anything is saved
    return SavingPanel(buttons, gr.HTML(padding=False, elem_id=f"{name}-told"))


def faces(language: str) -> str:
    """What the report holds that no other file does, as HTML."""
    return f'<p class="cm-small">{tell("saving.faces", language)}</p>'


def _name(kind: str) -> Any:
    """What the button of a format says; the names of formats are the same in every language."""
    return label(f"saving.{kind}") if kind in TRANSLATED else FORMATS[kind].label


def outputs(panel: SavingPanel) -> list[Any]:
    """What `show` gives values for."""
    return [*panel.buttons.values(), panel.told]


def write(analysis: Analysis, clip: str, folder: Path) -> dict[str, str]:
    """The files that need nothing but the analysis, in the folder and named after the clip: path by format."""
    paths = {kind: folder / f"{stem(clip)}.{kind}" for kind in FORMATS if kind != REPORT}
    for kind, path in paths.items():
        save(analysis, kind, path, Path(clip).name)
    return {kind: str(path) for kind, path in paths.items()}


def show(files: Mapping[str, str], fault: str = "", language: str = DEFAULT) -> list[Any]:
    """Values for `outputs` with the files of `write`, or why there are none.

    What is not among the files cannot be pressed: not yet, or not at all.
    """
    return [*(offer(files.get(kind)) for kind in FORMATS), tell_fault(fault, language)]


def tell_fault(fault: str, language: str = DEFAULT) -> str:
    """Why files could not be written, to be seen and read out; empty without a fault."""
    if not fault:
        return ""
    said = escape(tell("saving.failed", language, why=retell(fault, language)))
    return f'<p class="cm-small" data-said>{said}</p>'


def offer(path: str | None) -> Any:
    """The value of a button with its file; without one it cannot be pressed."""
    return gr.update(value=path, interactive=path is not None)


def show_report(analysis: Analysis, grid: Grid, clip: str, folder: Path, step: Step = nullcontext) -> str:
    """The path of the report with the answers to further questions in it; takes some seconds.

    Each part of it is done within a `step`.
    """
    path = folder / f"{stem(clip)}.{REPORT}"
    save(analysis, REPORT, path, Path(clip).name, grid, clip, step)
    return str(path)


def stem(clip: str | Path) -> str:
    """The clip's name without its ending, fit for any file system and any header."""
    return re.sub(r"[^\w.-]+", "_", Path(clip).stem)[:60] or "clip"
