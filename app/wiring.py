"""The page's events: what each button, upload and change calls, and what follows it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.api import add_endpoints
from app.i18n.labels import language_of
from app.layout import Panels
from app.panels import (
    AGAIN,
    QUIET,
    clip,
    compare,
    header,
    language,
    saving,
    several,
    switches,
    timeline,
    why,
)
from app.server.forgetting import forget_when_over
from app.server.keeping import KEPT
from app.service import AT_ONCE, GROUP, Service


def wire(panels: Panels, page: gr.Blocks, service: Service) -> None:
    """Every event of the page, within its `gr.Blocks`."""
    header.listen(panels.switch)
    clip.listen(panels.clip, page, service.sample)
    timeline.listen(panels.timeline, panels.analysis, panels.clip.delete, service.draw)
    why.listen(panels.why, panels.analysis, panels.grid, service.explain)
    switches.listen(panels.switches, panels.analysis, panels.grid, service.without)
    opened = gr.State(None, time_to_live=KEPT)
    came, chosen = _wire_language(panels, page, service)
    given = [panels.clip.video, opened, *panels.given()]
    opening = several.listen(panels.several, page, panels.clip, service, given, (came, chosen))
    _show_result(opening, panels, service)
    compare.listen(panels.compare, panels.analysis, panels.grid, panels.clip, page, chosen)
    _wire_analyses(panels, service)
    _wire_files(panels, opened, service)
    deleted = _wire_ends(panels, page, service)
    add_endpoints(page)
    forget_when_over(page, deleted, QUIET)


def _wire_files(panels: Panels, opened: gr.State, service: Service) -> None:
    """What is uploaded or recorded, and a video that is changed for another one."""
    video = panels.clip.video
    for brought in (video.upload, video.stop_recording):
        brought(service.prepare, video, video, **AGAIN)
    words, changed = panels.clip.transcript, [video, opened, panels.clip.at]
    video.change(service.forget, changed, [*panels.given(), words], js=clip.AT, **QUIET)
    words.upload(service.take_words, words, None, queue=False, **QUIET)
    for chosen in (panels.several.files, panels.compare.other):
        chosen.upload(service.take, chosen, None, queue=False, **QUIET)


def _wire_ends(panels: Panels, page: gr.Blocks, service: Service) -> Any:
    """Cancelling, deleting and leaving; what each of them ends is in `app.server.visits`. Gives deleting's event."""
    panels.clip.cancel.click(service.stop, None, None, queue=False, api_visibility="private")
    cleared = [panels.clip.video, panels.clip.transcript, *panels.given()]
    deleted = panels.clip.delete.click(service.delete, None, cleared, queue=False, **QUIET)
    page.unload(service.leave)
    return deleted


def _wire_analyses(panels: Panels, service: Service) -> None:
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
            panels.given(),
            js=clip.AT,
            concurrency_limit=AT_ONCE,
            concurrency_id=GROUP,
            **AGAIN,
        )
        _show_result(running, panels, service)


def _show_result(running: Any, panels: Panels, service: Service) -> None:
    """What follows an event that gave an analysis: the other panels are filled, and only then seen.

    One after another, so that none is seen with what was said of another clip. Once all is shown, the face's pictures
    come, and a report with these and the answers to further questions.
    """
    emptied = running.then(compare.reset, None, compare.outputs(panels.compare), **AGAIN)
    given = [panels.analysis, panels.clip.video, *timeline.inputs(panels.timeline)]
    shown = emptied.then(service.show, given, panels.cards(), **AGAIN)
    looked = shown.then(service.look, [panels.analysis, panels.grid], panels.answers(), **AGAIN)
    asked = [panels.analysis, panels.grid, panels.clip.video]
    portrayed = looked.then(service.portray, asked, panels.timeline.faces, **AGAIN)
    report = [panels.saving.buttons[saving.REPORT], panels.saving.told]
    portrayed.then(service.report, asked, report, **AGAIN)


def _wire_language(panels: Panels, page: gr.Blocks, service: Service) -> tuple[Any, Any]:
    """What the browser cannot put into another language is made anew: as the page opens, and at another choice.

    Gives both events, for the panels that tell themselves again.
    """
    spoken = [panels.clip.language, panels.compare.way]
    came = page.load(_speak, None, spoken, **QUIET)
    # First of all, so that all that ends from now on ends in the language; only then what is shown is read.
    said = panels.retell.click(service.speak, None, None, **AGAIN)
    said.then(_speak, None, spoken, **AGAIN)
    said.then(service.tell_again, [panels.analysis, panels.result], panels.result, **AGAIN)
    shown = [panels.analysis, *timeline.inputs(panels.timeline), panels.transcript.table]
    said.then(service.retell, shown, panels.told(), **AGAIN)
    asked = [panels.analysis, panels.grid, panels.why.asked, panels.switches.kept]
    looked = said.then(service.look_again, asked, panels.answers(), **AGAIN)
    given = [panels.analysis, panels.grid, panels.clip.video]
    looked.then(service.portray, given, panels.timeline.faces, **AGAIN)
    return came, said


def _speak(request: gr.Request) -> list[Any]:
    """Choices: gradio's own way knows labels and values only."""
    spoken = language_of(request)
    return [gr.update(choices=choices(spoken)) for choices in (language.choices, compare.choices)]
