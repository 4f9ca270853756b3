"""How the chains move each other: shares over time and typical ones, learnt weights and half-lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.answer_cards import layers_card
from app.asking import ask_memory
from app.cards import coupling_card, legend, title
from app.figures import draw_coupling
from app.windows import within
from app.wording import clock
from extractors.records import Grid

EXPLAINED = (
    '<p class="cm-small">Each chain’s state is moved by all three. A share tells how much of a chain’s output '
    "came from what a source put in. Shares add up to 100 %; one below zero pulls the other way. They are exact "
    "within the last layer; what its inputs owe to other sources through earlier layers is not traced.</p>"
)
LEARNT = (
    '<h4 class="cm-sub">Learnt weights and half-lives</h4><p class="cm-small">What the network learnt from all its '
    "clips: of whose last state each chain (row) takes how much (column) at every tick. A half-life is the time in "
    "which half of what a chain remembers fades; it depends on the clip.</p>"
)
_WINDOW = (
    "(...given) => { const axis = document.querySelector('#cm-timeline .js-plotly-plot')?._fullLayout?.xaxis; "
    "return [null, ...(axis ? axis.range : [0, 1e9])] }"
)


@dataclass(frozen=True)
class CouplingPanel:
    """The components; another window of the time line presses the button that is not seen (see `playhead.js`)."""

    matrix: gr.HTML
    plot: gr.Plot
    layers: gr.HTML
    window: gr.Button
    start: gr.Number
    end: gr.Number


def render() -> CouplingPanel:
    """Lay out the panel."""
    gr.HTML(title("Coupling", "where each chain’s output comes from", legend(together=False)), padding=False)
    with gr.Row(elem_classes="cm-coupling"):
        with gr.Column(scale=3, min_width=300, elem_classes="cm-wide"):
            plot = gr.Plot(container=False, elem_id="cm-coupling")
        with gr.Column(scale=2, min_width=280):
            matrix = gr.HTML(padding=False, elem_id="cm-shares")
            gr.HTML(EXPLAINED, padding=False)
    gr.HTML(LEARNT, padding=False)
    layers = gr.HTML(padding=False, elem_id="cm-layers")
    window = gr.Button("Show the window", visible="hidden", elem_id="cm-window")
    start, end = gr.Number(0, visible=False), gr.Number(0, visible=False)
    return CouplingPanel(matrix, plot, layers, window, start, end)


def listen(panel: CouplingPanel, state: gr.State) -> None:
    """Another window draws the shares again, of that window alone."""
    panel.window.click(
        _restrict,
        [state, panel.start, panel.end],
        outputs(panel),
        js=_WINDOW,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )


def outputs(panel: CouplingPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.matrix, panel.plot]


def show(analysis: Analysis) -> list[Any]:
    """Values for `outputs`."""
    return [coupling_card(analysis), draw_coupling(analysis)]


def show_layers(grid: Grid) -> str:
    """The value of `layers`."""
    return layers_card(ask_memory(grid))


def _restrict(analysis: Analysis | None, start: float | None, end: float | None) -> list[Any]:
    if analysis is None:
        return [gr.skip(), gr.skip()]
    start, end = max(0.0, start or 0.0), min(analysis.end, end or analysis.end)
    if end - start >= analysis.end - 0.01:
        return show(analysis)
    part = within(analysis, start, end)
    told = f'<p class="cm-small" role="status">Of the window {clock(start)} to {clock(end)}:</p>'
    return [told + coupling_card(part), draw_coupling(part).update_xaxes(range=[start, end])]
