"""The words as running text."""

from __future__ import annotations

import gradio as gr

from app.analysis import Analysis
from app.cards import title, transcript_card

HINT = "green words took the words’ score up from neutral, crimson words down"


def render() -> gr.HTML:
    """Lay out the panel."""
    gr.HTML(title("Transcript", HINT), padding=False)
    return gr.HTML(padding=False)


def show(analysis: Analysis) -> str:
    """The panel's value."""
    return transcript_card(analysis)
