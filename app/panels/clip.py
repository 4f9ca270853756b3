"""What goes in: the video, an optional transcript, the sample, and the buttons."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.sample import sample_clip

PRIVACY = (
    '<p class="cm-privacy">Your video is processed on this server only; it and its results are deleted '
    "when you leave the page or press Delete now, and within an hour whatever happens. No face is identified.</p>"
)
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


def render() -> ClipPanel:
    """Lay out the panel."""
    gr.HTML(PRIVACY)
    video = gr.Video(
        label="Video of someone talking",
        show_label=False,
        sources=["upload", "webcam"],
        include_audio=True,
        height=320,
        elem_id="cm-video",
        buttons=[],
    )
    with gr.Row(elem_classes="cm-buttons"):
        analyse = gr.Button("Analyse", variant="primary", elem_id="cm-analyse", min_width=120)
        cancel = gr.Button("Cancel", visible=False, elem_id="cm-cancel", min_width=90)
        sample = gr.Button("Sample clip", elem_id="cm-sample", min_width=110)
        delete = gr.Button("Delete now", elem_id="cm-delete", min_width=100)
    with gr.Accordion("I have a transcript (.srt, .vtt or .txt)", open=False, elem_classes="cm-accordion"):
        transcript = gr.File(
            label="Transcript", file_types=TRANSCRIPT_TYPES, height=110, elem_id="cm-transcript-file"
        )
    return ClipPanel(video, transcript, analyse, cancel, sample, delete)


def listen(panel: ClipPanel, page: gr.Blocks) -> None:
    """The sample is put in on request, and when the page opens."""
    page.load(_sample, None, panel.video, show_progress="hidden", api_visibility="private")
    panel.sample.click(_sample, None, panel.video, api_visibility="private")


def _sample() -> str:
    return str(sample_clip())
