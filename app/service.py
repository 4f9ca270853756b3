"""What the page calls: runs analyses, says how they go, and turns every failure into a sentence."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.corrections import rows_to_subtitles
from app.i18n import tell
from app.panels import buttons, status
from app.panels.language import asked
from app.sample import sample_clip
from app.server.refusals import explain, refusal
from app.server.runs import Run, Runs
from app.server.visits import ANALYSIS, Work, session_of
from app.showing import Showing, parts
from app.stages import StoppedError
from app.telling.cards import RESULT, result_card
from app.zerogpu import at_home
from extractors.records import Grid

# gradio is to hold no analysis back: app.server.turns does, and tells each visitor the place in the line.
AT_ONCE: int | None = None
GROUP = "analysis"


class Service(Showing):
    """The analyses of one page's visitors, from the upload to the end; what is shown of them is in `app.showing`."""

    def __init__(self, cache: str) -> None:
        super().__init__(cache)
        self._runs = Runs(self._rooms)
        # By session, why its last analysis gave nothing; "" where it was stopped.
        self._failed: dict[str, str] = self._visits.notes()
        # By session, the clip of the analysis under way or shown.
        self._asked: dict[str, Path] = self._visits.notes()
        # By session, the transcript in its place that an analysis has used: the next clip's is another one.
        self._used: dict[str, str] = self._visits.notes()

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
        session, language = session_of(request), self._visits.language(request)

        def copy(room: Path) -> tuple[str, str]:
            return self._copies.playable(session, video, room)

        path, said = self._work(copy, (video, ""), session, language)
        if said:
            gr.Info(tell(said, language))
        return path

    def sample(self, request: gr.Request) -> Any:
        """The sample, for a page that opens; nothing changes where a video was chosen while the sample was made."""
        path = str(sample_clip())
        return gr.skip() if self._visits.has_video(request) else path

    def run(
        self,
        video: str | None,
        given: str | None,
        request: gr.Request,
        spoken: str | None = None,
        at: float | None = None,
    ) -> Iterator[Any]:
        """Values for (result, state, analyse, cancel, detail, saving, grid), stage by stage, then with the analysis.

        `spoken` is the language of the speech. Nothing changes where the page, which asked `at` ms of its clock, is
        known to have another video by now.

        Raises gr.Error, after the page was put back in order, where there is no result.
        """
        language = self._visits.language(request)
        if not video:
            raise refusal(tell("status.choose", language), language)
        session = session_of(request)
        clip, words = self._copies.original(session, video), given and self._rooms.claim(session, given)
        if not clip.exists():
            raise refusal(tell("status.gone", language), language)
        if self._visits.is_late(request, at):
            yield gr.skip()
            return
        if request.session_hash:
            self._asked[session] = clip  # first: news of the video that comes now ends nothing
            if given and not self._rooms.holds(session, Path(given)):  # but not words that were corrected
                self._used[session] = given
        self._visits.end(session, "another")
        work = self._visits.begin(session, ANALYSIS)
        self._failed.pop(session, None)
        try:
            run = yield from self._runs.tell(
                lambda run: self._under_way(run, request),
                request.session_hash or "",
                clip,
                words,
                language=asked(spoken),
                stop=work.stop,
                also=lambda: self._visits.language(request),
            )
            yield from self._ended(run, work, request, session)
        finally:
            self._visits.finished(session, work)

    def _under_way(self, run: Run, request: gr.Request) -> list[Any]:
        card = status.progress_card(run, self._visits.language(request))
        return [card, None, *buttons(busy=True), *parts(seen=False), None]

    def _ended(self, run: Run, work: Work, request: gr.Request, session: str) -> Iterator[Any]:
        """The last values of a run, in the language the visitor has chosen by then; none where it was replaced."""
        sentence = explain(run.error)
        while not work.is_replaced:
            language = self._visits.language(request)
            if run.result is not None:
                yield result(run.result, run.grid, language)
            else:
                if request.session_hash:
                    self._failed[session] = sentence
                yield [
                    failure_card(sentence, language),
                    None,
                    *buttons(busy=False),
                    *parts(seen=False),
                    None,
                ]
            # Only now the page has the values, so that whoever tells it again finds them.
            if self._visits.finished_in(language, work, request, session):
                break
        if work.is_replaced:
            yield gr.skip()
        elif sentence:
            raise refusal(sentence, language)

    def tell_again(self, analysis: Any, shown: str | None, request: gr.Request) -> Any:
        """The value for the result in another language: the analysis, or why there is none; else nothing changes.

        Where a result is `shown` that is no longer kept, the visitor is told so. Nothing changes either while an
        analysis is under way, which takes the language up by itself.
        """
        language, session = self._visits.language(request), session_of(request)
        if self._visits.is_under_way(session, ANALYSIS):
            return gr.skip()
        if analysis is not None:
            return result_card(analysis, language)
        failed = self._failed.get(session)
        if failed is None and RESULT in (shown or ""):
            status.warn_gone(request)
        return gr.skip() if failed is None else failure_card(failed, language)

    def speak(self, request: gr.Request) -> None:
        """Another language was chosen: what is under way takes it up by itself, what is shown is to be told again."""
        self._visits.speak(request)

    def correct(self, rows: list[list[Any]] | None, request: gr.Request | None = None) -> str:
        """The path of the edited rows as subtitles. Raises gr.Error where they cannot be read."""
        try:
            text = rows_to_subtitles(rows or [])
        except ValueError as error:
            raise refusal(str(error), self._visits.language(request)) from None
        session = session_of(request)

        def write(room: Path) -> str:
            path = self._rooms.new(session, room) / "corrected.srt"
            path.write_text(text, encoding="utf-8")
            return str(path)

        return self._work(write, "", session, self._visits.language(request))

    def forget(
        self, video: str | None, opened: str | None, request: gr.Request, at: float | None = None
    ) -> Any:
        """Values as of `run` and for the transcript, for a page whose video was changed.

        What is shown always belongs to the video shown; so does the transcript, which goes if it was used for another.
        Nothing changes where the video is the one under analysis or shown, which a browser may tell late: the button
        can be pressed before; nor where it is the one `opened` together with its result; nor where the page has done
        something newer with its video than what it tells of, `at` ms of its clock.
        """
        if self._visits.is_late(request, at):
            return gr.skip()
        session = session_of(request)
        clip = self._copies.original(session, video) if video else None
        self._copies.stop(session, but=clip)
        if clip is not None and clip == self._asked.get(request.session_hash or ""):
            return gr.skip()
        self._asked.pop(request.session_hash or "", None)
        words = gr.skip() if self._used.pop(session, None) is None else None
        if video and video == opened:  # which ended what was under way before
            return [*[gr.skip()] * 7, words]
        self._visits.end(session, "another")
        self._failed.pop(session, None)
        return [status.invitation(), None, *buttons(busy=False), *parts(seen=False), None, words]

    def take_words(self, file: str | None, request: gr.Request) -> None:
        """A transcript was put in its place, for the video there or one that is still to come."""
        self._used.pop(request.session_hash or "", None)
        self.take(file, request)

    def take(self, files: str | list[str] | None, request: gr.Request) -> None:
        """Files were chosen: from now on they are the session's, whether or not they are ever analysed."""
        for file in [files] if isinstance(files, str) else files or []:
            self._rooms.claim(session_of(request), file)

    def delete(self, request: gr.Request) -> list[Any]:
        """Delete everything of the session now; gives values for (video, transcript) and as `run` does."""
        language = self._visits.language(request)
        self._end(request, "delete")
        gr.Info(tell("clip.deleted", language))
        return [None, None, status.invitation(), None, *buttons(busy=False), *parts(seen=False), None]

    def leave(self, request: gr.Request) -> None:
        """The page was left: stop what it had under way and delete everything of it."""
        self._end(request, "leave")

    def stop(self, request: gr.Request) -> None:
        """Stop the analysis that the session has under way."""
        self._asked.pop(request.session_hash or "", None)
        self._visits.end(session_of(request), "cancel")

    def _end(self, request: gr.Request, event: str) -> None:
        """End everything of the session, and delete it."""
        session = session_of(request)
        self._visits.end(session, event)
        self._copies.stop(session)
        self._asked.pop(request.session_hash or "", None)
        self._failed.pop(session, None)
        self._used.pop(session, None)
        self._rooms.leave(session)


def result(analysis: Analysis, grid: Grid | None, language: str) -> list[Any]:
    """Values for (result, state, analyse, cancel, detail, saving, grid) with an analysis, whose parts `show` brings."""
    card = result_card(analysis, language)
    return [card, analysis, *buttons(busy=False), *parts(seen=False), grid]


def failure_card(sentence: str, language: str) -> str:
    """The card of an analysis that gave nothing: the reason, in English, or an empty one where it was stopped."""
    head = tell("status.no_result" if sentence else "status.stopped", language)
    return status.message_card(head, sentence or tell("status.cancelled", language), language)


def warm() -> None:
    """Load every model by analysing two seconds of the sample, then find what the whole sample's analysis rests on."""
    from app.analyze import analyze
    from app.sample import KEPT, OWNER, make_sample, stages_folder
    from extractors.cache import Cache

    with tempfile.TemporaryDirectory() as folder, at_home():
        short = Path(folder) / "warm.mp4"
        make_sample(short, 2.0)
        analyze(short)
        analyze(sample_clip(), cache=Cache(stages_folder(), KEPT, OWNER))
