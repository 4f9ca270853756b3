"""What further questions about a clip are answered with, as HTML: sentences, matrices, and tables equal to pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from app.analysis import MODALITIES, Analysis, TimedWord
from app.asking import Fewer
from app.figures.space import space_points
from app.figures.switches import left_on
from app.i18n import DEFAULT, joined, name_of, tell
from app.telling.cards import behind, folded
from app.telling.moments import LITTLE, Moment, moment_sentence, moment_table, when_most
from app.telling.observed import told_part, told_ticks
from app.telling.tables import NOTHING
from app.telling.wording import clock, signed

if TYPE_CHECKING:
    from model.inference.answers import Memory, Paths

ROWS = 60  # rows a table has at most


def moment_card(
    moment: Moment, words: Sequence[TimedWord], language: str = DEFAULT, *, asked: bool = False
) -> str:
    """The moment in sentences, what is exact behind them, and the picture's table where there is a picture.

    What was `asked` for is also read out to who does not see it.
    """
    rows = moment_table(moment, words, language=language)
    told = moment_sentence(moment, words, language)
    names = [name_of(m, language) for m in MODALITIES if m in moment.sources]
    header = [tell("table.from", language), tell("table.said", language), *names]
    exact = behind(tell("why.exact?", language), tell("why.exact", language))
    said = f' data-said="{escape(told)}"' if asked else ""
    return (
        f'<p class="cm-answer"{said}>{escape(told)} {exact}</p>'
        f"{folded(header, rows, language) if rows else ''}"
    )


def brief_card(moment: Moment, words: Sequence[TimedWord], language: str = DEFAULT) -> str:
    """The moment in one line: the points that add up to its score, largest first, and when most of the largest came.

    Not seen where it stands: `reading.js` shows it above the time line, where the question was asked.
    """
    pulls = {m: moment.pull(m) for m in MODALITIES if m in moment.sources}
    order = sorted(pulls, key=lambda m: -abs(pulls[m]))
    parts = [f'<b class="cm-ink-{m}">{name_of(m, language)} {signed(pulls[m])}</b>' for m in order]
    if not order or abs(moment.base) >= LITTLE:
        parts.append(tell("why.constants", language, score=signed(moment.base)))
    if order and abs(pulls[order[0]]) >= LITTLE:
        when, quote = when_most(moment, order[0], words, 3, language)
        name = name_of(order[0], language)
        parts.append(escape(tell("why.brief_most", language, name=name, when=when, quote=quote)))
    known = {"time": clock(moment.seconds), "score": f"<b>{signed(moment.score)}</b>"}
    told = tell("why.brief", language, **known, pulls=" · ".join(parts))
    return f'<span class="cm-in-brief" hidden>{told}</span>'


def layers_card(memory: Memory, language: str = DEFAULT) -> str:
    """W and the half-lives of every layer: one matrix a layer, row = the chain moved, column = the chain heard."""
    return _layers(memory, range(len(memory.coupling)), language)


def memory_card(memory: Memory, language: str = DEFAULT) -> str:
    """The last layer's matrix, what its numbers mean, and the layers before it folded away.

    The last, since the states that the page shows elsewhere are its states.
    """
    last = len(memory.coupling) - 1
    shown = f'{_layer(last, memory, language)}<p class="cm-small">{tell("coupling.learnt_explained", language)}</p>'
    if not last:
        return shown
    named, before = tell("coupling.before", language), _layers(memory, range(last), language)
    return f'{shown}<details class="cm-details"><summary>{named}</summary>{before}</details>'


def fewer_card(analysis: Analysis, fewer: Fewer, language: str = DEFAULT, *, asked: bool = False) -> str:
    """The clip's score with and without, in a sentence, and both lines as a table; `asked` as in `moment_card`."""
    all_of, part = analysis.sentiment.clip, fewer.clip
    names = left_on(fewer.kept, language)
    said = tell(
        "switches.said",
        language,
        names=names,
        label=tell(f"label.{part.label}", language),
        score=signed(part.score),
        whole=tell(f"label.{all_of.label}", language),
        whole_score=signed(all_of.score),
    )
    each = max(1, -(-len(fewer.ticks) // ROWS))
    starts = analysis.ticks.start
    lines = (
        (analysis.sentiment.ticks, told_ticks(analysis)),
        (fewer.ticks, told_ticks(analysis, *fewer.kept)),
    )
    rows = [
        [clock(starts[i]), *(_mean(line[told_part(told, i, i + each)]) for line, told in lines)]
        for i in range(0, len(starts), each)
    ]
    header = [tell("table.time", language), name_of("all", language), names]
    said_too = " data-said" if asked else ""
    return f'<p class="cm-answer"{said_too}>{escape(said)}</p>{folded(header, rows, language)}'


def space_card(analysis: Analysis, paths: Paths, language: str = DEFAULT) -> str:
    """The place of the drawing with its numbers, for `space.js` to draw, and the same as a table."""
    data = space_points(analysis, paths)
    names = [name_of(m, language) for m in data["paths"]]
    told = tell("space.picture", language, names=joined(names, language))
    header = [tell("table.time", language), tell("table.score", language), *names]
    same = f'<div id="cm-space-table">{folded(header, _space_rows(data), language)}</div>'
    return (
        f'<canvas id="cm-space" class="cm-space" tabindex="0" role="img" aria-label="{told}" '
        f'data-paths="{escape(json.dumps(data, separators=(",", ":")))}"></canvas>'
        f'<p class="cm-small">{_shown(paths, language)}</p>{same}'
    )


def _shown(paths: Paths, language: str) -> str:
    return tell(
        "space.core",
        language,
        green=f"<span class='cm-up-key'>{tell('space.green', language)}</span>",
        purple=f"<span class='cm-down-key'>{tell('space.purple', language)}</span>",
        share=f"{100 * paths.shown:.0f}",
    )


def _space_rows(data: dict[str, Any]) -> list[list[str]]:
    """Every so often a row: time, score, and each chain's place as x, y, z."""
    each = max(1, -(-len(data["seconds"]) // ROWS))
    return [
        [
            clock(data["seconds"][i]),
            signed(data["score"][i], 2),
            *(", ".join(signed(c, 2) for c in path[i]) for path in data["paths"].values()),
        ]
        for i in range(0, len(data["seconds"]), each)
    ]


def _layers(memory: Memory, indices: Sequence[int], language: str) -> str:
    return f'<div class="cm-layers">{"".join(_layer(i, memory, language) for i in indices)}</div>'


def _layer(index: int, memory: Memory, language: str) -> str:
    """One layer's matrix, with the half-life of each chain at its right."""
    head = "".join(f'<th scope="col" class="cm-{m}">{name_of(m, language)}</th>' for m in MODALITIES)
    body = ""
    for i, target in enumerate(MODALITIES):
        cells = "".join(
            _weight(target, source, float(memory.coupling[index, i, j]), language)
            for j, source in enumerate(MODALITIES)
        )
        life = half_life(float(memory.half_life[index, i]), language)
        name = f'<th scope="row" class="cm-{target}">{name_of(target, language)}</th>'
        body += f'<tr>{name}{cells}<td class="cm-life">{life}</td></tr>'
    together = half_life(float(memory.together[index]), language)
    life_head = behind(tell("coupling.life", language), tell("coupling.life_hint", language))
    count = len(memory.coupling)
    caption = tell("coupling.layer", language, number=index + 1, count=count, life=together)
    return (
        f'<table class="cm-matrix cm-learnt"><caption>{caption}</caption><thead><tr><td></td>{head}'
        f'<th scope="col" class="cm-life">{life_head}</th></tr></thead><tbody>{body}</tbody></table>'
    )


def _weight(target: str, source: str, weight: float, language: str) -> str:
    told = tell(
        "coupling.weight",
        language,
        owner=tell(f"owner.{target}", language),
        weight=f"{weight:.2f}",
        source=name_of(source, language),
    )
    return f'<td class="cm-cell" style="--depth:{min(1.0, abs(weight)):.3f}" title="{told}">{weight:.2f}</td>'


def half_life(seconds: float, language: str = DEFAULT) -> str:
    """ "3.9 s", or that nothing fades."""
    if not math.isfinite(seconds):
        return tell("coupling.never", language)
    return tell("seconds", language, number=f"{seconds:.{1 if seconds < 100 else 0}f}")


def _mean(scores: Sequence[float]) -> str:
    return signed(float(np.mean(scores)), 2) if scores else NOTHING
