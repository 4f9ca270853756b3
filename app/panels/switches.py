"""Modalities switched off or on: what the model would say without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import MODALITIES, Analysis
from app.asking import ask_without
from app.figures.switches import draw_switched
from app.i18n import DEFAULT, name_of, tell
from app.i18n.labels import html, label
from app.telling.answer_cards import fewer_card
from app.telling.cards import title
from extractors.records import Grid


@dataclass(frozen=True)
class SwitchPanel:
    """The components that `show` fills."""

    kept: gr.CheckboxGroup
    plot: gr.Plot
    card: gr.HTML


def render() -> SwitchPanel:
    """Lay out the panel."""
    gr.HTML(html(_head), padding=False)
    kept = gr.CheckboxGroup(
        _choices(MODALITIES),
        value=list(MODALITIES),
        label=label("switches.given"),
        show_label=False,
        container=False,
        elem_id="cm-kept",
    )
    with gr.Column(elem_classes="cm-wide"):
        plot = gr.Plot(container=False, elem_id="cm-switched", elem_classes="cm-follows")
    return SwitchPanel(kept, plot, gr.HTML(padding=False, elem_id="cm-switched-card"))


def listen(panel: SwitchPanel, state: gr.State, grid: gr.State, without: Callable[..., Any]) -> None:
    """Another choice draws the line again, from the grid that is kept; `without` is `Service.without`."""
    panel.kept.input(
        without,
        [state, grid, panel.kept],
        [panel.plot, panel.card],
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )


def outputs(panel: SwitchPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.kept, panel.plot, panel.card]


def show(analysis: Analysis, grid: Grid, language: str = DEFAULT) -> list[Any]:
    """Values for `outputs`: the voice is off at first where it can be, since a line beside itself says nothing."""
    heard = list(analysis.sentiment.alone)
    kept = [m for m in heard if m != "audio"] or heard
    choices = _choices([m for m in MODALITIES if m in heard], language)
    return [gr.update(choices=choices, value=kept, interactive=True), *answer(analysis, grid, kept, language)]


def show_again(analysis: Analysis, grid: Grid, kept: list[str], language: str = DEFAULT) -> list[Any]:
    """Values for `outputs` in another language, with what is switched on as it is."""
    choices = _choices([m for m in MODALITIES if m in analysis.sentiment.alone], language)
    return [gr.update(choices=choices, interactive=True), *answer(analysis, grid, kept, language)]


def blank() -> list[Any]:
    """Values for `outputs`: nothing to switch before it is known what was observed."""
    return [gr.update(interactive=False), None, ""]


def _choices(names: Sequence[str], language: str = DEFAULT) -> list[tuple[str, str]]:
    return [(name_of(m, language), m) for m in names]


def answer(
    analysis: Analysis, grid: Grid, kept: list[str], language: str, *, asked: bool = False
) -> list[Any]:
    """Values for the picture and the card with the modalities `kept`; a sentence where that is none."""
    if not kept:
        return [gr.skip(), f'<p class="cm-answer" data-said>{tell("switches.none", language)}</p>']
    fewer = ask_without(grid, kept, analysis)
    return [draw_switched(analysis, fewer, language), fewer_card(analysis, fewer, language, asked=asked)]


def _head(language: str) -> str:
    return title(tell("switches.title", language), tell("switches.hint", language))
