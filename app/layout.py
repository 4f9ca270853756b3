"""The page's parts: every panel in its place, and the components that the wiring reads from and fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.panels import (
    clip,
    compare,
    coupling,
    header,
    saving,
    several,
    space,
    status,
    switches,
    timeline,
    transcript,
    why,
)
from app.server.keeping import KEPT


@dataclass(frozen=True)
class Panels:
    """Every component that something is read from or shown in."""

    switch: gr.Button
    retell: gr.Button
    clip: clip.ClipPanel
    analysis: gr.State  # of the clip shown, kept by the server for this visitor
    grid: gr.State  # the features it was read from
    result: gr.HTML
    saving_box: gr.Column
    saving: saving.SavingPanel
    detail: gr.Column
    timeline: timeline.TimelinePanel
    why: why.WhyPanel
    space: gr.HTML
    coupling: coupling.CouplingPanel
    switches: switches.SwitchPanel
    compare: compare.ComparePanel
    transcript: transcript.TranscriptPanel
    several: several.SeveralPanel

    def cards(self) -> list[Any]:
        """The components that `Service.show` gives values for, in its order."""
        shown = [self.detail, self.saving_box, *self.told(), *saving.outputs(self.saving)]
        return [*shown, *self.answers()]

    def told(self) -> list[Any]:
        """The components that `Service.retell` gives values for, in its order."""
        return [
            *timeline.outputs(self.timeline),
            *coupling.outputs(self.coupling),
            *transcript.outputs(self.transcript),
        ]

    def answers(self) -> list[Any]:
        """The components that `Service.look` gives values for, in its order."""
        return [*why.outputs(self.why), *switches.outputs(self.switches), self.coupling.layers, self.space]

    def given(self) -> list[Any]:
        """The components that `Service.run` gives values for, and `Service.forget` first of all, in their order."""
        shown = [self.detail, self.saving_box]
        return [self.result, self.analysis, self.clip.analyse, self.clip.cancel, *shown, self.grid]


def lay_out() -> Panels:
    """The page from its head to its foot, within a `gr.Blocks`."""
    switch, retell = header.render()
    with gr.Row(elem_classes="cm-top"):
        with gr.Column(scale=4, min_width=320, elem_classes="cm-card"):
            clip_panel = clip.render()
        with gr.Column(scale=5, min_width=320, elem_classes="cm-card"):
            result = status.render()
            with gr.Column(visible=False) as saving_box:
                saving_panel = saving.render()
    with gr.Column(visible=False, elem_classes="cm-detail") as detail:
        with gr.Column(elem_classes="cm-card"):
            timeline_panel = timeline.render()
        with gr.Row(elem_classes="cm-middle"):
            with gr.Column(elem_classes="cm-card"):
                why_panel = why.render()
            with gr.Column(elem_classes="cm-card"):
                layers = coupling.render_memory()
            with gr.Column(elem_classes="cm-card"):
                space_html = space.render()
        with gr.Column(elem_classes="cm-card"):
            coupling_panel = coupling.render(layers)
        with gr.Column(elem_classes="cm-card"):
            transcript_panel = transcript.render()
        with gr.Column(elem_classes="cm-card"):
            switch_panel = switches.render()
        with gr.Column(elem_classes="cm-card"):
            compare_panel = compare.render(KEPT)
    with gr.Column(elem_classes="cm-card"):
        several_panel = several.render(KEPT)
    header.foot()
    return Panels(
        switch=switch,
        retell=retell,
        clip=clip_panel,
        analysis=gr.State(None, time_to_live=KEPT),
        grid=gr.State(None, time_to_live=KEPT),
        result=result,
        saving_box=saving_box,
        saving=saving_panel,
        detail=detail,
        timeline=timeline_panel,
        why=why_panel,
        space=space_html,
        coupling=coupling_panel,
        switches=switch_panel,
        compare=compare_panel,
        transcript=transcript_panel,
        several=several_panel,
    )
