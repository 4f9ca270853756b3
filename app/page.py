"""The page: composes the panels, and wires them to the analyses they start and show.

Nothing heavy is imported here, so that the page is up at once; `warm` brings the models in behind it.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app import settings
from app.api import add_endpoints, can_serve_tools, keep_tools_files
from app.faults import fault_of
from app.figures.style import ready
from app.forgetting import forget_by_age, forget_when_over
from app.i18n.labels import language_of, translations
from app.keeping import KEPT, keep_sweeping, private_folder
from app.panels import (
    clip,
    compare,
    coupling,
    header,
    language,
    saving,
    several,
    space,
    status,
    switches,
    timeline,
    transcript,
    why,
)
from app.quiet import keep_errors_quiet, place_of
from app.sample import NAME, cache_folder
from app.service import AT_ONCE, GROUP, Service

ASSETS = Path(__file__).parent / "assets"
STYLES = ("cards.css", "page.css", "answers.css", "compare.css")
SCRIPTS = (
    "lean.js",
    "language.js",
    "playhead.js",
    "faces.js",
    "windows.js",
    "words.js",
    "space.js",
    "subtitles.js",
    "access.js",
)
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# An event that comes again while it goes on is heard: by gradio's own way it is lost, with all that follows it.
AGAIN: dict[str, Any] = {"trigger_mode": "multiple", **QUIET}
PORT = 7860
# Bounds of what gradio keeps for all visitors together: clicks that wait, threads (each analysis under way or in line
# holds one), and sessions, of which it keeps a description of the page even after they ended.
MOST_EVENTS, MOST_THREADS, MOST_SESSIONS = 200, 100, 300
FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Helvetica Neue",
    "Arial",
    "sans-serif",
)
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class States:
    """What the server keeps for one visitor: the analysis shown, and the grid of features it was read from."""

    analysis: gr.State
    grid: gr.State


@dataclass(frozen=True)
class Panels:
    """Every component that something is read from or shown in."""

    switch: gr.Button
    retell: gr.Button
    clip: clip.ClipPanel
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

    def given(self, states: States) -> list[Any]:
        """The components that `Service.run` and `Service.forget` give values for, in their order."""
        shown = [self.detail, self.saving_box]
        return [self.result, states.analysis, self.clip.analyse, self.clip.cancel, *shown, states.grid]


def build_page() -> gr.Blocks:
    """The page, to be launched with `launch`."""
    os.environ["GRADIO_TEMP_DIR"] = str(private_folder())  # where gradio puts what visitors upload
    keep_tools_files(private_folder())
    with gr.Blocks(title="Coupled Mamba", analytics_enabled=False) as page:
        panels = _lay_out()
        _wire(panels, page, Service(page.GRADIO_CACHE))
    page.queue(default_concurrency_limit=8, max_size=MOST_EVENTS)
    return page


def launch(page: gr.Blocks, **options: Any) -> Any:
    """Serve the page on 127.0.0.1:7860, or where GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say.

    The models are loaded behind it, so that the first analysis is as quick as the second. Raises InputError, before
    anything is served, where a setting cannot be used.
    """
    from starlette.middleware import Middleware

    from app.guard import Guard
    from app.presence import Presence
    from extractors.media import Limits

    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    settings.check_all()
    given = {
        "server_name": os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        "server_port": settings.whole_number(settings.PORT, PORT),
        "theme": _theme(),
        "css_paths": [ASSETS / name for name in STYLES],
        "js": _scripts(),
        "i18n": translations(),
        "allowed_paths": [str(cache_folder() / NAME)],
        "max_file_size": Limits.from_environment().max_bytes,
        "footer_links": ["api"],
        "mcp_server": can_serve_tools(),
        "ssr_mode": False,
        "max_threads": MOST_THREADS,
        "state_session_capacity": MOST_SESSIONS,
        "app_kwargs": {"middleware": [Middleware(Guard), Middleware(Presence)]},
        "run_history": False,  # results would stay in the browser past the hour that is promised
        "enable_monitoring": False,
        "prevent_thread_lock": True,
    }
    keep_errors_quiet()
    ready()
    running = page.launch(**(given | options))
    # Only now: importing the heavy libraries beside the server's start would hold it up.
    threading.Thread(target=_warm, daemon=True, name="warm").start()
    keep_sweeping(private_folder(), forget_by_age(page))
    if not options.get("prevent_thread_lock"):
        page.block_thread()
    return running


def _lay_out() -> Panels:
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
            with gr.Column(scale=5, min_width=320, elem_classes="cm-card"):
                why_panel = why.render()
            with gr.Column(scale=4, min_width=320, elem_classes="cm-card"):
                space_html = space.render()
        with gr.Column(elem_classes="cm-card"):
            coupling_panel = coupling.render()
        with gr.Column(elem_classes="cm-card"):
            switch_panel = switches.render()
        with gr.Column(elem_classes="cm-card"):
            compare_panel = compare.render(KEPT)
        with gr.Column(elem_classes="cm-card"):
            transcript_panel = transcript.render()
    with gr.Column(elem_classes="cm-card"):
        several_panel = several.render(KEPT)
    header.foot()
    return Panels(
        switch=switch,
        retell=retell,
        clip=clip_panel,
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


def _wire(panels: Panels, page: gr.Blocks, service: Service) -> None:
    states = States(gr.State(None, time_to_live=KEPT), gr.State(None, time_to_live=KEPT))
    header.listen(panels.switch)
    clip.listen(panels.clip, page, service.sample)
    timeline.listen(panels.timeline, states.analysis, panels.clip.delete)
    why.listen(panels.why, states.analysis, states.grid, service.explain)
    coupling.listen(panels.coupling, states.analysis)
    switches.listen(panels.switches, states.analysis, states.grid, service.without)
    opened = gr.State(None, time_to_live=KEPT)
    came, chosen = _wire_language(panels, page, states, service)
    given = [panels.clip.video, opened, *panels.given(states)]
    opening = several.listen(panels.several, page, panels.clip, service, given, (came, chosen))
    _show_result(opening, panels, states, service)
    compare.listen(panels.compare, states.analysis, states.grid, panels.clip, page, chosen)
    _wire_analyses(panels, states, service)
    _wire_files(panels, states, opened, service)
    deleted = _wire_ends(panels, page, states, service)
    add_endpoints(page)
    forget_when_over(page, deleted, QUIET)


def _wire_files(panels: Panels, states: States, opened: gr.State, service: Service) -> None:
    """What is uploaded or recorded, and a video that is changed for another one."""
    video = panels.clip.video
    for brought in (video.upload, video.stop_recording):
        brought(service.prepare, video, video, **AGAIN)
    video.change(service.forget, [video, opened, panels.clip.at], panels.given(states), js=clip.AT, **QUIET)
    for chosen in (panels.clip.transcript, panels.several.files, panels.compare.other):
        chosen.upload(service.take, chosen, None, queue=False, **QUIET)


def _wire_ends(panels: Panels, page: gr.Blocks, states: States, service: Service) -> Any:
    """Cancelling, deleting and leaving; what each of them ends stands in `app.visits`. Gives the event of deleting."""
    panels.clip.cancel.click(service.stop, None, None, queue=False, api_visibility="private")
    cleared = [panels.clip.video, panels.clip.transcript, *panels.given(states)]
    deleted = panels.clip.delete.click(service.delete, None, cleared, queue=False, **QUIET)
    page.unload(service.leave)
    return deleted


def _wire_analyses(panels: Panels, states: States, service: Service) -> None:
    """An analysis begins at the button, and again with the words that were corrected."""
    corrected = gr.State(None, time_to_live=KEPT)
    correcting = panels.transcript.correct.click(service.correct, panels.transcript.table, corrected, **AGAIN)
    for begins, words in (
        (panels.clip.analyse.click, panels.clip.transcript),
        (correcting.success, corrected),
    ):
        running = begins(
            service.run,
            [panels.clip.video, words, panels.clip.language, panels.clip.at],
            panels.given(states),
            js=clip.AT,
            concurrency_limit=AT_ONCE,
            concurrency_id=GROUP,
            **AGAIN,
        )
        _show_result(running, panels, states, service)


def _show_result(running: Any, panels: Panels, states: States, service: Service) -> None:
    """What follows an event that gave an analysis: the other panels are filled, and only then seen.

    One after another, so that none is seen with what was said of another clip. Once all is shown, the face's pictures
    come, and a report with these and the answers to further questions.
    """
    emptied = running.then(compare.reset, None, compare.outputs(panels.compare), **AGAIN)
    given = [states.analysis, panels.clip.video, *timeline.inputs(panels.timeline)]
    shown = emptied.then(service.show, given, panels.cards(), **AGAIN)
    looked = shown.then(service.look, [states.analysis, states.grid], panels.answers(), **AGAIN)
    asked = [states.analysis, states.grid, panels.clip.video]
    portrayed = looked.then(service.portray, asked, panels.timeline.faces, **AGAIN)
    portrayed.then(service.report, asked, panels.saving.buttons["html"], **AGAIN)


def _wire_language(panels: Panels, page: gr.Blocks, states: States, service: Service) -> tuple[Any, Any]:
    """What the browser cannot put into another language is made anew: as the page opens, and at another choice.

    Gives both events, for the panels that tell themselves again.
    """
    spoken = [panels.clip.language, panels.compare.way]
    came = page.load(_speak, None, spoken, **QUIET)
    # First of all, so that all that ends from now on ends in the language; only then what is shown is read.
    said = panels.retell.click(service.speak, None, None, **AGAIN)
    said.then(_speak, None, spoken, **AGAIN)
    said.then(service.tell_again, [states.analysis, panels.result], panels.result, **AGAIN)
    window = [panels.coupling.start, panels.coupling.end]
    shown = [states.analysis, *timeline.inputs(panels.timeline), panels.transcript.table, *window]
    said.then(service.retell, shown, panels.told(), js=coupling.WINDOW, **AGAIN)
    asked = [states.analysis, states.grid, panels.why.asked, panels.switches.kept]
    looked = said.then(service.look_again, asked, panels.answers(), **AGAIN)
    given = [states.analysis, states.grid, panels.clip.video]
    looked.then(service.portray, given, panels.timeline.faces, **AGAIN)
    return came, said


def _speak(request: gr.Request) -> list[Any]:
    """Choices: gradio's own way knows labels and values only."""
    spoken = language_of(request)
    return [gr.update(choices=choices(spoken)) for choices in (language.choices, compare.choices)]


def _scripts() -> str:
    """The browser's parts as one function, which gradio calls when the page is up."""
    calls = [f"({(ASSETS / name).read_text(encoding='utf-8').strip()})();" for name in SCRIPTS]
    return "() => {\n" + "\n".join(calls) + "\n}"


def _theme() -> gr.themes.Base:
    """Quiet surfaces and the system's own fonts: nothing is fetched from outside."""
    fonts = [gr.themes.Font(name) for name in FONTS]
    mono = [gr.themes.Font(name) for name in MONO]
    return gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", radius_size="lg", font=fonts, font_mono=mono
    )


def _warm() -> None:
    """Load every model by analysing two seconds of the sample."""
    try:
        from app.service import warm

        warm()
    except Exception as error:
        _log.warning("the models could not be loaded ahead: %s", fault_of(error) or place_of(error))
