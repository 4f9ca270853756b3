"""How the chains move each other: learnt weights and half-lives; folded away, shares over time and their medians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.asking import ask_memory
from app.figures import draw_coupling
from app.i18n import DEFAULT, tell
from app.i18n.labels import html, label
from app.telling.answer_cards import memory_card
from app.telling.cards import coupling_card, legend, title
from extractors.records import Grid


@dataclass(frozen=True)
class CouplingPanel:
    """The components; to a window of the time line they restrict themselves (see `windows.js` and `shares.js`)."""

    matrix: gr.HTML
    plot: gr.Plot
    layers: gr.HTML


def render_memory() -> gr.HTML:
    """Lay out the short card: what was learnt; gives what `show_layers` fills."""
    gr.HTML(html(_head), padding=False)
    return gr.HTML(padding=False, elem_id="cm-layers")


def render(layers: gr.HTML) -> CouplingPanel:
    """Lay out the rest, folded away: each chain's shares over time and their medians. `fold.js` unfolds it."""
    with gr.Column(elem_classes="cm-accordion"):
        gr.Button(label("coupling.more"), elem_id="cm-unfold", elem_classes="cm-fold")
        with gr.Column(elem_id="cm-folded", elem_classes="cm-folded"):
            gr.HTML(html(_more), padding=False)
            with gr.Row(elem_classes="cm-coupling"):
                with gr.Column(scale=3, min_width=300, elem_classes="cm-wide"):
                    plot = gr.Plot(container=False, elem_id="cm-coupling", elem_classes="cm-follows")
                with gr.Column(scale=2, min_width=280):
                    matrix = gr.HTML(padding=False, elem_id="cm-shares")
    return CouplingPanel(matrix, plot, layers)


def outputs(panel: CouplingPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.matrix, panel.plot]


def show(analysis: Analysis, language: str = DEFAULT) -> list[Any]:
    """Values for `outputs`, of the whole clip."""
    return [coupling_card(analysis, language), draw_coupling(analysis, language)]


def show_layers(grid: Grid, language: str = DEFAULT) -> str:
    """The value of `layers`."""
    return memory_card(ask_memory(grid), language)


def _head(language: str) -> str:
    return title(tell("coupling.title", language), tell("coupling.weights", language))


def _more(language: str) -> str:
    hint, keys = tell("coupling.hint", language), legend(language, together=False)
    explained = f'<p class="cm-small">{tell("coupling.explained", language)}</p>'
    return f'<div class="cm-title"><span class="cm-hint">{hint}</span>{keys}</div>{explained}'
