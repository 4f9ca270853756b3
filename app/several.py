"""Several clips from the page: analysed one after another, a row each, which opens in the page's own panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis, ClipScore
from app.i18n import DEFAULT, retell, sentences, tell
from app.panels import buttons
from app.panels.language import asked
from app.server.keeping import rooms_in
from app.server.refusals import explain, refusal
from app.server.runs import Run, Runs
from app.server.visits import BATCH, Work, session_of, visits_of
from app.service import result
from app.stages import StoppedError
from app.telling.numbers import clock, signed
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


@dataclass(frozen=True)
class Row:
    """What the table says of a clip, in no language yet: its file, its analysis's path and numbers, and a remark.

    `remark` is a key of the texts with what fills its places, `heard` what the analysis says in English.
    """

    number: int
    file: str
    remark: tuple[str, dict[str, Any]] | None = None
    heard: tuple[str, ...] = ()
    path: str = ""  # of the analysis, once there is one
    duration: float = 0.0
    score: ClipScore | None = None
    between: tuple[float, float] | None = None
    alone: tuple[float | None, ...] = (None, None, None)

    def cells(self, language: str = DEFAULT) -> list[Any]:
        """The table's row: numbers as numbers, so that they are sorted as such."""
        said = [retell(sentence, language) for sentence in self.heard]
        if self.remark is not None:
            key, values = self.remark
            said = [tell(key, language, **values)]
        if self.score is None:
            return [self.number, Path(self.file).name, *[None] * 7, sentences(said, language)]
        between = self.between
        return [
            self.number,
            Path(self.file).name,
            clock(self.duration),
            round(self.score.score, 1),
            "" if between is None else _range(*between, language),
            tell(f"label.{self.score.label}", language),
            *(None if score is None else round(score, 1) for score in self.alone),
            sentences(said, language),
        ]


class Several:
    """The batches of one page's visitors; what is found lies in the page's folder `cache`, which is swept."""

    def __init__(self, cache: str, playable: Callable[[str, gr.Request | None], str]) -> None:
        """`playable` gives a clip, or a copy of it that browsers can play; see `Service.playable`."""
        self._rooms, self._playable = rooms_in(cache), playable
        self._visits, self._runs = visits_of(cache), Runs(self._rooms)

    def run(
        self, files: list[str] | None, request: gr.Request, spoken: str | None = None
    ) -> Iterator[list[Any]]:
        """Values for (table, kept, told, analyse all, stop), clip by clip; `spoken` is the language of all speech.

        A clip that cannot be analysed has its reason among the remarks; the rest are analysed all the same.
        """
        language = self._visits.language(request)
        if not files:
            raise refusal(tell("several.choose", language), language)
        if len(files) > MOST:
            raise refusal(tell("several.too_many", language, count=len(files), most=MOST), language)
        session = session_of(request)
        mine = [str(self._rooms.claim(session, file)) for file in files]
        work = self._visits.begin(session, BATCH)
        try:
            with self._rooms.at_work(session) as room:
                folder = self._rooms.new(session, room)
                try:
                    with self._rooms.in_use(folder, *mine):
                        yield from self._analyse(mine, folder, work, request, spoken)
                except OSError as error:
                    if not self._rooms.is_over(room):
                        yield [gr.skip(), gr.skip(), "", *buttons(busy=False)]
                        raise refusal(explain(error), language) from None
            # All was deleted, and the page is to show nothing of it.
            if work.is_replaced and work.by != "again":
                yield [table_of([], language), None, "", *buttons(busy=False)]
        finally:
            self._visits.finished(session, work)

    def _analyse(
        self, files: list[str], folder: Path, work: Work, request: gr.Request, spoken: str | None
    ) -> Iterator[list[Any]]:
        """Values as of `run`, at every change; each analysis is kept in the folder."""
        rows = [Row(i, file, ("several.waiting", {})) for i, file in enumerate(files, 1)]
        for i in range(len(rows)):
            yield from self._one(rows, i, folder, work, request, spoken)
        done = False
        while not done and not work.is_replaced:
            language = self._visits.language(request)
            yield [table_of(rows, language), list(rows), ended(rows, language), *buttons(busy=False)]
            done = self._visits.finished_in(language, work, request, session_of(request))

    def _one(
        self, rows: list[Row], i: int, folder: Path, work: Work, request: gr.Request, spoken: str | None
    ) -> Iterator[list[Any]]:
        """Values as of `run` while the clip of rows[i] waits and is analysed; the row then says what was found."""
        waiting = rows[i]

        def told(run: Run) -> list[Any]:
            how_far = "several.analysing", {"share": f"{100 * run.share:.0f}"}
            rows[i] = replace(
                waiting, remark=("several.place", {"place": run.place}) if run.place else how_far
            )
            language = self._visits.language(request)
            return [table_of(rows, language), list(rows), under_way(rows, i, language), *buttons(busy=True)]

        if work.stop.is_set():
            rows[i] = replace(waiting, remark=("several.stopped", {}))
            return
        if not Path(waiting.file).exists():
            rows[i] = replace(waiting, remark=("status.gone", {}))
            return
        run = yield from self._runs.tell(
            told,
            request.session_hash or "",
            waiting.file,
            None,
            language=asked(spoken),
            stop=work.stop,
            also=lambda: self._visits.language(request),
        )
        if run.result is not None:
            path = folder / f"{i}.json"
            self._keep(run, path)
            rows[i] = row_of(waiting.number, waiting.file, run.result, str(path))
        elif sentence := explain(run.error):
            rows[i] = replace(waiting, remark=None, heard=(sentence,))
        else:
            # The rest too, also where the run stopped by itself; but not a batch that was begun in this one's place.
            self._visits.end(session_of(request), "stop all", work)
            rows[i] = replace(waiting, remark=("several.stopped", {}))

    def stop(self, request: gr.Request) -> None:
        """Stop the batch that the session has under way."""
        self._visits.end(session_of(request), "stop all")

    def forget(self, request: gr.Request) -> list[Any]:
        """Values for (files, table, kept, told, open) where everything of the session was deleted."""
        return [None, table_of([], self._visits.language(request)), None, "", gr.update(visible=False)]

    def tell_again(self, kept: list[Row] | None, number: int, request: gr.Request) -> list[Any]:
        """Values for (table, told, open) in another language, open being for the row `number`.

        Of the first two nothing changes while a batch is under way, which takes the language up by itself.
        """
        language = self._visits.language(request)
        button = _opens(kept, number, language)
        if self._visits.is_under_way(session_of(request), BATCH):
            return [gr.skip(), gr.skip(), button]
        return [table_of(kept or [], language), ended(kept, language) if kept else "", button]

    def choose(
        self, kept: list[Row] | None, chosen: gr.SelectData, request: gr.Request | None = None
    ) -> list[Any]:
        """Values for (open, number, told) of the row that was chosen; nothing to open where it has no analysis.

        The rows may have been sorted since, so the row is known by its number.
        """
        number = int((chosen.row_value or [0])[0] or 0)
        if not kept or not 0 < number <= len(kept) or not kept[number - 1].path:
            return [gr.update(visible=False), 0, gr.skip()]
        name, language = Path(kept[number - 1].file).name, self._visits.language(request)
        return [_opens(kept, number, language), number, _told(tell("several.opens", language, name=name))]

    def open(
        self,
        kept: list[Row] | None,
        number: int,
        request: gr.Request | None = None,
        at: float | None = None,
    ) -> Any:
        """Values for (video, opened) and as of `Service.run`: the row's clip and its analysis in the page's own panels.

        Nothing changes where another video was chosen meanwhile, as far as is known of a page that asked `at` ms of
        its clock. Raises gr.Error where they were swept before.
        """
        row = kept[number - 1] if kept and 0 < number <= len(kept) else Row(0, "")
        clip, language, found = row.file, self._visits.language(request), self._read(row.path)
        if found is None or not Path(clip).exists():
            raise refusal(tell("status.gone", language), language)
        if self._visits.is_late(request, at):
            return gr.skip()
        try:
            video = self._playable(clip, request)
        except StoppedError:
            return gr.skip()
        self._visits.end(session_of(request), "another")
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


def table_of(rows: Sequence[Row], language: str = DEFAULT) -> dict[str, Any]:
    """The table's value: its columns in the language, and the rows."""
    return {"headers": heads(language), "data": [row.cells(language) for row in rows]}


def under_way(rows: Sequence[Row], now: int, language: str = DEFAULT) -> str:
    """Which clip it is the turn of, of how many: as HTML, which is also read out."""
    clip = {"number": now + 1, "count": len(rows), "name": Path(rows[now].file).name}
    return _told(tell("several.under_way", language, **clip))


def ended(rows: Sequence[Row], language: str = DEFAULT) -> str:
    """How many clips were analysed, of how many: as `under_way`."""
    done = sum(bool(row.path) for row in rows)
    return _told(tell("several.ended", language, done=done, count=len(rows)))


def heads(language: str = DEFAULT) -> list[str]:
    """The table's columns."""
    return [tell(key, language) for key in HEADS]


def row_of(number: int, file: str, analysis: Analysis, path: str = "") -> Row:
    """What the table says of an analysis that is kept under `path`."""
    feeling, between = analysis.sentiment, analysis.sentiment.interval
    alone = [feeling.alone.get(m) for m in ("text", "audio", "visual")]
    return Row(
        number,
        file,
        None,
        analysis.warnings,
        path,
        analysis.clip.duration,
        feeling.clip,
        None if between is None else (between.low, between.high),
        tuple(None if a is None else a.score for a in alone),
    )


def _told(sentence: str) -> str:
    return f'<p class="cm-small" data-said>{escape(sentence)}</p>'


def _opens(rows: Sequence[Row] | None, number: int, language: str) -> Any:
    """The button that opens the row `number`; nothing changes where there is no such row."""
    if not rows or not 0 < number <= len(rows):
        return gr.skip()
    name = Path(rows[number - 1].file).name
    return gr.update(value=tell("several.open", language, name=name), visible=True)


def _range(low: float, high: float, language: str) -> str:
    return tell("several.range", language, low=signed(low), high=signed(high))
