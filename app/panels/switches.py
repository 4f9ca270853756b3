"""Modalities switched off or on: what the model would say without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import MODALITIES, Analysis
from app.answer_cards import fewer_card
from app.asking import ask_without
from app.cards import title
from app.figures.style import NAMES
from app.figures.switches import draw_switched
from extractors.records import Grid

HINT = "switch words, voice or face off and see the line without it (dashed) beside the line with all"


@dataclass(frozen=True)
class SwitchPanel:
    """The components that `show` fills."""

    kept: gr.CheckboxGroup
    plot: gr.Plot
    card: gr.HTML


def render() -> SwitchPanel:
    """Lay out the panel."""
    gr.HTML(title("Without one of them", HINT), padding=False)
    kept = gr.CheckboxGroup(
        [(NAMES[m], m) for m in MODALITIES],
        value=list(MODALITIES),
        label="What the model is given",
        show_label=False,
        container=False,
        elem_id="cm-kept",
    )
    with gr.Column(elem_classes="cm-wide"):
        plot = gr.Plot(container=False, elem_id="cm-switched")
    return SwitchPanel(kept, plot, gr.HTML(padding=False, elem_id="cm-switched-card"))


def listen(panel: SwitchPanel, state: gr.State, grid: gr.State) -> None:
    """Another choice draws the line again, from the grid that is kept."""
    panel.kept.input(
        _draw,
        [state, grid, panel.kept],
        [panel.plot, panel.card],
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )


def outputs(panel: SwitchPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.kept, panel.plot, panel.card]


def show(analysis: Analysis, grid: Grid) -> list[Any]:
    """Values for `outputs`: the voice is off at first where it can be, since a line beside itself says nothing."""
    heard = list(analysis.sentiment.alone)
    kept = [m for m in heard if m != "audio"] or heard
    choices = [(NAMES[m], m) for m in MODALITIES if m in heard]
    return [gr.update(choices=choices, value=kept), *_draw(analysis, grid, kept)]


def _draw(analysis: Analysis | None, grid: Grid | None, kept: list[str]) -> list[Any]:
    if analysis is None or grid is None:
        return [gr.skip(), gr.skip()]
    if not kept:
        return [gr.skip(), '<p class="cm-answer">Leave at least one of them on.</p>']
    fewer = ask_without(grid, kept)
    return [draw_switched(analysis, fewer), fewer_card(analysis, fewer)]
