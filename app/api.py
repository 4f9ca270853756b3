"""What programs call: four endpoints for gradio_client, which are tools of an MCP server where `mcp` is installed."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.asking import ask_independent
from app.exports import FORMATS, save
from app.i18n import tell
from app.panels.saving import stem
from app.server.keeping import rooms_in
from app.server.runs import Run, Runs
from app.server.visits import CALL, Work, session_of, visits_of
from app.service import AT_ONCE, GROUP, explain, refusal
from app.stages import STAGES, StoppedError
from app.telling.differences import COUPLED, INDEPENDENT, comparison_of, sides_of
from app.telling.wording import summary

STOPPED = "The analysis was stopped."
USER, TOOL = "x-gradio-user", "mcp"  # the header, and what gradio says in it of a tool's call


@dataclass(frozen=True)
class _Call:
    """One call under way: `session` is whose the clip is and what is worked out of it.

    `lasting` is whose the file is that is given back. `keeps` says whether the session's next call may read what this
    one worked out.
    """

    session: str
    lasting: str
    keeps: bool
    work: Work


class Api:
    """The endpoints of one page; what they write lies in the session's room in its folder `cache`.

    What a session's call worked out is kept for that session, so that asking for the same clip in another form takes a
    second. But gradio calls all tools of MCP, whoever asks for them, through one session of its own: each of these
    calls is a session by itself here, which ends with it.
    """

    def __init__(self, cache: str) -> None:
        self._rooms = rooms_in(cache)
        self._visits, self._runs = visits_of(cache), Runs(self._rooms)

    def analyze(
        self,
        clip: str,
        transcript: str | None = None,
        language: str = "",
        request: gr.Request | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (gradio's way)
    ) -> dict[str, Any]:
        """Analyse a video of someone talking: sentiment over time by words, voice and face, five times a second.

        The answer is long, a number a tick for each of about twenty lines; for a few sentences call describe.

        Args:
            clip: a video file (mp4, mov, webm, mkv, avi, mpg) or sound alone (wav, mp3, m4a, ogg, flac).
            transcript: a file .srt, .vtt or .txt with what is said, instead of speech recognition.
            language: of the speech: a code such as de, or auto; English where it is left empty.

        Returns:
            The analysis as a JSON object in the schema coupled-mamba/1.
        """
        return self._analysis(clip, transcript, language, request, progress).to_dict()

    def describe(
        self,
        clip: str,
        transcript: str | None = None,
        language: str = "",
        request: gr.Request | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        """Say in a few lines how a video of someone talking comes across, by its words, its voice and its face.

        Args:
            clip: a video file (mp4, mov, webm, mkv, avi, mpg) or sound alone (wav, mp3, m4a, ogg, flac).
            transcript: a file .srt, .vtt or .txt with what is said, instead of speech recognition.
            language: of the speech: a code such as de, or auto; English where it is left empty.

        Returns:
            Plain text: score from -3 to 3, each modality alone, where they disagree, what was said.
        """
        return summary(self._analysis(clip, transcript, language, request, progress), Path(clip).name)

    def save(
        self,
        clip: str,
        kind: str = "csv",
        transcript: str | None = None,
        language: str = "",
        request: gr.Request | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        """Analyse a video of someone talking and give the analysis as a file.

        Args:
            clip: a video file (mp4, mov, webm, mkv, avi, mpg) or sound alone (wav, mp3, m4a, ogg, flac).
            kind: json, csv (a row a tick), vtt (subtitles with scores), eaf (for ELAN) or html (a report).
            transcript: a file .srt, .vtt or .txt with what is said, instead of speech recognition.
            language: of the speech: a code such as de, or auto; English where it is left empty.

        Returns:
            The file, named after the clip.
        """
        if kind not in FORMATS:
            raise refusal(f"There is no format {kind}: choose one of {', '.join(FORMATS)}.")
        with self._call(request) as call, self._rooms.at_work(call.lasting) as room:
            run = self._run(clip, transcript, language, progress, call)
            assert run.result is not None
            path = self._rooms.new(call.lasting, room) / f"{stem(clip)}.{kind}"
            try:
                save(run.result, kind, path, Path(clip).name, run.grid, clip, call.work.step)
            except OSError as error:  # gradio would log the path, with the clip's name
                raise refusal(explain(error)) from None
            if self._rooms.is_over(room):
                raise refusal(STOPPED)
        return str(path)

    def compare(
        self,
        clip: str,
        other: str | None = None,
        transcript: str | None = None,
        language: str = "",
        request: gr.Request | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> dict[str, Any]:
        """Compare two videos of someone talking, or what coupled and independent chains make of the same video.

        The answer is long, since it holds both analyses; its `sentences` and `scores` say what matters.

        Args:
            clip: a video file (mp4, mov, webm, mkv, avi, mpg) or sound alone (wav, mp3, m4a, ogg, flac).
            other: the video to compare it with; without one, the same video read by chains that are not coupled.
            transcript: a file .srt, .vtt or .txt with what is said in the first, instead of speech recognition.
            language: of the speech: a code such as de, or auto; English where it is left empty.

        Returns:
            A JSON object in the schema coupled-mamba-comparison/1.
        """
        with self._call(request) as call:
            with self._rooms.in_use(other and self._rooms.claim(call.session, other)):
                run = self._run(clip, transcript, language, progress, call)
            first, grid = run.result, run.grid
            assert first is not None
            if other:
                second = self._run(other, None, language, progress, call).result
                assert second is not None
                sides = sides_of((Path(clip).name, Path(other).name), first, second)
                return comparison_of(*sides, same_clip=False)
            assert grid is not None
            try:
                with call.work.step():
                    second = ask_independent(first, grid)
            except FileNotFoundError:
                raise refusal(tell("compare.not_installed")) from None
            except ValueError as error:  # its weights are damaged
                raise refusal(explain(error)) from None
            return comparison_of(*sides_of((COUPLED, INDEPENDENT), first, second), same_clip=True)

    @contextmanager
    def _call(self, request: gr.Request | None) -> Iterator[_Call]:
        """A call, which ends with its caller. Raises gr.Error where it was ended."""
        alone = is_tool(request)
        session = secrets.token_hex() if alone else session_of(request)
        # Beside the others: a program may ask for several clips at once.
        work = self._visits.begin(session, CALL)
        keeps = not alone and bool(request and request.session_hash)
        try:
            yield _Call(session, secrets.token_hex() if alone else session, keeps, work)
        except StoppedError:
            raise refusal(STOPPED) from None
        finally:
            self._visits.finished(session, work)
            if alone:
                self._rooms.leave(session)

    def _analysis(
        self,
        clip: str,
        transcript: str | None,
        language: str,
        request: gr.Request | None,
        progress: gr.Progress,
    ) -> Analysis:
        with self._call(request) as call:
            found = self._run(clip, transcript, language, progress, call).result
        assert found is not None
        return found

    def _run(
        self, clip: str, transcript: str | None, language: str, progress: gr.Progress, call: _Call
    ) -> Run:
        """The run of the clip once it has a result. Raises gr.Error where it has none."""
        if not clip:
            raise refusal("Give a video file as `clip`.")
        mine = self._rooms.claim(call.session, clip)
        words = transcript and self._rooms.claim(call.session, transcript)
        run, keeper = Run(), call.session if call.keeps else ""
        for run in self._runs.watch(keeper, mine, words, language=language or None, stop=call.work.stop):
            doing = next(
                (told for name, told in STAGES.items() if 0 <= run.fractions.get(name, -1) < 1), None
            )
            progress(run.share, desc=f"Waiting, number {run.place} in line" if run.place else doing)
        if run.result is None:
            raise refusal(explain(run.error) or STOPPED)
        return run


def add_endpoints(page: gr.Blocks) -> None:
    """Make /analyze, /describe, /save and /compare callable; they take their turn with the page's own analyses."""
    api = Api(page.GRADIO_CACHE)
    clip = gr.File(label="clip", visible=False)
    words = gr.File(label="transcript", visible=False)
    other = gr.File(label="other", visible=False)
    language = gr.Textbox("", label="language", visible=False)
    kind = gr.Dropdown(list(FORMATS), value="csv", label="kind", visible=False)
    offered: list[tuple[str, Any, list[Any], Any]] = [
        ("analyze", api.analyze, [clip, words, language], gr.JSON(label="analysis", visible=False)),
        ("describe", api.describe, [clip, words, language], gr.Textbox(label="description", visible=False)),
        ("save", api.save, [clip, kind, words, language], gr.File(label="file", visible=False)),
        (
            "compare",
            api.compare,
            [clip, other, words, language],
            gr.JSON(label="comparison", visible=False),
        ),
    ]
    for name, function, given, answer in offered:
        gr.Button(visible=False).click(
            function, given, answer, api_name=name, concurrency_limit=AT_ONCE, concurrency_id=GROUP
        )


def is_tool(request: gr.Request | None) -> bool:
    """Whether a tool of the MCP server is called, by whoever it may be."""
    return bool((getattr(request, "headers", None) or {}).get(USER) == TOOL)


def keep_tools_files(folder: Path) -> None:
    """From now on a clip that comes inside a tool's call is first written in the `folder`, where it is swept.

    Gradio reads the environment for it once, as it is imported, and that is before a page has a folder.
    """
    import gradio.mcp

    gradio.mcp.DEFAULT_TEMP_DIR = str(folder)


def can_serve_tools() -> bool:
    """Whether the page can be an MCP server too: the package `mcp` is optional."""
    return importlib.util.find_spec("mcp") is not None
