"""Comparisons from the page: the clip shown with what independent chains say of it, or with another clip."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.analysis import Analysis
from app.asking import ask_independent
from app.figures.compare import Side, draw_beside, draw_over
from app.i18n import DEFAULT, retell, sentences, tell
from app.panels import buttons, status
from app.panels.language import asked
from app.server.copies import Copies
from app.server.keeping import rooms_in
from app.server.refusals import explain, refusal
from app.server.runs import Run, Runs
from app.server.visits import COMPARISON, Work, session_of, visits_of
from app.stages import StoppedError
from app.telling.cards import folded, table
from app.telling.differences import (
    beside_sentences,
    beside_table,
    over_sentences,
    over_table,
    score_table,
    sides_of,
)
from app.telling.wording import strongest_moment
from extractors.records import Grid


@dataclass(frozen=True)
class Answer:
    """What was compared last, in no language yet: the other analysis of the clip shown, or of another clip, or why not.

    Where there is no `other`, `why` is a sentence that the analysis says in English, or `key` one of the texts.
    """

    other: Analysis | None = None
    names: tuple[str, str] | None = None  # of the two clips; None where both are of the clip shown
    key: str = ""
    why: str = ""

    def show(self, analysis: Analysis, language: str = DEFAULT) -> list[Any]:
        """Values for `app.panels.compare.outputs` beside the analysis shown."""
        if self.other is None:
            return told(_sentence(tell(self.key, language) if self.key else retell(self.why, language)), self)
        if self.names is None:
            return with_independent(analysis, self, language)
        return with_other(analysis, self, language)


class Comparing:
    """The comparisons of one page's visitors; each gives values for `app.panels.compare.outputs`."""

    def __init__(self, cache: str) -> None:
        self._rooms = rooms_in(cache)
        self._visits, self._runs, self._copies = visits_of(cache), Runs(self._rooms), Copies(self._rooms)

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
        language = self._visits.language(request)
        if analysis is None or grid is None:
            raise refusal(tell("compare.first", language), language)
        if way == "other" and not other:
            raise refusal(tell("compare.choose", language), language)
        session = session_of(request)
        mine = self._rooms.claim(session, other) if other else None
        if way == "other" and mine is not None and not mine.exists():
            raise refusal(tell("status.gone", language), language)
        work = self._visits.begin(session, COMPARISON)
        try:
            if way == "other" and mine is not None:
                answer = yield from self._with_clip(video, mine, spoken, work, request)
            else:
                yield told(_sentence(tell("compare.working", language)), busy=True)
                answer = ask(analysis, grid, work)
            yield from self._ended(analysis, answer, work, request)
        finally:
            self._visits.finished(session, work)

    def _with_clip(
        self, video: str | None, mine: Path, spoken: str | None, work: Work, request: gr.Request
    ) -> Generator[list[Any], None, Answer]:
        """The other clip's analysis, stage by stage."""

        def under_way(run: Run) -> list[Any]:
            return told(status.progress_card(run, self._visits.language(request)), busy=True)

        run = yield from self._runs.tell(
            under_way,
            request.session_hash or "",
            mine,
            None,
            language=asked(spoken),
            stop=work.stop,
            also=lambda: self._visits.language(request),
        )
        if run.result is not None:
            shown = self._copies.original(session_of(request), video or "clip")
            return Answer(run.result, (shown.name, mine.name))
        sentence = explain(run.error)
        return Answer(why=sentence) if sentence else Answer(key="compare.stopped")

    def _ended(
        self, analysis: Analysis, answer: Answer, work: Work, request: gr.Request
    ) -> Iterator[list[Any]]:
        """The last values, in the language the visitor has chosen by then; where it was replaced, an empty panel."""
        while not work.is_replaced:
            language = self._visits.language(request)
            yield answer.show(analysis, language)
            if self._visits.finished_in(language, work, request, session_of(request)):
                break
        if work.is_replaced:
            yield [gr.skip() for _ in told("")] if work.by == "again" else told("")
        elif answer.why:
            raise refusal(answer.why, language)

    def again(self, answer: Answer | None, analysis: Analysis | None, request: gr.Request) -> list[Any]:
        """The answer shown in another language: nothing is compared anew.

        Nothing changes where there is none, nor while one is under way, which takes the language up by itself.
        """
        under_way = self._visits.is_under_way(session_of(request), COMPARISON)
        if answer is None or analysis is None or under_way:
            return [gr.skip() for _ in told("")]
        return answer.show(analysis, self._visits.language(request))

    def stop(self, request: gr.Request) -> None:
        """Stop what the session compares."""
        self._visits.end(session_of(request), "stop comparing")


def ask(analysis: Analysis, grid: Grid, work: Work) -> Answer:
    """What chains that do not hear each other say of the clip; a sentence where they fail, or it was ended."""
    try:
        with work.step():
            return Answer(ask_independent(analysis, grid, work.go_on))
    except FileNotFoundError:
        return Answer(key="compare.not_installed")
    except StoppedError:
        return Answer(key="compare.stopped")
    except Exception as error:  # damaged weights, say: told by `_ended`, with the buttons in order again
        return Answer(why=explain(error))


def with_independent(analysis: Analysis, answer: Answer, language: str = DEFAULT) -> list[Any]:
    """The coupled and the independent network on the same clip, over one time axis."""
    assert answer.other is not None
    names = tell("compare.coupled", language), tell("compare.uncoupled", language)
    first, second = sides_of(names, analysis, answer.other)
    keys = f'<p class="cm-small">{escape(tell("compare.keys", language, first=first.name, second=second.name))}</p>'
    return [
        *buttons(busy=False),
        _answer(over_sentences(first, second, language), first, second, language)
        + f'<p class="cm-small">{escape(tell("compare.caveat", language))}</p>',
        gr.update(visible=True),
        keys,
        draw_over(first, second, language),
        gr.update(visible=False),
        "",
        None,
        folded(*over_table(first, second, language=language), language),
        answer,
    ]


def with_other(analysis: Analysis, answer: Answer, language: str = DEFAULT) -> list[Any]:
    """Two clips side by side."""
    assert answer.other is not None
    assert answer.names is not None
    first, second = sides_of(answer.names, analysis, answer.other)
    left, right = draw_beside(first, second, language)
    return [
        *buttons(busy=False),
        _answer(beside_sentences(first, second, language), first, second, language),
        gr.update(visible=True),
        _heading(first, language),
        left,
        gr.update(visible=True),
        _heading(second, language),
        right,
        folded(*beside_table(first, second, language=language), language),
        answer,
    ]


def told(card: str, answer: Answer | None = None, *, busy: bool = False) -> list[Any]:
    """A card alone, without pictures, and the answer that is to be told again in another language."""
    hidden = gr.update(visible=False)
    return [*buttons(busy=busy), card, hidden, "", None, hidden, "", None, "", answer]


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
