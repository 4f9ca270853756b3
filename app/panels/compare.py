"""Compare: coupled against independent fusion of the same clip, or the clip beside another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.comparing import Comparing, told
from app.i18n import DEFAULT, tell
from app.i18n.labels import html, label
from app.panels import AGAIN, QUIET, clip
from app.service import AT_ONCE, GROUP
from app.telling.cards import legend, title


@dataclass(frozen=True)
class ComparePanel:
    """The components: what to compare with, the two buttons, the answer, and a place for each of two pictures."""

    way: gr.Radio
    other: gr.File
    start: gr.Button
    stop: gr.Button
    answer: gr.HTML
    left: gr.Column
    left_head: gr.HTML
    left_plot: gr.Plot
    right: gr.Column
    right_head: gr.HTML
    right_plot: gr.Plot
    numbers: gr.HTML
    compared: gr.State


def render(kept_for: float) -> ComparePanel:
    """Lay out the panel; for `kept_for` seconds the page remembers what was compared last."""
    gr.HTML(html(_head), padding=False)
    way = gr.Radio(
        choices(),
        value="independent",
        label=label("compare.with"),
        show_label=False,
        container=False,
        elem_id="cm-compare-way",
    )
    gr.HTML(html(_explained), padding=False)
    other = gr.File(
        label=label("compare.other_clip"),
        file_types=["video", "audio"],
        height=110,
        visible=False,
        elem_id="cm-other",
    )
    with gr.Row(elem_classes="cm-buttons"):
        start = gr.Button(label("compare.start"), elem_id="cm-compare", min_width=120)
        stop = gr.Button(label("compare.stop"), visible=False, min_width=90, elem_id="cm-compare-stop")
    answer = gr.HTML(padding=False, elem_id="cm-compared-answer")
    with gr.Row(elem_classes="cm-beside"):
        sides = [_side("cm-compared"), _side("cm-compared-other")]
    numbers = gr.HTML(padding=False, elem_id="cm-compared-numbers")
    compared = gr.State(None, time_to_live=kept_for)
    return ComparePanel(way, other, start, stop, answer, *sides[0], *sides[1], numbers, compared)


def _side(name: str) -> tuple[gr.Column, gr.HTML, gr.Plot]:
    with gr.Column(visible=False, min_width=320) as column:
        head = gr.HTML(padding=False)
        with gr.Column(elem_classes="cm-wide"):
            # Another clip has a time of its own.
            follows = "cm-follows" if name == "cm-compared" else None
            plot = gr.Plot(container=False, elem_id=name, elem_classes=follows)
    return column, head, plot


def choices(language: str = DEFAULT) -> list[tuple[str, str]]:
    """What a clip can be compared with."""
    return [(tell(f"compare.{way}", language), way) for way in ("independent", "other")]


def _head(language: str) -> str:
    return title(tell("compare.title", language), tell("compare.hint", language), legend(language))


def _explained(language: str) -> str:
    return f'<p class="cm-small cm-uncoupled">{tell("compare.explained", language)}</p>'


def listen(
    panel: ComparePanel,
    state: gr.State,
    grid: gr.State,
    chosen: clip.ClipPanel,
    page: gr.Blocks,
    spoken: Any,
) -> None:
    """The choice of what to compare with, the two buttons, and the event `spoken` of another language.

    What else ends a comparison stands in `app.server.visits`.
    """
    comparing = Comparing(page.GRADIO_CACHE)
    given = [panel.way, state, grid, chosen.video, panel.other, chosen.language]
    panel.way.change(
        lambda way: gr.update(visible=way == "other"), panel.way, panel.other, queue=False, **QUIET
    )
    panel.start.click(
        comparing.run,
        given,
        outputs(panel),
        concurrency_limit=AT_ONCE,
        concurrency_id=GROUP,
        **AGAIN,
    )
    spoken.then(comparing.again, [panel.compared, state], outputs(panel), **AGAIN)
    panel.stop.click(comparing.stop, None, None, queue=False, api_visibility="private")
    # The files are gone with the session's folder, and so is what was made of them.
    forgotten = [panel.other, *outputs(panel)]
    chosen.delete.click(lambda: [None, *reset()], None, forgotten, queue=False, **QUIET)


def outputs(panel: ComparePanel) -> list[Any]:
    """What a comparison, and `reset`, give values for."""
    return [
        panel.start,
        panel.stop,
        panel.answer,
        panel.left,
        panel.left_head,
        panel.left_plot,
        panel.right,
        panel.right_head,
        panel.right_plot,
        panel.numbers,
        panel.compared,
    ]


def reset() -> list[Any]:
    """Values for `outputs`: nothing compared, as when another clip is shown."""
    return told("")
