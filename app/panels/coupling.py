"""How the chains move each other: typical shares as a table, shares over time as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.cards import coupling_card, legend, title
from app.figures import draw_coupling

EXPLAINED = (
    '<p class="cm-small">Each chain’s state is moved by all three. A share tells how much of a chain’s output '
    "came from what a source put in. Shares add up to 100 %; one below zero pulls the other way. They are exact "
    "within the last layer; what its inputs owe to other sources through earlier layers is not traced.</p>"
)


@dataclass(frozen=True)
class CouplingPanel:
    """The components that `show` fills."""

    matrix: gr.HTML
    plot: gr.Plot


def render() -> CouplingPanel:
    """Lay out the panel."""
    gr.HTML(title("Coupling", "where each chain’s output comes from", legend(together=False)), padding=False)
    with gr.Row(elem_classes="cm-coupling"):
        with gr.Column(scale=3, min_width=300, elem_classes="cm-wide"):
            plot = gr.Plot(container=False, elem_id="cm-coupling")
        with gr.Column(scale=2, min_width=280):
            matrix = gr.HTML(padding=False)
            gr.HTML(EXPLAINED, padding=False)
    return CouplingPanel(matrix, plot)


def outputs(panel: CouplingPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.matrix, panel.plot]


def show(analysis: Analysis) -> list[Any]:
    """Values for `outputs`."""
    return [coupling_card(analysis), draw_coupling(analysis)]
