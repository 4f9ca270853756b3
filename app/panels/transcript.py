"""The words as running text, and as a table to correct them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.cards import title, transcript_card
from app.corrections import HEADER, word_rows

HINT = "green words took the words’ score up from neutral, crimson words down · click a word to hear it"
EXPLAINED = (
    '<p class="cm-small">Change a word, empty it to take it out, or add a row. Only the words, their meaning and the '
    "network are worked out again; voice and face stay as they were read.</p>"
)


@dataclass(frozen=True)
class TranscriptPanel:
    """The components: the text, the table, and the button that reads the table."""

    text: gr.HTML
    table: gr.Dataframe
    correct: gr.Button


def render() -> TranscriptPanel:
    """Lay out the panel."""
    gr.HTML(title("Transcript", HINT), padding=False)
    text = gr.HTML(padding=False)
    with gr.Accordion("Correct the words", open=False, elem_classes="cm-accordion", elem_id="cm-correcting"):
        gr.HTML(EXPLAINED, padding=False)
        table = gr.Dataframe(
            headers=HEADER,
            datatype=["number", "number", "str"],
            column_count=3,
            column_widths=["90px", "90px", "auto"],
            type="array",
            interactive=True,
            max_height=320,
            label="Words to correct",
            show_label=False,
            buttons=[],
            elem_id="cm-words",
        )
        correct = gr.Button("Read again with these words", size="sm", elem_id="cm-correct", min_width=200)
    return TranscriptPanel(text, table, correct)


def outputs(panel: TranscriptPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.text, panel.table]


def show(analysis: Analysis) -> list[Any]:
    """Values for `outputs`."""
    return [transcript_card(analysis), word_rows(analysis)]
