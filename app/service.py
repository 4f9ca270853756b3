"""What the page calls: runs analyses, says how they go, and turns every failure into a sentence."""

from __future__ import annotations

import logging
import secrets
import tempfile
import traceback
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.cards import result_card
from app.corrections import rows_to_subtitles
from app.exports import FORMATS
from app.i18n import DEFAULT, retell, tell
from app.i18n.labels import language_of
from app.keeping import rooms_in
from app.panels import coupling, saving, space, status, switches, timeline, transcript, why
from app.portraits import make_portraits, portraits_card
from app.runs import Run, Runs
from app.stages import StoppedError
from app.turns import BusyError
from app.zerogpu import at_home
from extractors.records import Grid, InputError

# gradio is to hold no analysis back: app.turns does, and tells each visitor the place in the line.
AT_ONCE: int | None = None
GROUP = "analysis"
ORIGINAL = ".original"  # ending of the link, beside a copy to look at, to what was uploaded
SURPRISE = tell("heard.surprise")
_log = logging.getLogger(__name__)


class Service:
    """The analyses of one page's visitors."""

    def __init__(self, cache: str) -> None:
        self._rooms = rooms_in(cache)
        self._runs = Runs(self._rooms)
        self._asked: dict[str, Path] = {}  # by session, the clip of the analysis under way or shown

    def prepare(self, video: str | None, request: gr.Request | None = None) -> Any:
        """A copy that browsers can play and jump about in, in place of an upload or a recording that they cannot."""
        from app.preview import is_playable, is_seekable, make_preview, make_seekable

        if not video:
            return gr.skip()
        played = is_playable(video)
        if played and is_seekable(video):
            return gr.skip()
        session = session_of(request)
        original = self._rooms.claim(session, video)
        copy = self._rooms.new(session) / f"{original.stem[:60]}{original.suffix if played else '.mp4'}"
        if not (make_seekable if played else make_preview)(original, copy):
            return gr.skip()
        copy.with_suffix(ORIGINAL).symlink_to(original)
        if not played:
            gr.Info(tell("status.copy", language_of(request)))
        return str(copy)

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
        clip, words = self._own(video, request), given and self._rooms.claim(session_of(request), given)
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

    def tell_again(self, analysis: Any, request: gr.Request) -> Any:
        """The value for the result in another language; nothing changes where there is no analysis."""
        return gr.skip() if analysis is None else result_card(analysis, language_of(request))

    def show(
        self,
        analysis: Any,
        video: str | None,
        target: str,
        tone: bool = False,
        request: gr.Request | None = None,
    ) -> list[Any]:
        """Values for the cards below the result; nothing changes where there is no analysis."""
        if analysis is None:
            return [gr.skip() for _ in range(9 + len(FORMATS))]
        language = language_of(request)
        return [
            *timeline.show(analysis, target, tone, language),
            *coupling.show(analysis, language),
            *transcript.show(analysis, language),
            *saving.show(
                analysis, str(self._own(video or "clip", request)), str(self._rooms.new(session_of(request)))
            ),
        ]

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
        clip = self._own(video or "clip", request)
        return portraits_card(make_portraits(analysis, grid, clip), language_of(request))

    def report(self, analysis: Any, grid: Any, video: str | None, request: gr.Request | None = None) -> Any:
        """The report's file with the answers in it, after all else is shown; nothing changes where there is no grid."""
        if analysis is None or grid is None:
            return gr.skip()
        own = str(self._own(video or "clip", request))
        return saving.show_report(analysis, grid, own, self._rooms.new(session_of(request)))

    def correct(self, rows: list[list[Any]] | None, request: gr.Request | None = None) -> str:
        """The path of the edited rows as subtitles. Raises gr.Error where they cannot be read."""
        try:
            text = rows_to_subtitles(rows or [])
        except ValueError as error:
            raise refusal(str(error), language_of(request)) from None
        path = self._rooms.new(session_of(request)) / "corrected.srt"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def _own(self, video: str, request: gr.Request | None) -> Path:
        """The session's own file of what the page shows: of an upload, or the original of a copy made by `prepare`."""
        session = session_of(request)
        behind = Path(video).with_suffix(ORIGINAL)
        if self._rooms.holds(session, behind) and behind.is_symlink():
            return behind.readlink()
        return self._rooms.claim(session, video)

    def forget(self, video: str | None, opened: str | None, request: gr.Request) -> list[Any]:
        """Values as of `run`, for a page whose video was changed: what is shown always belongs to the video shown.

        Nothing changes where the video is the one under analysis or shown, which a browser may tell late: the button
        can be pressed before; nor where it is the one `opened` together with its result.
        """
        clip = self._own(video, request) if video else None
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
        self.stop(request)
        self._rooms.leave(session_of(request))
        gr.Info(tell("clip.deleted", language_of(request)))
        return [None, None, status.invitation(), None, *_buttons(busy=False), *_shown(False), None]

    def leave(self, request: gr.Request) -> None:
        """The page was left: stop what it had under way and delete everything of it."""
        self.stop(request)
        self._rooms.leave(session_of(request))

    def stop(self, request: gr.Request) -> None:
        """Stop what the session has under way."""
        self._asked.pop(request.session_hash or "", None)
        self._runs.stop(request.session_hash or "")


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
    steps = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{step.name} ({Path(step.filename).name}:{step.lineno})" for step in reversed(steps))
    _log.error("an analysis failed: %s in %s", type(error).__name__, where)
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
