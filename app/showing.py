"""What is shown of an analysis that is done: the cards, the answers to further questions, the files, another language.

Each is left out where something else is shown by the time it is made, and ends in the language chosen by then: see
`app.server.visits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from app.face_box import face_box
from app.panels import coupling, saving, space, status, switches, timeline, transcript, why
from app.portraits import make_portraits, portraits_card
from app.server.copies import Copies
from app.server.keeping import date_like, rooms_in
from app.server.refusals import explain, refusal
from app.server.visits import (
    DRAW,
    LOOK,
    LOOK_AGAIN,
    PORTRAY,
    REPORT,
    RETELL,
    SHOW,
    WHY,
    WITHOUT,
    Work,
    session_of,
    visits_of,
)

T = TypeVar("T")


class Showing:
    """What the visitors of a page are shown of their analyses."""

    def __init__(self, cache: str) -> None:
        self._rooms = rooms_in(cache)
        self._visits, self._copies = visits_of(cache), Copies(self._rooms)

    def show(
        self,
        analysis: Any,
        video: str | None,
        target: str,
        tone: bool = False,
        request: gr.Request | None = None,
    ) -> Any:
        """Values for (detail, saving), which are seen from now on, the cards within, and those of `look`, still empty.

        Nothing changes where there is no analysis, or no longer this one.
        """

        def make(language: str, _: Work) -> list[Any] | None:
            return self._work(lambda room: draw(room, language), None, session, language)

        def draw(room: Path, language: str) -> list[Any]:
            files, fault = self._write(partial(saving.write, analysis), video, session, room)
            return [
                *parts(seen=True),
                *timeline.show(analysis, target, tone, language),
                *coupling.show(analysis, language),
                *transcript.show(analysis, language),
                *saving.show(files, fault, language),
                *blank(),
            ]

        session = session_of(request)
        made = None if analysis is None else self._visits.answer(request, SHOW, make)
        return made or gr.skip()

    def look(self, analysis: Any, grid: Any, request: gr.Request | None = None) -> Any:
        """Values for the cards that ask more of the kept grid; nothing changes where there is none, as for `show`.

        What the visitor asked meanwhile, of a moment or without a modality, stays.
        """

        def make(language: str, work: Work) -> list[Any]:
            with work.step():
                layers = coupling.show_layers(grid, language)
            with work.step():
                path = space.show(analysis, grid, language)
            with work.step():
                moment = why.show(analysis, grid, language=language)
            with work.step():
                switched = switches.show(analysis, grid, language)
            return [*_unless(WHY in work.met, moment), *_unless(WITHOUT in work.met, switched), layers, path]

        asked = analysis is not None and grid is not None
        made = self._visits.answer(request, LOOK, make) if asked else None
        return made or gr.skip()

    def explain(
        self, analysis: Any, grid: Any, seconds: float | None, request: gr.Request | None = None
    ) -> Any:
        """Values for the card "why here?" of a moment; nothing changes as for `look`, which is said."""

        def make(language: str, work: Work) -> list[Any]:
            with work.step():
                return why.show(analysis, grid, seconds or 0.0, language)

        return self._reply(WHY, analysis, grid, make, request)

    def without(self, analysis: Any, grid: Any, kept: list[str], request: gr.Request | None = None) -> Any:
        """Values for the card of the line with the modalities `kept` alone; nothing changes as for `explain`."""

        def make(language: str, work: Work) -> list[Any]:
            with work.step():
                return switches.answer(analysis, grid, kept, language, asked=True)

        return self._reply(WITHOUT, analysis, grid, make, request)

    def draw(self, analysis: Any, target: str, tone: bool, request: gr.Request | None = None) -> Any:
        """The time line with the shares of another chain, with or without the voice's band; as `explain`."""

        def make(language: str, _: Work) -> Any:
            return timeline.draw(analysis, target, tone, language)

        return self._reply(DRAW, analysis, analysis, make, request)

    def _reply(
        self,
        kind: str,
        analysis: Any,
        grid: Any,
        make: Callable[[str, Work], Any],
        request: gr.Request | None,
    ) -> Any:
        """What `make` makes for a visitor who asked; nothing changes where the analysis is no longer kept or shown."""
        if analysis is None or grid is None:
            status.warn_gone(request)
            return gr.skip()
        made = self._visits.answer(request, kind, make)
        return gr.skip() if made is None else made

    def portray(self, analysis: Any, grid: Any, video: str | None, request: gr.Request | None = None) -> Any:
        """The face's pictures for the time line, and its frame in the video; nothing changes as for `look`."""

        def make(language: str, work: Work) -> Any:
            def draw(room: Path) -> str:
                clip = self._copies.original(session, video or "clip")
                with work.step():
                    return portraits_card(make_portraits(analysis, grid, clip), language) + face_box(grid)

            return self._work(draw, gr.skip(), session, language)

        session = session_of(request)
        made = None if analysis is None or grid is None else self._visits.answer(request, PORTRAY, make)
        return gr.skip() if made is None else made

    def report(self, analysis: Any, grid: Any, video: str | None, request: gr.Request | None = None) -> Any:
        """The report's file with the answers in it, after all else is shown; nothing changes as for `look`.

        And what is said under the buttons where the file cannot be written, as for `show`.
        """

        def make(language: str, work: Work) -> list[Any]:
            def write(room: Path) -> list[Any]:
                def save(clip: str, folder: Path) -> dict[str, str]:
                    return {saving.REPORT: saving.show_report(analysis, grid, clip, folder, step=work.step)}

                files, fault = self._write(save, video, session, room)
                told = saving.tell_fault(fault, language) if fault else gr.skip()
                return [saving.offer(files.get(saving.REPORT)), told]

            return self._work(write, [], session, language)

        session, asked = session_of(request), analysis is not None and grid is not None
        made = self._visits.answer(request, REPORT, make) if asked else None
        return made or gr.skip()

    def retell(
        self,
        analysis: Any,
        target: str,
        tone: bool,
        rows: list[list[Any]] | None,
        request: gr.Request | None = None,
    ) -> Any:
        """Values for the cards of `show` but the files, which are in English: in another language, else as they are.

        The edited rows and the face's pictures stay. Nothing changes while `show` itself is under way.
        """

        def make(language: str, work: Work) -> list[Any]:
            offered, shown, _faces, drawn, table = timeline.show(analysis, target, tone, language)
            rest = [
                table,
                *coupling.show(analysis, language),
                *transcript.show_again(analysis, rows, language),
            ]
            # Last: by now another chain may have been asked for, which then stays.
            return [offered, shown, gr.skip(), *_unless(DRAW in work.met, [drawn]), *rest]

        if analysis is None or self._visits.is_under_way(session_of(request), SHOW):
            return gr.skip()
        return self._visits.answer(request, RETELL, make) or gr.skip()

    def look_again(
        self,
        analysis: Any,
        grid: Any,
        seconds: float | None,
        kept: list[str],
        request: gr.Request | None = None,
    ) -> Any:
        """Values as of `look` in another language: of the moment explained, with what is switched on; as `retell`."""

        def make(language: str, work: Work) -> list[Any]:
            with work.step():
                moment = why.show(analysis, grid, seconds, language)
            with work.step():
                switched = switches.show_again(analysis, grid, kept, language)
            with work.step():
                layers = coupling.show_layers(grid, language)
            with work.step():
                path = space.show(analysis, grid, language)
            return [*_unless(WHY in work.met, moment), *_unless(WITHOUT in work.met, switched), layers, path]

        if analysis is None or grid is None or self._visits.is_under_way(session_of(request), LOOK):
            return gr.skip()
        return self._visits.answer(request, LOOK_AGAIN, make) or gr.skip()

    def _work(self, work: Callable[[Path], T], nothing: T, session: str, language: str) -> T:
        """What `work` gives, which may write in the session's room; `nothing` where the session ended meanwhile.

        Raises gr.Error where files cannot be read or written: gradio would log a path, with the visitor's own name.
        """
        with self._rooms.at_work(session) as room:
            try:
                given = work(room)
            except OSError as error:
                if not self._rooms.is_over(room):
                    raise refusal(explain(error), language) from None
                return nothing
            # The files would be looked for, though they are gone or about to go.
            return nothing if self._rooms.is_over(room) else given

    def _write(
        self, save: Callable[[str, Path], dict[str, str]], video: str | None, session: str, room: Path
    ) -> tuple[dict[str, str], str]:
        """The files by format that `save` makes of a clip in a folder; none, and why, where they cannot be written.

        What is seen needs no disk: a full one takes the files alone. Raises OSError where the session ended
        meanwhile, and its room with it.
        """
        try:
            clip = self._copies.original(session, video or "clip")
            files = save(str(clip), self._rooms.new(session, room))
        except OSError as error:
            if self._rooms.is_over(room):
                raise
            return {}, explain(error)
        self._date(session, clip, files.values())
        return files, ""

    def _date(self, session: str, clip: Path, made: Iterable[str]) -> None:
        """What was made of a clip is not kept longer than the clip."""
        if self._rooms.holds(session, clip):
            date_like(clip, *map(Path, made))


def parts(*, seen: bool) -> list[Any]:
    """(detail, saving) seen or hidden: they are hidden for as long as what is in them is of another analysis."""
    return [gr.update(visible=seen), gr.update(visible=seen)]


def _unless(asked: bool, values: list[Any]) -> list[Any]:
    """The values; where the visitor `asked` for others of the same card, those stay."""
    return [gr.skip() for _ in values] if asked else values


def blank() -> list[Any]:
    """Values as of `look` that say nothing, as before anything was asked of an analysis."""
    return [*why.blank(), *switches.blank(), "", ""]
