"""What the page calls: runs analyses, says how they go, and turns every failure into a sentence."""

from __future__ import annotations

import logging
import secrets
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.cards import result_card
from app.corrections import rows_to_subtitles
from app.exports import FORMATS
from app.panels import coupling, saving, space, status, switches, timeline, transcript, why
from app.runs import Run, Runs
from app.stages import StoppedError
from extractors.records import InputError

AT_ONCE, GROUP = 2, "analysis"  # analyses at the same time; later ones wait in the queue
SURPRISE = "Something went wrong on the server, and its log has the details. Another clip may well work."
_log = logging.getLogger(__name__)


class Service:
    """The analyses of one page's visitors."""

    def __init__(self, cache: str) -> None:
        self._runs = Runs(Path(cache) / "stages")  # swept with the rest of the folder
        self._cache = cache
        self._originals: dict[str, str] = {}  # what a preview's name, which nobody can guess, stands for

    def prepare(self, video: str | None) -> Any:
        """A copy that browsers can play, in place of an upload that they cannot."""
        from app.preview import is_playable, make_preview

        if not video or is_playable(video):
            return gr.skip()
        Path(self._cache).mkdir(parents=True, exist_ok=True)
        copy = Path(tempfile.mkdtemp(dir=self._cache)) / f"{Path(video).stem[:60]}.{secrets.token_hex(8)}.mp4"
        if not make_preview(video, copy):
            return gr.skip()
        self._originals[copy.name] = video
        gr.Info("Browsers cannot play this kind of file, so a copy is shown. The original is analysed.")
        return str(copy)

    def run(self, video: str | None, given: str | None, request: gr.Request) -> Iterator[list[Any]]:
        """Values for (result, state, analyse, cancel, detail, saving, grid), stage by stage, then with the analysis.

        Raises gr.Error, after the page was put back in order, where there is no result.
        """
        if not video:
            raise refusal("Choose or record a video first.")
        clip = self._original(video)
        if not Path(clip).exists():
            raise refusal(
                "The video is no longer on the server, which keeps it for under an hour: choose it again."
            )
        run = Run()
        for run in self._runs.watch(request.session_hash or "", clip, given):
            if run.result is None and run.error is None and not run.stop.is_set():
                yield [status.stages_card(run), None, *_buttons(busy=True), *_shown(False), None]
        if run.result is not None:
            yield [result_card(run.result), run.result, *_buttons(busy=False), *_shown(True), run.grid]
            return
        sentence = explain(run.error)
        head = "No result" if sentence else "Stopped"
        card = status.message_card(head, sentence or "The analysis was cancelled.")
        yield [card, None, *_buttons(busy=False), *_shown(False), None]
        if sentence:
            raise refusal(sentence)

    def show(self, analysis: Any, video: str | None, target: str) -> list[Any]:
        """Values for the cards below the result; nothing changes where there is no analysis."""
        if analysis is None:
            return [gr.skip() for _ in range(6 + len(FORMATS))]
        return [
            *timeline.show(analysis, target),
            *coupling.show(analysis),
            *transcript.show(analysis),
            *saving.show(analysis, self._original(video or "clip"), self._cache),
        ]

    def look(self, analysis: Any, grid: Any) -> list[Any]:
        """Values for the cards that ask more of the kept grid; nothing changes where there is none."""
        if analysis is None or grid is None:
            return [gr.skip() for _ in range(7)]
        layers, path = coupling.show_layers(grid), space.show(analysis, grid)
        return [*why.show(analysis, grid), *switches.show(analysis, grid), layers, path]

    def correct(self, rows: list[list[Any]] | None) -> str:
        """The path of the edited rows as subtitles. Raises gr.Error where they cannot be read."""
        try:
            text = rows_to_subtitles(rows or [])
        except ValueError as error:
            raise refusal(str(error)) from None
        Path(self._cache).mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=self._cache)) / "corrected.srt"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def _original(self, video: str) -> str:
        return self._originals.get(Path(video).name, video)

    def forget(self, request: gr.Request) -> list[Any]:
        """Values as of `run`, for a page whose video was changed: what is shown always belongs to the video shown."""
        self.stop(request)
        return [status.INVITATION, None, *_buttons(busy=False), *_shown(False), None]

    def stop(self, request: gr.Request) -> None:
        """Stop what the session has under way."""
        self._runs.stop(request.session_hash or "")


def explain(error: BaseException | None) -> str:
    """The sentence a person is told; empty where the analysis was merely stopped. Surprises go to the log."""
    if error is None or isinstance(error, StoppedError):
        return ""
    if isinstance(error, InputError):
        return str(error)
    _log.error("an analysis failed", exc_info=error)
    return SURPRISE


def warm() -> None:
    """Load every model by analysing two seconds of the sample."""
    from app.analyze import analyze
    from app.sample import make_sample

    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "warm.mp4"
        make_sample(short, 2.0)
        analyze(short)


def refusal(sentence: str) -> gr.Error:
    """The error that shows the sentence to whoever asked."""
    # gradio draws the message as HTML, and a file's name can be in it.
    return gr.Error(escape(sentence), title="No result", print_exception=False)


def _buttons(*, busy: bool) -> list[Any]:
    """(analyse, cancel) while busy or not."""
    return [gr.update(interactive=not busy), gr.update(visible=busy)]


def _shown(visible: bool) -> list[Any]:
    """(detail, saving) shown or hidden."""
    return [gr.update(visible=visible), gr.update(visible=visible)]
