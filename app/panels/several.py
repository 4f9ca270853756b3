"""Several clips at once: files in, a table out that sorts itself, each row opening its analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.i18n import tell
from app.i18n.labels import html, label
from app.panels import saving
from app.service import AT_ONCE, GROUP
from app.several import KINDS, Several, heads, table_of


@dataclass(frozen=True)
class SeveralPanel:
    """The components: what goes in, the table, and what a row opens."""

    files: gr.File
    analyse: gr.Button
    stop: gr.Button
    table: gr.Dataframe
    kept: gr.State
    detail: gr.Column
    heading: gr.HTML
    result: gr.HTML
    plot: gr.Plot
    numbers: gr.HTML
    saving: saving.SavingPanel


def render(kept_for: float) -> SeveralPanel:
    """Lay out the panel, folded away; for `kept_for` seconds the page remembers what the rows stand for."""
    with gr.Accordion(label("several.title"), open=False, elem_classes="cm-accordion", elem_id="cm-several"):
        gr.HTML(html(_hint), padding=False)
        files = gr.File(
            label=label("several.clips"),
            file_count="multiple",
            file_types=["video", "audio"],
            height=130,
            elem_id="cm-several-files",
        )
        with gr.Row(elem_classes="cm-buttons"):
            analyse = gr.Button(
                label("several.analyse"), variant="primary", min_width=120, elem_id="cm-several-analyse"
            )
            stop = gr.Button(label("several.stop"), visible=False, min_width=90, elem_id="cm-several-stop")
        table = gr.Dataframe(
            headers=heads(),
            datatype=KINDS,
            type="array",
            interactive=False,
            wrap=True,
            label=label("several.table"),
            elem_id="cm-several-table",
        )
        with gr.Column(visible=False, elem_id="cm-several-detail") as detail:
            heading, result = gr.HTML(padding=False), gr.HTML(padding=False)
            with gr.Column(elem_classes="cm-wide"):
                plot = gr.Plot(container=False, elem_id="cm-several-timeline")
            numbers = gr.HTML(padding=False)
            buttons = saving.render("cm-several-save")
    kept = gr.State(None, time_to_live=kept_for)
    return SeveralPanel(files, analyse, stop, table, kept, detail, heading, result, plot, numbers, buttons)


def speak(language: str) -> Any:
    """The table's heads, as long as it is empty."""
    return gr.update(value=table_of([], language))


def _hint(language: str) -> str:
    return f'<p class="cm-small">{tell("several.hint", language)}</p>'


def listen(panel: SeveralPanel, page: gr.Blocks, delete: gr.Button) -> None:
    """Analyse all, stop, a press on a row, and the button that deletes everything."""
    clips = Several(page.GRADIO_CACHE)
    panel.analyse.click(
        clips.run,
        panel.files,
        [panel.table, panel.kept, panel.analyse, panel.stop],
        show_progress="hidden",
        concurrency_limit=AT_ONCE,
        concurrency_id=GROUP,
        api_visibility="private",
    )
    panel.stop.click(clips.stop, None, None, queue=False, api_visibility="private")
    panel.table.select(
        clips.open,
        panel.kept,
        [
            panel.detail,
            panel.heading,
            panel.result,
            panel.plot,
            panel.numbers,
            *saving.outputs(panel.saving),
        ],
        show_progress="hidden",
        api_visibility="private",
    )
    forgotten = [panel.files, panel.table, panel.kept, panel.detail]
    delete.click(clips.leave, None, forgotten, queue=False, show_progress="hidden", api_visibility="private")
    page.unload(clips.stop)
