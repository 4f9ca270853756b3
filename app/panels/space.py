"""State space: the three chains' paths, with the playhead's point moving in the browser."""

from __future__ import annotations

import gradio as gr

from app.analysis import Analysis
from app.answer_cards import space_card
from app.asking import ask_paths
from app.cards import legend, title
from extractors.records import Grid

HINT = "the chains’ paths in their main directions · drag or arrow keys to turn"


def render() -> gr.HTML:
    """Lay out the panel."""
    gr.HTML(title("State space", HINT, legend(together=False)), padding=False)
    return gr.HTML(padding=False)


def show(analysis: Analysis, grid: Grid) -> str:
    """The panel's value."""
    return space_card(analysis, ask_paths(grid))
