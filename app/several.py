"""Several clips from the page: analysed one after another, a row each, which opens in the page's own panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.i18n import DEFAULT, retell, sentences, tell
from app.i18n.labels import language_of
from app.keeping import rooms_in
from app.runs import Run, Runs
from app.service import explain, refusal, result, session_of
from app.stages import StoppedError
from app.told import clock, signed
from extractors.cache import Cache
from extractors.records import Grid

HEADS = (
    "several.no",
    "several.clip",
    "several.length",
    "several.score",
    "several.between",
    "several.label",
    "name.text",
    "name.audio",
    "name.visual",
    "several.remarks",
)
KINDS = ["number", "str", "str", "number", "str", "str", "number", "number", "number", "str"]
MOST = 50  # clips at a time: one visitor is not to hold the others up for hours
Kept = tuple[str, str]  # the clip's path, and that of its analysis or nothing


class Several:
    """The batches of one page's visitors; what is found lies in the page's folder `cache`, which is swept."""

    def __init__(self, cache: str, playable: Callable[[str, gr.Request | None], str]) -> None:
        """`playable` gives a clip, or a copy of it that browsers can play; see `Service.playable`."""
        # Runs of their own: whoever analyses another clip meanwhile does not stop these.
        self._rooms, self._playable = rooms_in(cache), playable
        self._runs = Runs(self._rooms)

    def run(
        self, files: list[str] | None, request: gr.Request, spoken: str | None = None
    ) -> Iterator[list[Any]]:
        """Values for (table, kept, analyse all, stop), clip by clip; `spoken` is the language of the speech in all.

        A clip that cannot be analysed has its reason among the remarks; the rest are analysed all the same.
        """
        language = language_of(request)
        if not files:
            raise refusal(tell("several.choose", language), language)
        if len(files) > MOST:
            told = {"count": len(files), "most": MOST, "command": "python -m app batch"}
            raise refusal(tell("several.too_many", language, **told), language)
        session = session_of(request)
        files = [str(self._rooms.claim(session, file)) for file in files]
        with self._rooms.at_work(session) as room:
            folder = self._rooms.new(session, room)
            shown: tuple[dict[str, Any], list[Kept] | None] = table_of([], language), None
            try:
                with self._rooms.in_use(folder, *files):
                    for shown in self._analyse(files, folder, request, spoken):
                        if not self._rooms.is_over(room):
                            yield [*shown, *_buttons(busy=True)]
            except OSError as error:
                if not self._rooms.is_over(room):
                    raise refusal(explain(error), language) from None
            if self._rooms.is_over(room):  # everything was deleted, and the page is to show nothing of it
                shown = table_of([], language), None
        yield [*shown, *_buttons(busy=False)]

    def _analyse(
        self, files: list[str], folder: Path, request: gr.Request, spoken: str | None
    ) -> Iterator[tuple[dict[str, Any], list[Kept]]]:
        """The table and what its rows stand for, at every change; each analysis is kept in the folder."""
        language = language_of(request)
        rows = [
            [i, Path(file).name, *[None] * 7, tell("several.waiting", language)]
            for i, file in enumerate(files, 1)
        ]
        kept: list[Kept] = [(file, "") for file in files]
        for i, file in enumerate(files):
            if not Path(file).exists():
                rows[i][-1] = tell("status.gone", language)
                continue
            run = Run()
            for run in self._runs.watch(request.session_hash or "", file, None, language=spoken):
                if run.result is None and run.error is None and not run.stop.is_set():
                    how_far = tell("several.analysing", language, share=f"{100 * run.share:.0f}")
                    in_line = tell("several.place", language, place=run.place)
                    rows[i][-1] = in_line if run.place else how_far
                    yield table_of([list(row) for row in rows], language), kept
            if run.result is None and not (sentence := explain(run.error)):
                for row in rows[i:]:
                    row[-1] = tell("several.stopped", language)
                break
            if run.result is None:
                rows[i][-1] = retell(sentence, language)
            else:
                path = folder / f"{i}.json"
                self._keep(run, path)
                rows[i], kept[i] = row_of(i + 1, Path(file).name, run.result, language), (file, str(path))
        yield table_of(rows, language), kept

    def stop(self, request: gr.Request) -> None:
        """Stop what the session has under way."""
        self._runs.stop(request.session_hash or "")

    def leave(self, request: gr.Request) -> list[Any]:
        """Stop, and forget the clips; values for (files, table, kept, open)."""
        self.stop(request)
        return [None, table_of([], language_of(request)), None, gr.update(visible=False)]

    def choose(
        self, kept: list[Kept] | None, chosen: gr.SelectData, request: gr.Request | None = None
    ) -> list[Any]:
        """Values for (open, number) of the row that was chosen; nothing to open where it has no analysis.

        The rows may have been sorted since, so the row is known by its number.
        """
        number = int((chosen.row_value or [0])[0] or 0)
        if not kept or not 0 < number <= len(kept) or not kept[number - 1][1]:
            return [gr.update(visible=False), 0]
        name = Path(kept[number - 1][0]).name
        return [gr.update(value=tell("several.open", language_of(request), name=name), visible=True), number]

    def open(self, kept: list[Kept] | None, number: int, request: gr.Request | None = None) -> list[Any]:
        """Values for (video, opened) and as of `Service.run`: the row's clip and its analysis in the page's own panels.

        Nothing changes where another video was chosen meanwhile. Raises gr.Error where they were swept before.
        """
        clip, path = kept[number - 1] if kept and 0 < number <= len(kept) else ("", "")
        language, found = language_of(request), self._read(path)
        if found is None or not Path(clip).exists():
            raise refusal(tell("status.gone", language), language)
        try:
            video = self._playable(clip, request)
        except StoppedError:
            return [gr.skip() for _ in range(9)]
        return [video, video, *result(*found, language)]

    def _read(self, path: str) -> tuple[Analysis, Grid] | None:
        """What was kept under the path; None where it is gone."""
        if not path:
            return None
        grid = Cache(Path(path).parent).get(Path(path).stem)
        try:
            analysis = Analysis.from_json(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return (analysis, grid[0]) if grid is not None and isinstance(grid[0], Grid) else None

    def _keep(self, run: Run, path: Path) -> None:
        """Keep the run's analysis under the path, and its grid beside it."""
        assert run.result is not None
        path.write_text(run.result.to_json(), encoding="utf-8")
        if run.grid is not None:
            Cache(path.parent).put(path.stem, run.grid, [])


def table_of(rows: list[list[Any]], language: str = DEFAULT) -> dict[str, Any]:
    """The table's value: its columns in the language, and the rows."""
    return {"headers": heads(language), "data": rows}


def heads(language: str = DEFAULT) -> list[str]:
    """The table's columns."""
    return [tell(key, language) for key in HEADS]


def row_of(number: int, name: str, analysis: Analysis, language: str = DEFAULT) -> list[Any]:
    """The table's row: numbers as numbers, so that they are sorted as such."""
    feeling, between = analysis.sentiment, analysis.sentiment.interval
    alone = [feeling.alone.get(m) for m in ("text", "audio", "visual")]
    return [
        number,
        name,
        clock(analysis.clip.duration),
        round(feeling.clip.score, 1),
        "" if between is None else _range(between.low, between.high, language),
        tell(f"label.{feeling.clip.label}", language),
        *(None if a is None else round(a.score, 1) for a in alone),
        sentences([retell(w, language) for w in analysis.warnings], language),
    ]


def _range(low: float, high: float, language: str) -> str:
    return tell("several.range", language, low=signed(low), high=signed(high))


def _buttons(*, busy: bool) -> list[Any]:
    """(analyse all, stop) while busy or not."""
    return [gr.update(interactive=not busy), gr.update(visible=busy)]
