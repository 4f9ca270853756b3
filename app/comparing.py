"""Comparisons from the page: the clip shown with what independent chains say of it, or with another clip."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.asking import ask_independent
from app.cards import folded, table
from app.differences import (
    beside_sentences,
    beside_table,
    over_sentences,
    over_table,
    score_table,
    sides_of,
)
from app.figures.compare import Side, draw_beside, draw_over
from app.i18n import DEFAULT, retell, sentences, tell
from app.i18n.labels import language_of
from app.keeping import rooms_in
from app.panels import status
from app.runs import Run, Runs
from app.service import explain, refusal, session_of
from app.wording import strongest_moment
from extractors.records import Grid

FIRST = "Analyse a clip first."
CHOOSE = "Choose the other clip first."
STOPPED = "The comparison was stopped."
KEYS = (
    "solid: {first} · dashed: {second} · grey band and dotted lines: where the rating lies nine times in ten"
)


class Comparing:
    """The comparisons of one page's visitors; each gives values for `app.panels.compare.outputs`."""

    def __init__(self, cache: str) -> None:
        # Runs of their own: the clip shown stays as it is while another is analysed.
        self._rooms = rooms_in(cache)
        self._runs = Runs(self._rooms)

    def run(
        self,
        way: str,
        analysis: Analysis | None,
        grid: Grid | None,
        video: str | None,
        other: str | None,
        spoken: str | None,
        request: gr.Request,
    ) -> Iterator[list[Any]]:
        """The clip shown, named `video`, compared as `way` says: with "independent" chains, or with the clip `other`.

        `spoken` is the language of the speech in the other clip.

        Raises gr.Error, after the panel was put back in order, where there is nothing to compare.
        """
        language = language_of(request)
        if analysis is None or grid is None:
            raise refusal(tell("compare.first", language), language)
        if way != "other":
            yield with_independent(analysis, grid, language)
            return
        if not other:
            raise refusal(tell("compare.choose", language), language)
        mine, run = self._rooms.claim(session_of(request), other), Run()
        if not mine.exists():
            raise refusal(tell("status.gone", language), language)
        for run in self._runs.watch(request.session_hash or "", mine, None, language=spoken):
            if run.result is None and run.error is None and not run.stop.is_set():
                yield told(
                    status.waiting_card(run.place, language)
                    if run.place
                    else status.stages_card(run, language),
                    busy=True,
                )
        if run.result is not None:
            names = Path(video or "clip").name, mine.name
            yield with_other(*sides_of(names, analysis, run.result), language)
            return
        sentence = explain(run.error)
        yield told(_sentence(retell(sentence, language) or tell("compare.stopped", language)))
        if sentence:
            raise refusal(sentence, language)

    def again(
        self,
        shown: str | None,
        way: str,
        analysis: Analysis | None,
        grid: Grid | None,
        video: str | None,
        other: str | None,
        spoken: str | None,
        request: gr.Request,
    ) -> Iterator[list[Any]]:
        """As `run`, where an answer is `shown` already: the same in another language, read from what was kept."""
        if not shown or analysis is None:
            yield [gr.skip() for _ in told("")]
            return
        yield from self.run(way, analysis, grid, video, other, spoken, request)

    def stop(self, request: gr.Request) -> None:
        """Stop what the session compares."""
        self._runs.stop(request.session_hash or "")


def with_independent(analysis: Analysis, grid: Grid, language: str = DEFAULT) -> list[Any]:
    """The coupled and the independent network on the same clip, over one time axis; a sentence where there is none."""
    try:
        other = ask_independent(analysis, grid)
    except FileNotFoundError:
        return told(_sentence(tell("compare.not_installed", language)))
    first, second = sides_of(
        (tell("compare.coupled", language), tell("compare.uncoupled", language)), analysis, other
    )
    keys = f'<p class="cm-small">{escape(tell("compare.keys", language, first=first.name, second=second.name))}</p>'
    return [
        *_buttons(busy=False),
        _answer(over_sentences(first, second, language), first, second, language)
        + f'<p class="cm-small">{escape(tell("compare.caveat", language))}</p>',
        gr.update(visible=True),
        keys,
        draw_over(first, second, language),
        gr.update(visible=False),
        "",
        None,
        folded(*over_table(first, second, language=language), language),
    ]


def with_other(first: Side, second: Side, language: str = DEFAULT) -> list[Any]:
    """Two clips side by side."""
    left, right = draw_beside(first, second, language)
    return [
        *_buttons(busy=False),
        _answer(beside_sentences(first, second, language), first, second, language),
        gr.update(visible=True),
        _heading(first, language),
        left,
        gr.update(visible=True),
        _heading(second, language),
        right,
        folded(*beside_table(first, second, language=language), language),
    ]


def told(card: str, *, busy: bool = False) -> list[Any]:
    """A card alone, without pictures."""
    hidden = gr.update(visible=False)
    return [*_buttons(busy=busy), card, hidden, "", None, hidden, "", None, ""]


def _answer(said: list[str], first: Side, second: Side, language: str) -> str:
    header, rows = score_table(first, second, language)
    numbers = f'<div class="cm-scroll cm-both" tabindex="0">{table(header, rows)}</div>'
    return _sentence(sentences(said, language)) + numbers


def _heading(side: Side, language: str) -> str:
    named = tell(f"label.{side.analysis.sentiment.clip.label}", language)
    return (
        f'<div class="cm-title"><h4 class="cm-sub">{escape(side.name)}</h4>'
        f'<span class="cm-hint">{escape(named)}</span></div>'
        f'<p class="cm-small">{escape(strongest_moment(side.analysis, language))}</p>'
    )


def _sentence(text: str) -> str:
    return f'<p class="cm-answer" data-said>{escape(text)}</p>'


def _buttons(*, busy: bool) -> list[Any]:
    """(compare, stop) while busy or not."""
    return [gr.update(interactive=not busy), gr.update(visible=busy)]
