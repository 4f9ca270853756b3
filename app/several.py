"""Several clips from the page: analysed one after another, a row of a table each, opened by a press on the row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.cards import legend, result_card, title
from app.exports import FORMATS
from app.i18n import DEFAULT, retell, sentences, tell
from app.i18n.labels import language_of
from app.keeping import rooms_in
from app.panels import saving, timeline
from app.runs import Run, Runs
from app.service import explain, refusal, session_of
from app.told import clock, signed

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

    def __init__(self, cache: str) -> None:
        # Runs of their own: whoever analyses another clip meanwhile does not stop these.
        self._rooms = rooms_in(cache)
        self._runs = Runs(self._rooms)

    def run(self, files: list[str] | None, request: gr.Request) -> Iterator[list[Any]]:
        """Values for (table, kept, analyse all, stop), clip by clip.

        A clip that cannot be analysed has its reason among the remarks; the rest are analysed all the same.
        """
        language = language_of(request)
        if not files:
            raise refusal(tell("several.choose", language), language)
        if len(files) > MOST:
            told = {"count": len(files), "most": MOST, "command": "python -m app batch"}
            raise refusal(tell("several.too_many", language, **told), language)
        session = session_of(request)
        folder = self._rooms.new(session)
        files = [str(self._rooms.claim(session, file)) for file in files]
        rows = [
            [i, Path(file).name, *[None] * 7, tell("several.waiting", language)]
            for i, file in enumerate(files, 1)
        ]
        kept: list[Kept] = [(file, "") for file in files]
        for i, file in enumerate(files):
            run = Run()
            for run in self._runs.watch(request.session_hash or "", file, None):
                if run.result is None and run.error is None and not run.stop.is_set():
                    how_far = tell("several.analysing", language, share=f"{100 * run.share:.0f}")
                    in_line = tell("several.place", language, place=run.place)
                    rows[i][-1] = in_line if run.place else how_far
                    yield [table_of([list(row) for row in rows], language), kept, *_buttons(busy=True)]
            if run.result is None and not (sentence := explain(run.error)):
                for row in rows[i:]:
                    row[-1] = tell("several.stopped", language)
                break
            if run.result is None:
                rows[i][-1] = retell(sentence, language)
            else:
                path = folder / f"{i}.json"
                path.write_text(run.result.to_json(), encoding="utf-8")
                rows[i], kept[i] = row_of(i + 1, Path(file).name, run.result, language), (file, str(path))
        yield [table_of(rows, language), kept, *_buttons(busy=False)]

    def stop(self, request: gr.Request) -> None:
        """Stop what the session has under way."""
        self._runs.stop(request.session_hash or "")

    def leave(self, request: gr.Request) -> list[Any]:
        """Stop, and forget the clips; values for (files, table, kept, detail)."""
        self.stop(request)
        return [None, table_of([], language_of(request)), None, gr.update(visible=False)]

    def open(
        self, kept: list[Kept] | None, chosen: gr.SelectData, request: gr.Request | None = None
    ) -> list[Any]:
        """Values for (detail, heading, result, time line, its table, save buttons) of the row that was chosen.

        The rows may have been sorted since, so the row is known by its number. Nothing where it has no analysis.
        """
        number = int((chosen.row_value or [0])[0] or 0)
        analysis = self._read(kept[number - 1][1]) if kept and 0 < number <= len(kept) else None
        if not kept or analysis is None:
            return [gr.update(visible=False), *[gr.skip() for _ in range(4 + len(FORMATS))]]
        clip, language = kept[number - 1][0], language_of(request)
        target = next(iter(analysis.dynamics.share), "text")
        return [
            gr.update(visible=True),
            title(Path(clip).name, tell("several.opened", language), legend(language)),
            result_card(analysis, language),
            *timeline.pictures(analysis, target, language),
            *saving.show(analysis, clip, str(self._rooms.new(session_of(request)))),
        ]

    def _read(self, path: str) -> Analysis | None:
        try:
            return Analysis.from_json(Path(path).read_text(encoding="utf-8")) if path else None
        except FileNotFoundError:
            return None  # swept in the meantime


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
