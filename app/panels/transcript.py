"""The words as running text, and as a table to correct them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.corrections import word_rows
from app.i18n import DEFAULT, tell
from app.i18n.labels import html, label
from app.telling.cards import title, transcript_card


@dataclass(frozen=True)
class TranscriptPanel:
    """The components: the text, the table, and the button that reads the table."""

    text: gr.HTML
    table: gr.Dataframe
    correct: gr.Button


def render() -> TranscriptPanel:
    """Lay out the panel."""
    gr.HTML(html(_head), padding=False)
    text = gr.HTML(padding=False)
    with gr.Accordion(
        label("transcript.correct"), open=False, elem_classes="cm-accordion", elem_id="cm-correcting"
    ):
        gr.HTML(html(_explained), padding=False)
        table = gr.Dataframe(
            headers=heads(),
            datatype=["number", "number", "str"],
            column_count=3,
            column_widths=["90px", "90px", "auto"],
            type="array",
            interactive=True,
            max_height=320,
            label=label("transcript.table"),
            show_label=False,
            buttons=[],
            elem_id="cm-words",
        )
        correct = gr.Button(label("transcript.read"), size="sm", elem_id="cm-correct", min_width=200)
    return TranscriptPanel(text, table, correct)


def outputs(panel: TranscriptPanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.text, panel.table]


def show(analysis: Analysis, language: str = DEFAULT) -> list[Any]:
    """Values for `outputs`."""
    return show_again(analysis, word_rows(analysis), language)


def show_again(analysis: Analysis, rows: list[list[Any]] | None, language: str = DEFAULT) -> list[Any]:
    """Values for `outputs` in another language, with the table's rows as they are: corrections are not lost."""
    text = transcript_card(analysis, language, tell("transcript.keys", language))
    return [text, {"headers": heads(language), "data": rows or []}]


def heads(language: str = DEFAULT) -> list[str]:
    """The table's columns."""
    return [tell(f"words.{name}", language) for name in ("from", "to", "word")]


def _head(language: str) -> str:
    return title(tell("transcript.title", language), tell("transcript.hint", language))


def _explained(language: str) -> str:
    return f'<p class="cm-small">{tell("transcript.explained", language)}</p>'
