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
from app.figures.style import NAMES, OWNERS
from app.figures.switches import left_on
from app.moments import Moment, moment_sentence, moment_table
from app.wording import clock, signed

if TYPE_CHECKING:
    from model.answers import Memory, Paths

ROWS = 60  # rows a table has at most
EXACT = (
    "Exact: what each modality brought into the last layer at each tick, through the states of all three chains, to "
    "rounding; and the scores without a modality, for which the whole network ran anew. Followed along the straight "
    "way from nothing read to all read: gate and head, which are not linear; the points add up to the score. Not "
    "traced, and so part of what is left were nothing read: what the last layer was given already carries of other "
    "modalities and earlier moments through the layers before it."
)


def folded(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, folded away under "The same as a table"."""
    return (
        '<details class="cm-details"><summary>The same as a table</summary><div class="cm-scroll" tabindex="0">'
        f"{table(header, rows)}</div></details>"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text cells."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def moment_card(moment: Moment, words: Sequence[TimedWord]) -> str:
    """The moment in sentences, what is exact behind them, and the picture's table."""
    names = [NAMES[m] for m in MODALITIES if m in moment.sources]
    return (
        f'<p class="cm-answer" aria-live="polite">{escape(moment_sentence(moment, words))} '
        f'<span class="cm-how" tabindex="0" title="{escape(EXACT)}">what is exact?'
        f'<span class="cm-unseen"> {escape(EXACT)}</span></span></p>'
        f"{folded(['from', 'said', *names], moment_table(moment, words))}"
    )


def layers_card(memory: Memory) -> str:
    """W and the half-lives of every layer: one matrix a layer, row = the chain moved, column = the chain heard."""
    layers = [_layer(i, memory) for i in range(len(memory.coupling))]
    return f'<div class="cm-layers">{"".join(layers)}</div>'


def fewer_card(analysis: Analysis, fewer: Fewer) -> str:
    """The clip's score with and without, in a sentence, and both lines as a table."""
    all_of, part = analysis.sentiment.clip, fewer.clip
    said = (
        f"With {left_on(fewer.kept)} the clip as a whole would be {part.label} ({signed(part.score)}); "
        f"with all it is {all_of.label} ({signed(all_of.score)})."
    )
    each = max(1, -(-len(fewer.ticks) // ROWS))
    starts, whole = analysis.ticks.start, analysis.sentiment.ticks
    rows = [
        [clock(starts[i]), signed(_mean(whole[i : i + each]), 2), signed(_mean(fewer.ticks[i : i + each]), 2)]
        for i in range(0, len(starts), each)
    ]
    return f'<p class="cm-answer">{escape(said)}</p>{folded(["time", "all together", left_on(fewer.kept)], rows)}'


def space_card(analysis: Analysis, paths: Paths) -> str:
    """The place of the drawing with its numbers, for `space.js` to draw, and the same as a table."""
    data = space_points(analysis, paths)
    names = [NAMES[m] for m in data["paths"]]
    told = f"Paths of the states of {', '.join(names)} in three directions. Arrow keys turn the picture."
    return (
        f'<canvas id="cm-space" class="cm-space" tabindex="0" role="img" aria-label="{told}" '
        f'data-paths="{escape(json.dumps(data, separators=(",", ":")))}"></canvas>'
        f'<p class="cm-small">{_shown(paths)}</p>{folded(["time", "score", *names], _space_rows(data))}'
    )


def _shown(paths: Paths) -> str:
    return (
        "Core of each path: <span class='cm-up-key'>green</span> where the score is positive, "
        "<span class='cm-down-key'>purple</span> where it is negative; its rim tells the chain. The three directions "
        f"are those of most movement in this clip and show {100 * paths.shown:.0f} % of it; every chain is "
        "drawn to the same size."
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


def _layer(index: int, memory: Memory) -> str:
    """One layer's matrix, with the half-life of each chain at its right."""
    head = "".join(f'<th scope="col" class="cm-{m}">{NAMES[m]}</th>' for m in MODALITIES)
    body = ""
    for i, target in enumerate(MODALITIES):
        cells = "".join(
            _weight(target, source, float(memory.coupling[index, i, j]))
            for j, source in enumerate(MODALITIES)
        )
        life = half_life(float(memory.half_life[index, i]))
        name = f'<th scope="row" class="cm-{target}">{NAMES[target]}</th>'
        body += f'<tr>{name}{cells}<td class="cm-life">{life}</td></tr>'
    together = half_life(float(memory.together[index]))
    caption = f"Layer {index + 1} of {len(memory.coupling)}. All chains together: {together}"
    return (
        f'<table class="cm-matrix cm-learnt"><caption>{caption}</caption><thead><tr><td></td>{head}'
        '<th scope="col" class="cm-life" title="In this time half of what a chain remembers fades, on this clip">'
        f"half-life</th></tr></thead><tbody>{body}</tbody></table>"
    )


def _weight(target: str, source: str, weight: float) -> str:
    told = (
        f"At every tick {OWNERS[target]} state takes {weight:.2f} of the {NAMES[source]} chain’s last state"
    )
    return f'<td class="cm-cell" style="--depth:{min(1.0, abs(weight)):.3f}" title="{told}">{weight:.2f}</td>'


def half_life(seconds: float) -> str:
    """ "3.9 s", or that nothing fades."""
    if not math.isfinite(seconds):
        return "never"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
