"""Several clips at once: files in, a table out that sorts itself, each row opening its analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from app.batch.run import ENDINGS
from app.i18n import tell
from app.i18n.labels import html, label
from app.panels import AGAIN, QUIET, clip
from app.service import AT_ONCE, GROUP, Service
from app.several import KINDS, MOST, Several, heads

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
    told: gr.HTML
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
            gr.Button(label("several.folder"), min_width=120, elem_id="cm-several-folder")  # see `folder.js`
        gr.HTML(html(_folder), padding=False)
        told = gr.HTML(padding=False, elem_id="cm-several-told")
        table = gr.Dataframe(
            headers=heads(),
            datatype=KINDS,
            type="array",
            interactive=False,
            wrap=True,
            # No copy: it would be pasted into a spreadsheet, with names such as "=1+1.mp4".
            buttons=["fullscreen"],
            column_widths=WIDTHS,
            label=label("several.table"),
            elem_id="cm-several-table",
        )
        with gr.Row(elem_classes="cm-buttons"):
            opening = gr.Button("", visible=False, min_width=160, elem_id="cm-several-open")
    kept, number = gr.State(None, time_to_live=kept_for), gr.State(0)
    return SeveralPanel(files, analyse, stop, told, table, kept, number, opening)


def _hint(language: str) -> str:
    return f'<p class="cm-small">{tell("several.hint", language)}</p>'


def _folder(language: str) -> str:
    """What `folder.js` knows of clips, and says where a folder has none or too many."""
    many = tell("several.too_many", language, count="{count}", most=MOST)
    none = tell("several.no_clip", language, name="{name}", endings=", ".join(ENDINGS))
    known = f'data-endings="{" ".join(ENDINGS)}" data-most="{MOST}"'
    told = f'data-many="{escape(many)}" data-none="{escape(none)}"'.replace("{", "[[").replace("}", "]]")
    return f'<p class="cm-small" id="cm-folder" data-said {known} {told} hidden></p>'


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
        [panel.table, panel.kept, panel.told, panel.analyse, panel.stop],
        concurrency_limit=AT_ONCE,
        concurrency_id=GROUP,
        **AGAIN,
    )
    shown, again = [panel.kept, panel.number], [panel.table, panel.told, panel.open]
    for said in spoken:
        said.then(clips.tell_again, shown, again, **AGAIN)
    panel.stop.click(clips.stop, None, None, queue=False, api_visibility="private")
    panel.table.select(clips.choose, panel.kept, [panel.open, panel.number, panel.told], **QUIET)
    forgotten = [panel.files, panel.table, panel.kept, panel.told, panel.open]
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
