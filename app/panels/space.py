"""State space: the three chains' paths, with the playhead's point moving in the browser."""

from __future__ import annotations

import gradio as gr

from app.analysis import Analysis
from app.asking import ask_paths
from app.i18n import DEFAULT, tell
from app.i18n.labels import html
from app.telling.answer_cards import space_card
from app.telling.cards import legend, title
from extractors.records import Grid


def render() -> gr.HTML:
    """Lay out the panel."""
    gr.HTML(html(_head), padding=False)
    return gr.HTML(padding=False)


def show(analysis: Analysis, grid: Grid, language: str = DEFAULT) -> str:
    """The panel's value."""
    return space_card(analysis, ask_paths(grid), language)


def _head(language: str) -> str:
    return title(
        tell("space.title", language), tell("space.hint", language), legend(language, together=False)
    )
