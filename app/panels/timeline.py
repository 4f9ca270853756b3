"""The time line, with the choice of the chain whose shares it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.cards import legend, table_card, title
from app.figures import draw_timeline
from app.figures.style import NAMES, OWNERS

HINT = "click to seek and ask why · drag to look closer, double click to go back · ← → to step"


@dataclass(frozen=True)
class TimelinePanel:
    """The components that `show` fills."""

    target: gr.Radio
    plot: gr.Plot
    table: gr.HTML


def render() -> TimelinePanel:
    """Lay out the panel."""
    gr.HTML(title("Time line", HINT, legend()), padding=False)
    with gr.Column(elem_classes="cm-wide"):
        plot = gr.Plot(container=False, elem_id="cm-timeline")
    with gr.Row(elem_classes="cm-target"):
        gr.HTML('<p class="cm-small" id="cm-target-name">The shares are those of</p>', padding=False)
        target = gr.Radio(
            [(OWNERS[m].replace("the ", "") + " state", m) for m in NAMES],
            value="text",
            label="The shares are those of",
            show_label=False,
            container=False,
            elem_id="cm-target",
        )
    return TimelinePanel(target, plot, gr.HTML(padding=False))


def listen(panel: TimelinePanel, state: gr.State) -> None:
    """Another target draws the time line again."""
    panel.target.change(
        _draw, [state, panel.target], panel.plot, show_progress="hidden", api_visibility="private"
    )


def outputs(panel: TimelinePanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.plot, panel.table]


def show(analysis: Analysis, target: str) -> list[Any]:
    """Values for `outputs`."""
    return [draw_timeline(analysis, target), table_card(analysis)]


def _draw(analysis: Analysis | None, target: str) -> Any:
    return draw_timeline(analysis, target) if analysis is not None else gr.skip()
