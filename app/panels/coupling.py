"""How the chains move each other: shares over time and their medians, learnt weights and half-lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.asking import ask_memory
from app.figures import draw_coupling
from app.i18n import DEFAULT, tell
from app.i18n.labels import html
from app.telling.answer_cards import layers_card
from app.telling.cards import coupling_card, legend, title
from extractors.records import Grid


@dataclass(frozen=True)
class CouplingPanel:
    """The components; to a window of the time line they restrict themselves (see `windows.js` and `shares.js`)."""

    matrix: gr.HTML
    plot: gr.Plot
    layers: gr.HTML


def render() -> CouplingPanel:
    """Lay out the panel."""
    gr.HTML(html(_head), padding=False)
    with gr.Row(elem_classes="cm-coupling"):
        with gr.Column(scale=3, min_width=300, elem_classes="cm-wide"):
            plot = gr.Plot(container=False, elem_id="cm-coupling", elem_classes="cm-follows")
        with gr.Column(scale=2, min_width=280):
            matrix = gr.HTML(padding=False, elem_id="cm-shares")
            gr.HTML(html(_explained), padding=False)
    gr.HTML(html(_learnt), padding=False)
    return CouplingPanel(matrix, plot, gr.HTML(padding=False, elem_id="cm-layers"))


def outputs(panel: CouplingPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.matrix, panel.plot]


def show(analysis: Analysis, language: str = DEFAULT) -> list[Any]:
    """Values for `outputs`, of the whole clip."""
    return [coupling_card(analysis, language), draw_coupling(analysis, language)]


def show_layers(grid: Grid, language: str = DEFAULT) -> str:
    """The value of `layers`."""
    return layers_card(ask_memory(grid), language)


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
