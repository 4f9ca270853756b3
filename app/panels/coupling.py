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
from app.i18n import DEFAULT, tell
from app.i18n.labels import html, label, language_of
from app.panels import status
from app.windows import Window, window_of, within
from app.wording import clock
from extractors.records import Grid

WINDOW = (
    "(...given) => { const axis = document.querySelector('#cm-timeline .js-plotly-plot')?._fullLayout?.xaxis; "
    "return [...given.slice(0, -2), ...(axis ? axis.range : [0, 1e9])] }"
)
"""For an event whose last two inputs are the seconds from and to of the window that the time line shows."""


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
    gr.HTML(html(_head), padding=False)
    with gr.Row(elem_classes="cm-coupling"):
        with gr.Column(scale=3, min_width=300, elem_classes="cm-wide"):
            plot = gr.Plot(container=False, elem_id="cm-coupling")
        with gr.Column(scale=2, min_width=280):
            matrix = gr.HTML(padding=False, elem_id="cm-shares")
            gr.HTML(html(_explained), padding=False)
    gr.HTML(html(_learnt), padding=False)
    layers = gr.HTML(padding=False, elem_id="cm-layers")
    window = gr.Button(label("coupling.show_window"), visible="hidden", elem_id="cm-window")
    start, end = gr.Number(0, visible=False), gr.Number(0, visible=False)
    return CouplingPanel(matrix, plot, layers, window, start, end)


def listen(panel: CouplingPanel, state: gr.State) -> None:
    """Another window draws the shares again, of that window alone."""
    panel.window.click(
        _restrict,
        [state, panel.start, panel.end],
        outputs(panel),
        js=WINDOW,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )


def outputs(panel: CouplingPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.matrix, panel.plot]


def show(analysis: Analysis, language: str = DEFAULT, window: Window | None = None) -> list[Any]:
    """Values for `outputs`: of the whole clip, or of a window in seconds alone."""
    if window is None:
        return [coupling_card(analysis, language), draw_coupling(analysis, language)]
    part = within(analysis, *window)
    said = tell("coupling.window", language, start=clock(window[0]), end=clock(window[1]))
    told = f'<p class="cm-small" data-said>{said}</p>'
    picture = draw_coupling(part, language).update_xaxes(range=list(window))
    return [told + coupling_card(part, language), picture]


def show_layers(grid: Grid, language: str = DEFAULT) -> str:
    """The value of `layers`."""
    return layers_card(ask_memory(grid), language)


def _restrict(
    analysis: Analysis | None, start: float | None, end: float | None, request: gr.Request | None = None
) -> list[Any]:
    if analysis is None:
        status.warn_gone(request)
        return [gr.skip(), gr.skip()]
    return show(analysis, language_of(request), window_of(analysis, start, end))


def _head(language: str) -> str:
    return title(
        tell("coupling.title", language), tell("coupling.hint", language), legend(language, together=False)
    )


def _explained(language: str) -> str:
    return f'<p class="cm-small">{tell("coupling.explained", language)}</p>'


def _learnt(language: str) -> str:
    return (
        f'<h4 class="cm-sub">{tell("coupling.learnt", language)}</h4>'
        f'<p class="cm-small">{tell("coupling.learnt_explained", language)}</p>'
    )
