"""Several clips at once: files in, a table out that sorts itself, each row opening its analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.i18n import tell
from app.i18n.labels import html, label
from app.panels import AGAIN, QUIET, clip
from app.service import AT_ONCE, GROUP, Service
from app.several import KINDS, Several, heads

_UP = (
    "() => { document.querySelector('.cm-top')?.scrollIntoView({ block: 'start' }); "
    "document.querySelector('#cm-analyse')?.focus({ preventScroll: true }) }"
)
# Each head in one piece: on a phone the table is wider than the page, and scrolls by itself; on a desk it fits.
WIDTHS = ["52px", "160px", "80px", "74px", "140px", "130px", "74px", "74px", "74px", "240px"]


@dataclass(frozen=True)
class SeveralPanel:
    """The components: what goes in, the table, and the button that opens the row that was pressed."""

    files: gr.File
    analyse: gr.Button
    stop: gr.Button
    table: gr.Dataframe
    kept: gr.State
    number: gr.State
    open: gr.Button


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
            column_widths=WIDTHS,
            label=label("several.table"),
            elem_id="cm-several-table",
        )
        with gr.Row(elem_classes="cm-buttons"):
            opening = gr.Button("", visible=False, min_width=160, elem_id="cm-several-open")
    kept, number = gr.State(None, time_to_live=kept_for), gr.State(0)
    return SeveralPanel(files, analyse, stop, table, kept, number, opening)


def _hint(language: str) -> str:
    return f'<p class="cm-small">{tell("several.hint", language)}</p>'


def listen(
    panel: SeveralPanel,
    page: gr.Blocks,
    chosen: clip.ClipPanel,
    service: Service,
    given: list[Any],
    spoken: Sequence[Any],
) -> Any:
    """Analyse all, stop, a press on a row, the button that deletes everything, and the events `spoken` of a language.

    Gives the event of opening a row, which fills `given`: the video, the path that was opened, and as `Service.run`.
    """
    clips = Several(page.GRADIO_CACHE, service.playable)
    panel.analyse.click(
        clips.run,
        [panel.files, chosen.language],
        [panel.table, panel.kept, panel.analyse, panel.stop],
        concurrency_limit=AT_ONCE,
        concurrency_id=GROUP,
        **AGAIN,
    )
    for said in spoken:
        said.then(clips.tell_again, panel.kept, panel.table, **AGAIN)
    panel.stop.click(clips.stop, None, None, queue=False, api_visibility="private")
    panel.table.select(clips.choose, panel.kept, [panel.open, panel.number], **QUIET)
    forgotten = [panel.files, panel.table, panel.kept, panel.open]
    chosen.delete.click(clips.forget, None, forgotten, queue=False, **QUIET)
    opened = panel.open.click(
        clips.open,
        [panel.kept, panel.number, chosen.at],
        given,
        js=clip.AT,
        **AGAIN,
    )
    opened.success(None, js=_UP, api_visibility="private")
    return opened
