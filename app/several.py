"""Several clips from the page: analysed one after another, a row of a table each, opened by a press on the row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.cards import legend, result_card, title
from app.exports import FORMATS
from app.keeping import rooms_in
from app.panels import saving, timeline
from app.runs import Run, Runs
from app.service import explain, session_of
from app.told import clock, signed

HEADS = [
    "no",
    "clip",
    "length",
    "score",
    "nine times in ten",
    "in words",
    "words",
    "voice",
    "face",
    "remarks",
]
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
        if not files:
            raise gr.Error("Choose the clips first.", title="No result", print_exception=False)
        if len(files) > MOST:
            told = (
                f"{len(files)} clips are more than {MOST}: for a whole folder there is python -m app batch."
            )
            raise gr.Error(told, title="No result", print_exception=False)
        session = session_of(request)
        folder = self._rooms.new(session)
        files = [str(self._rooms.claim(session, file)) for file in files]
        rows = [[i, Path(file).name, *[None] * 7, "waiting"] for i, file in enumerate(files, 1)]
        kept: list[Kept] = [(file, "") for file in files]
        for i, file in enumerate(files):
            run = Run()
            for run in self._runs.watch(request.session_hash or "", file, None):
                if run.result is None and run.error is None and not run.stop.is_set():
                    how_far = f"analysing, {100 * run.share:.0f} %"
                    rows[i][-1] = f"number {run.place} in line" if run.place else how_far
                    yield [[list(row) for row in rows], kept, *_buttons(busy=True)]
            if run.result is None and not (sentence := explain(run.error)):
                for row in rows[i:]:
                    row[-1] = "stopped"
                break
            if run.result is None:
                rows[i][-1] = sentence
            else:
                path = folder / f"{i}.json"
                path.write_text(run.result.to_json(), encoding="utf-8")
                rows[i], kept[i] = row_of(i + 1, Path(file).name, run.result), (file, str(path))
        yield [rows, kept, *_buttons(busy=False)]

    def stop(self, request: gr.Request) -> None:
        """Stop what the session has under way."""
        self._runs.stop(request.session_hash or "")

    def leave(self, request: gr.Request) -> list[Any]:
        """Stop, and forget the clips; values for (files, table, kept, detail)."""
        self.stop(request)
        return [None, None, None, gr.update(visible=False)]

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
        clip = kept[number - 1][0]
        target = next(iter(analysis.dynamics.share), "text")
        return [
            gr.update(visible=True),
            title(Path(clip).name, "the clip of the row that was pressed", legend()),
            result_card(analysis),
            *timeline.show(analysis, target),
            *saving.show(analysis, clip, str(self._rooms.new(session_of(request)))),
        ]

    def _read(self, path: str) -> Analysis | None:
        try:
            return Analysis.from_json(Path(path).read_text(encoding="utf-8")) if path else None
        except FileNotFoundError:
            return None  # swept in the meantime


def row_of(number: int, name: str, analysis: Analysis) -> list[Any]:
    """The table's row: numbers as numbers, so that they are sorted as such."""
    feeling, between = analysis.sentiment, analysis.sentiment.interval
    alone = [feeling.alone.get(m) for m in ("text", "audio", "visual")]
    return [
        number,
        name,
        clock(analysis.clip.duration),
        round(feeling.clip.score, 1),
        f"{signed(between.low)} to {signed(between.high)}" if between else "",
        feeling.clip.label,
        *(None if a is None else round(a.score, 1) for a in alone),
        " ".join(analysis.warnings),
    ]


def _buttons(*, busy: bool) -> list[Any]:
    """(analyse all, stop) while busy or not."""
    return [gr.update(interactive=not busy), gr.update(visible=busy)]
