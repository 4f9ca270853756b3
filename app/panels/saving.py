"""What can be taken home: the analysis as JSON, and a report as one HTML file."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.report import write_report


@dataclass(frozen=True)
class SavingPanel:
    """The components that `show` fills."""

    json: gr.DownloadButton
    report: gr.DownloadButton


def render() -> SavingPanel:
    """Lay out the panel."""
    with gr.Row(elem_classes="cm-saving"):
        return SavingPanel(
            gr.DownloadButton("Save JSON", size="sm", elem_id="cm-save-json", min_width=140),
            gr.DownloadButton("Save HTML report", size="sm", elem_id="cm-save-html", min_width=140),
        )


def outputs(panel: SavingPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.json, panel.report]


def show(analysis: Analysis, clip: str, cache: str) -> list[str]:
    """Values for `outputs`: files named after the clip, in a new folder of the page's `cache`."""
    stem = re.sub(r"[^\w.-]+", "_", Path(clip).stem)[:60] or "clip"
    Path(cache).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=cache))
    saved, report = folder / f"{stem}.json", folder / f"{stem}.html"
    saved.write_text(analysis.to_json(), encoding="utf-8")
    write_report(analysis, report, Path(clip).name)
    return [str(saved), str(report)]
