"""Why here: what the score at one moment rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.answered import telling_moments
from app.asking import ask_why
from app.figures.moment import draw_moment
from app.i18n import DEFAULT, tell
from app.i18n.labels import html, label
from app.telling.answer_cards import brief_card, moment_card
from app.telling.cards import title
from extractors.records import Grid

_NOW = "(...given) => [null, null, document.querySelector('#cm-video video[src]')?.currentTime ?? 0]"


@dataclass(frozen=True)
class WhyPanel:
    """The components; a click on the time line presses the button (see `playhead.js`). `asked` is what is explained."""

    explain: gr.Button
    seconds: gr.Number
    plot: gr.Plot
    card: gr.HTML
    asked: gr.State


def render() -> WhyPanel:
    """Lay out the panel."""
    with gr.Row(elem_classes="cm-asking", elem_id="cm-asking"):
        gr.HTML(html(_head), padding=False)
        explain = gr.Button(label("why.explain"), size="sm", elem_id="cm-explain", min_width=150)
    plot = gr.Plot(container=False, elem_id="cm-why", elem_classes="cm-follows")
    seconds, card = gr.Number(0, visible=False), gr.HTML(padding=False, elem_id="cm-why-card")
    return WhyPanel(explain, seconds, plot, card, gr.State(None))


def listen(panel: WhyPanel, state: gr.State, grid: gr.State, explain: Callable[..., Any]) -> None:
    """The button explains the moment at which the video stands; `explain` is `Service.explain`."""
    panel.explain.click(
        explain,
        [state, grid, panel.seconds],
        outputs(panel),
        js=_NOW,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )


def outputs(panel: WhyPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.plot, panel.card, panel.asked]


def show(analysis: Analysis, grid: Grid, seconds: float | None = None, language: str = DEFAULT) -> list[Any]:
    """Values for `outputs`: of the strongest moment where none is given; no picture before anything was observed."""
    asked = seconds is not None
    if seconds is None:
        (seconds,) = telling_moments(analysis, 1)
    moment, words = ask_why(grid, seconds), analysis.transcript.words
    card = moment_card(moment, words, language, asked=asked) + brief_card(moment, words, language)
    return [draw_moment(moment, words, language), card, seconds if asked else None]


def blank() -> list[Any]:
    """Values for `outputs`: nothing asked yet."""
    return [None, "", None]


def _head(language: str) -> str:
    return title(tell("why.title", language), tell("why.hint", language))
