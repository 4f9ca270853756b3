"""The time line, with the choice of the chain whose shares it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.analysis import MODALITIES, Analysis
from app.figures import draw_timeline
from app.i18n import DEFAULT, name_of, tell
from app.i18n.labels import html, label
from app.telling.cards import behind, legend, table_card, title

WINDOW = {"[": "start", "]": "end", "+": "closer", "Escape": "all"}
"""The keys that choose the window, which `playhead.js` knows, and what the buttons are called that do the same."""


@dataclass(frozen=True)
class TimelinePanel:
    """The components that `show` fills."""

    target: gr.Radio
    tone: gr.Checkbox
    faces: gr.HTML
    plot: gr.Plot
    table: gr.HTML


def render() -> TimelinePanel:
    """Lay out the panel."""
    with gr.Column(elem_classes="cm-lead", elem_id="cm-lead"):
        gr.HTML(html(_head), padding=False)
        gr.HTML(html(_reading), padding=False)
    with gr.Column(elem_classes="cm-wide"):
        faces = gr.HTML(padding=False, elem_id="cm-faces")
        plot = gr.Plot(container=False, elem_id="cm-timeline")
    with gr.Row(elem_classes="cm-target"):
        gr.HTML(html(_target), padding=False)
        target = gr.Radio(
            choices(),
            value="text",
            label=label("timeline.target"),
            show_label=False,
            container=False,
            elem_id="cm-target",
        )
        tone = gr.Checkbox(False, label=label("timeline.tone"), container=False, elem_id="cm-tone")
        gr.HTML(html(window_buttons), padding=False)
    return TimelinePanel(target, tone, faces, plot, gr.HTML(padding=False, elem_id="cm-timeline-table"))


def listen(panel: TimelinePanel, state: gr.State, delete: gr.Button, draw_again: Callable[..., Any]) -> None:
    """Another target draws the time line again, and so does the voice's band, shown or hidden.

    `draw_again` is `Service.draw`. The face's pictures go with all else that is deleted.
    """
    delete.click(lambda: "", None, panel.faces, queue=False, show_progress="hidden", api_visibility="private")
    for changed in (panel.target.change, panel.tone.change):
        changed(
            draw_again, [state, *inputs(panel)], panel.plot, show_progress="hidden", api_visibility="private"
        )


def inputs(panel: TimelinePanel) -> list[Any]:
    """What `show` is told of the visitor's choices."""
    return [panel.target, panel.tone]


def outputs(panel: TimelinePanel) -> list[Any]:
    """What `show` gives values for."""
    return [panel.target, panel.tone, panel.faces, panel.plot, panel.table]


def show(analysis: Analysis, target: str, tone: bool, language: str = DEFAULT) -> list[Any]:
    """Values for `outputs`; without a voice there is nothing to switch on. The face's pictures come later."""
    offered = [gr.update(choices=choices(language)), gr.update(visible=analysis.tone is not None)]
    return [*offered, "", *pictures(analysis, target, tone, language)]


def pictures(analysis: Analysis, target: str, tone: bool, language: str = DEFAULT) -> list[Any]:
    """The time line and its table."""
    return [draw(analysis, target, tone, language), table_card(analysis, language)]


def draw(analysis: Analysis, target: str, tone: bool, language: str = DEFAULT) -> Any:
    """The time line with the shares of the `target` chain, and the voice's band where there is a `tone`."""
    return draw_timeline(analysis, target, language, tone)


def choices(language: str = DEFAULT) -> list[tuple[str, str]]:
    """What the shares can be of."""
    return [(tell(f"state.{m}", language), m) for m in MODALITIES]


def _head(language: str) -> str:
    keys = behind(tell("timeline.keys?", language), tell("timeline.keys", language))
    colours = legend(language, band=True)
    hint, touch = tell("timeline.hint", language), tell("timeline.touch", language)
    return title(tell("timeline.title", language), hint, keys + colours, touch)


def _reading(language: str) -> str:
    """What is read at the playhead, and the last answer in a line: `reading.js` fills both."""
    lines = "".join(
        f'<span class="cm-key-{m}" data-line="{m}">{name_of(m, language)} <b>–</b></span>'
        for m in ("all", *MODALITIES)
    )
    hint = tell("reading.hint", language)
    close = tell("video.small_close", language)
    answer = f'<a href="#cm-asking">{tell("why.title", language)}</a> <span id="cm-brief"></span>'
    return (
        f'<p class="cm-reading" id="cm-reading" title="{hint}" hidden><time></time>{lines}</p>'
        f'<p class="cm-brief" hidden>{answer}</p>'
        f'<button type="button" id="cm-aside-close" class="cm-aside-close" aria-label="{close}" title="{close}">'
        '<span aria-hidden="true">✕</span></button>'
    )


def window_buttons(language: str) -> str:
    """Buttons that choose the window, for who cannot drag: `playhead.js` does what the keys on them do."""
    told = {key: tell(f"timeline.window_{name}", language) for key, name in WINDOW.items()}
    buttons = "".join(f'<button type="button" data-key="{key}">{name}</button>' for key, name in told.items())
    named = tell("timeline.window", language)
    return f'<span id="cm-window" class="cm-window" role="group" aria-label="{named}">{buttons}</span>'


def _target(language: str) -> str:
    return f'<p class="cm-small" id="cm-target-name">{tell("timeline.target", language)}</p>'
