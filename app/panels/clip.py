"""What goes in: the video, an optional transcript, the sample, and the buttons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.i18n import tell
from app.i18n.labels import html, label
from app.panels import language
from app.sample import sample_clip

AT = "(...given) => [...given.slice(0, -1), performance.now()]"
"""For an event whose last input is `ClipPanel.at`: when it happened, in ms of the page's own clock."""
RATES = (0.5, 1, 1.5, 2)  # of the video's own speed
TRANSCRIPT_TYPES = [".srt", ".vtt", ".txt"]


@dataclass(frozen=True)
class ClipPanel:
    """The components others read from."""

    video: gr.Video
    transcript: gr.File
    analyse: gr.Button
    cancel: gr.Button
    sample: gr.Button
    delete: gr.Button
    language: gr.Dropdown
    at: gr.Number


def render() -> ClipPanel:
    """Lay out the panel."""
    gr.HTML(html(_privacy))
    video = gr.Video(
        label=label("clip.video"),
        show_label=False,
        sources=["upload", "webcam"],
        include_audio=True,
        height=320,
        elem_id="cm-video",
        buttons=[],
    )
    gr.HTML(html(_film), padding=False)
    with gr.Row(elem_classes="cm-buttons"):
        analyse = gr.Button(label("clip.analyse"), variant="primary", elem_id="cm-analyse", min_width=120)
        cancel = gr.Button(label("clip.cancel"), visible=False, elem_id="cm-cancel", min_width=90)
        sample = gr.Button(label("clip.sample"), elem_id="cm-sample", min_width=110)
        delete = gr.Button(label("clip.delete"), elem_id="cm-delete", min_width=100)
    with gr.Accordion(label(language.heading()), open=False, elem_classes="cm-accordion"):
        transcript = gr.File(
            label=label("clip.transcript"),
            file_types=TRANSCRIPT_TYPES,
            height=110,
            elem_id="cm-transcript-file",
        )
        spoken = language.render()
    at = gr.Number(0, visible=False)
    return ClipPanel(video, transcript, analyse, cancel, sample, delete, spoken, at)


def _privacy(language: str) -> str:
    """What happens to the video, in a line or two; the rest is folded away."""
    return (
        f'<div class="cm-privacy">{tell("clip.privacy", language)} '
        f"<details><summary>{tell('clip.privacy.more?', language)}</summary>"
        f"{tell('clip.privacy.more', language)}</details></div>"
    )


def listen(panel: ClipPanel, page: gr.Blocks, first: Callable[..., Any]) -> None:
    """The sample is put in on request, and when the page opens; `first` is `Service.sample`."""
    page.load(first, None, panel.video, show_progress="hidden", api_visibility="private")
    panel.sample.click(_sample, None, panel.video, api_visibility="private")


def _film(language: str) -> str:
    """The video's time, its speeds, playing again and again, the face's frame, captions.

    `film.js`, `box.js` and `subtitles.js` do it.
    """
    speeds = "".join(f"<option value={rate}{' selected' * (rate == 1)}>{rate} ×</option>" for rate in RATES)
    again, hint = tell("video.again", language), tell("video.again_hint", language)
    captions, shown = tell("video.captions", language), tell("video.captions_hint", language)
    face, whose = tell("video.box", language), tell("video.box_hint", language)
    return (
        f'<div id="cm-film" class="cm-film" role="group" aria-label="{tell("video.player", language)}" hidden>'
        f'<time></time><select data-rate aria-label="{tell("video.speed", language)}">{speeds}</select>'
        f'<button type="button" data-again aria-pressed="false" title="{hint}">⟲ {again}</button>'
        f'<button type="button" data-box aria-pressed="true" title="{whose}" hidden>▢ {face}</button>'
        f'<button type="button" data-captions aria-pressed="true" title="{shown}" hidden>≡ {captions}</button></div>'
    )


def _sample() -> str:
    return str(sample_clip())
