"""What the page calls: runs analyses, says how they go, and turns every failure into a sentence."""

from __future__ import annotations

import logging
import secrets
import tempfile
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from app.analysis import Analysis
from app.cards import RESULT, result_card
from app.copies import Copies
from app.corrections import rows_to_subtitles
from app.exports import FORMATS
from app.i18n import DEFAULT, retell, tell
from app.i18n.labels import language_of
from app.keeping import date_like, rooms_in
from app.panels import coupling, saving, space, status, switches, timeline, transcript, why
from app.portraits import make_portraits, portraits_card
from app.quiet import place_of
from app.runs import Run, Runs
from app.stages import StoppedError
from app.turns import BusyError
from app.zerogpu import at_home
from extractors.records import Grid, InputError

# gradio is to hold no analysis back: app.turns does, and tells each visitor the place in the line.
AT_ONCE: int | None = None
GROUP = "analysis"
SURPRISE = tell("heard.surprise")
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Service:
    """The analyses of one page's visitors."""

    def __init__(self, cache: str) -> None:
        self._rooms = rooms_in(cache)
        self._runs = Runs(self._rooms)
        self._copies = Copies(self._rooms)
        self._asked: dict[str, Path] = {}  # by session, the clip of the analysis under way or shown

    def prepare(self, video: str | None, request: gr.Request | None = None) -> Any:
        """A copy that browsers can play and jump about in, in place of an upload or a recording that they cannot.

        Nothing changes where another video was chosen meanwhile.
        """
        try:
            copy = self.playable(video, request) if video else video
        except StoppedError:
            return gr.skip()
        return gr.skip() if copy == video or copy is None else copy

    def playable(self, video: str, request: gr.Request | None = None) -> str:
        """The video itself, or the path of a copy where browsers cannot play it or jump about in it.

        Raises StoppedError where the visitor chose another video meanwhile, or deleted it.
        """
        session, language = session_of(request), language_of(request)

        def copy(room: Path) -> tuple[str, bool]:
            return self._copies.playable(session, video, room)

        path, anew = self._work(copy, (video, False), session, language)
        if anew:
            gr.Info(tell("status.copy", language))
        return path

    def run(
        self, video: str | None, given: str | None, request: gr.Request, spoken: str | None = None
    ) -> Iterator[list[Any]]:
        """Values for (result, state, analyse, cancel, detail, saving, grid), stage by stage, then with the analysis.

        `spoken` is the language of the speech.

        Raises gr.Error, after the page was put back in order, where there is no result.
        """
        language = language_of(request)
        if not video:
            raise refusal(tell("status.choose", language), language)
        mine = session_of(request)
        clip, words = self._copies.original(mine, video), given and self._rooms.claim(mine, given)
        if not clip.exists():
            raise refusal(tell("status.gone", language), language)
        run, session = Run(), request.session_hash or ""
        self._asked[session] = clip
        for run in self._runs.watch(session, clip, words, language=spoken):
            if run.result is None and run.error is None and not run.stop.is_set():
                card = (
                    status.waiting_card(run.place, language)
                    if run.place
                    else status.stages_card(run, language)
                )
                yield [card, None, *_buttons(busy=True), *_shown(False), None]
        if run.result is not None:
            yield result(run.result, run.grid, language)
            return
        sentence = explain(run.error)
        head = tell("status.no_result" if sentence else "status.stopped", language)
        card = status.message_card(head, sentence or tell("status.cancelled", language), language)
        yield [card, None, *_buttons(busy=False), *_shown(False), None]
        if sentence:
            raise refusal(sentence, language)

    def tell_again(self, analysis: Any, shown: str | None, request: gr.Request) -> Any:
        """The value for the result in another language; nothing changes where there is no analysis.

        Which is said where a result is `shown` all the same.
        """
        if analysis is None:
            if RESULT in (shown or ""):
                status.warn_gone(request)
            return gr.skip()
        return result_card(analysis, language_of(request))

    def show(
        self,
        analysis: Any,
        video: str | None,
        target: str,
        tone: bool = False,
        request: gr.Request | None = None,
    ) -> list[Any]:
        """Values for the cards below the result; nothing changes where there is no analysis."""
        nothing = [gr.skip() for _ in range(9 + len(FORMATS))]
        if analysis is None:
            return nothing
        language, session = language_of(request), session_of(request)

        def draw(room: Path) -> list[Any]:
            clip = self._copies.original(session, video or "clip")
            saved = saving.show(analysis, str(clip), str(self._rooms.new(session, room)))
            self._date(session, clip, saved)
            return [
                *timeline.show(analysis, target, tone, language),
                *coupling.show(analysis, language),
                *transcript.show(analysis, language),
                *saved,
            ]

        return self._work(draw, nothing, session, language)

    def look(self, analysis: Any, grid: Any, request: gr.Request | None = None) -> list[Any]:
        """Values for the cards that ask more of the kept grid; nothing changes where there is none."""
        if analysis is None or grid is None:
            return [gr.skip() for _ in range(7)]
        language = language_of(request)
        layers, path = coupling.show_layers(grid, language), space.show(analysis, grid, language)
        moment = why.show(analysis, grid, language=language)
        return [*moment, *switches.show(analysis, grid, language), layers, path]

    def portray(self, analysis: Any, grid: Any, video: str | None, request: gr.Request | None = None) -> Any:
        """The face's pictures for the time line; nothing changes where there is no grid."""
        if analysis is None or grid is None:
            return gr.skip()
        session, language = session_of(request), language_of(request)

        def draw(room: Path) -> Any:
            clip = self._copies.original(session, video or "clip")
            return portraits_card(make_portraits(analysis, grid, clip), language)

        return self._work(draw, gr.skip(), session, language)

    def report(self, analysis: Any, grid: Any, video: str | None, request: gr.Request | None = None) -> Any:
        """The report's file with the answers in it, after all else is shown; nothing changes where there is no grid."""
        if analysis is None or grid is None:
            return gr.skip()
        session = session_of(request)

        def write(room: Path) -> Any:
            clip = self._copies.original(session, video or "clip")
            path = saving.show_report(analysis, grid, str(clip), self._rooms.new(session, room))
            self._date(session, clip, [path])
            return path

        return self._work(write, gr.skip(), session, language_of(request))

    def correct(self, rows: list[list[Any]] | None, request: gr.Request | None = None) -> str:
        """The path of the edited rows as subtitles. Raises gr.Error where they cannot be read."""
        try:
            text = rows_to_subtitles(rows or [])
        except ValueError as error:
            raise refusal(str(error), language_of(request)) from None
        session = session_of(request)

        def write(room: Path) -> str:
            path = self._rooms.new(session, room) / "corrected.srt"
            path.write_text(text, encoding="utf-8")
            return str(path)

        return self._work(write, "", session, language_of(request))

    def forget(self, video: str | None, opened: str | None, request: gr.Request) -> list[Any]:
        """Values as of `run`, for a page whose video was changed: what is shown always belongs to the video shown.

        Nothing changes where the video is the one under analysis or shown, which a browser may tell late: the button
        can be pressed before; nor where it is the one `opened` together with its result.
        """
        session = session_of(request)
        clip = self._copies.original(session, video) if video else None
        self._copies.stop(session, but=clip)
        if clip is not None and clip == self._asked.get(request.session_hash or ""):
            return [gr.skip() for _ in range(7)]
        self.stop(request)
        if video and video == opened:
            return [gr.skip() for _ in range(7)]
        return [status.invitation(), None, *_buttons(busy=False), *_shown(False), None]

    def take(self, files: str | list[str] | None, request: gr.Request) -> None:
        """Files were chosen: from now on they are the session's, whether or not they are ever analysed."""
        for file in [files] if isinstance(files, str) else files or []:
            self._rooms.claim(session_of(request), file)

    def delete(self, request: gr.Request) -> list[Any]:
        """Delete everything of the session now; gives values for (video, transcript) and as `run` does."""
        self._end(request)
        gr.Info(tell("clip.deleted", language_of(request)))
        return [None, None, status.invitation(), None, *_buttons(busy=False), *_shown(False), None]

    def leave(self, request: gr.Request) -> None:
        """The page was left: stop what it had under way and delete everything of it."""
        self._end(request)

    def stop(self, request: gr.Request) -> None:
        """Stop what the session has under way."""
        self._asked.pop(request.session_hash or "", None)
        self._runs.stop(request.session_hash or "")

    def _end(self, request: gr.Request) -> None:
        self.stop(request)
        self._copies.stop(session_of(request))
        self._rooms.leave(session_of(request))

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

    def _date(self, session: str, clip: Path, made: list[str]) -> None:
        """What was made of a clip is not kept longer than the clip."""
        if self._rooms.holds(session, clip):
            date_like(clip, *map(Path, made))


def result(analysis: Analysis, grid: Grid | None, language: str) -> list[Any]:
    """Values for (result, state, analyse, cancel, detail, saving, grid) with an analysis."""
    card = result_card(analysis, language)
    return [card, analysis, *_buttons(busy=False), *_shown(True), grid]


def explain(error: BaseException | None) -> str:
    """The sentence for a person, in English; empty where the analysis was merely stopped. Surprises go to the log."""
    if error is None or isinstance(error, StoppedError):
        return ""
    if isinstance(error, (InputError, BusyError)):
        return str(error)
    # Not the error's own words: they can hold a file's name or what was said.
    _log.error("an analysis failed: %s", place_of(error))
    return SURPRISE


def session_of(request: gr.Request | None) -> str:
    """The session's name; one that nobody else has where there is none, whose files then go by age alone."""
    return (request.session_hash if request is not None else None) or secrets.token_hex()


def warm() -> None:
    """Load every model by analysing two seconds of the sample."""
    from app.analyze import analyze
    from app.sample import make_sample

    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "warm.mp4"
        make_sample(short, 2.0)
        with at_home():
            analyze(short)


def refusal(sentence: str, language: str = DEFAULT) -> gr.Error:
    """The error that shows the sentence, told again in the language, to whoever asked."""
    # gradio draws the message as HTML, and a file's name can be in it.
    title = tell("status.no_result", language)
    return gr.Error(escape(retell(sentence, language)), title=title, print_exception=False)


def _buttons(*, busy: bool) -> list[Any]:
    """(analyse, cancel) while busy or not."""
    return [gr.update(interactive=not busy), gr.update(visible=busy)]


def _shown(visible: bool) -> list[Any]:
    """(detail, saving) shown or hidden."""
    return [gr.update(visible=visible), gr.update(visible=visible)]
