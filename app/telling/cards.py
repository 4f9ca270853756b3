"""Parts of the page and of the report as HTML: pure functions of an Analysis, everything from outside escaped."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from html import escape

import numpy as np

from app.analysis import HIGHEST, LOWEST, MODALITIES, Analysis, Interval
from app.figures.words import MOVES, MOVES_MUCH, moved_words
from app.i18n import DEFAULT, alone, name_of, percent, retell, tell
from app.telling.tables import SHARE_ROWS, share_table, tick_table
from app.telling.wording import (
    clock,
    disagreement,
    presence_words,
    signed,
    spread,
    strongest_moment,
    typical_shares,
)

SOURCES = ("given", "embedded", "recognised")  # where words come from, as the page tells it
RESULT = 'class="cm-result"'  # by which the card is known


def result_card(analysis: Analysis, language: str = DEFAULT) -> str:
    """The clip as a whole: the score in words and number with its interval, each modality alone, two sentences."""
    clip, interval = analysis.sentiment.clip, analysis.sentiment.interval
    rows = [_row(name_of("all", language), "all", clip.score, "", interval, language)]
    for name in MODALITIES:
        said, note = analysis.sentiment.alone.get(name), presence_words(analysis, name, language)
        score, between = (said.score, said.interval) if said else (None, None)
        rows.append(_row(alone(name, language), name, score, note, between, language))
    named = tell(f"label.{clip.label}", language)
    whole = tell("result.said", language, label=named, score=signed(clip.score))
    return (
        f'<section {RESULT} aria-label="{tell("result.region", language)}" data-said="{escape(whole)}">'
        f'<p class="cm-kicker">{tell("result.whole", language)}</p>'
        f'<h2 class="cm-score"><span>{escape(named)}</span> '
        f'<span class="cm-number" title="{tell("result.scale", language)}">{signed(clip.score)}</span></h2>'
        f"{_spread_line(interval, language)}"
        f'<div class="cm-rows" role="table" aria-label="{tell("result.scores", language)}">{"".join(rows)}</div>'
        '<div class="cm-scale" aria-hidden="true"><span></span>'
        f"<span><i>{tell('result.low', language)}</i><i>0</i><i>{tell('result.high', language)}</i></span></div>"
        f'<div class="cm-says"><p>{escape(disagreement(analysis, language))}</p>'
        f'<p class="cm-quiet">{escape(strongest_moment(analysis, language))}</p></div>'
        f"{warnings_card(analysis, language)}</section>"
    )


def warnings_card(analysis: Analysis, language: str = DEFAULT) -> str:
    """The warnings as a list, or nothing."""
    items = "".join(f"<li>{escape(retell(w, language))}</li>" for w in analysis.warnings)
    named = tell("result.warnings", language)
    return f'<ul class="cm-warnings" aria-label="{named}">{items}</ul>' if items else ""


def transcript_card(analysis: Analysis, language: str = DEFAULT, keys: str = "") -> str:
    """The words as running text with a time every pause, each coloured by its pull.

    `keys` tells who does not see the text which keys go through it, where there are any.
    """
    words = moved_words(analysis)
    if not words:
        return f'<p class="cm-quiet">{tell("transcript.none", language)}</p>'
    parts: list[str] = []
    last_end = -10.0
    for moved in words:
        word = moved.word
        if word.start - last_end > 0.7:
            parts.append(f'{"</p>" if parts else ""}<p dir="auto"><time>{clock(word.start)}</time> ')
        kind = "" if abs(moved.pull) < MOVES else " up" if moved.pull > 0 else " down"
        strong = " much" if abs(moved.pull) >= MOVES_MUCH else ""
        hint = tell("transcript.pull", language, time=clock(word.start), score=signed(moved.pull, 2))
        when = f'data-start="{word.start:.2f}" data-end="{word.end:.2f}"'
        span = f'<span class="cm-word{kind}{strong}" {when} title="{hint}">'
        parts.append(f"{span}{escape(word.word)}</span> ")
        last_end = word.end
    source = analysis.transcript.source
    note = tell(f"transcript.{source}", language) if source in SOURCES else source
    named = escape(keys or tell("transcript.title", language))
    spoken = f'lang="{escape(analysis.transcript.language)}"'  # empty: not known, and not the page's
    about = f'aria-label="{named}" {spoken} data-of="{_mark(analysis)}"'
    region = f'<div class="cm-transcript" tabindex="0" role="group" {about}>'
    return f'<p class="cm-quiet">{escape(note)}</p>{region}{"".join(parts)}</p></div>'


def _mark(analysis: Analysis) -> str:
    """What changes with the words and their times, and with nothing else: `subtitles.js` compares it."""
    return f"{zlib.crc32(repr(analysis.transcript).encode()):08x}"


def coupling_card(analysis: Analysis, language: str = DEFAULT) -> str:
    """Median source shares as a table, a row for each chain, a column for each source; under it those over time.

    With it goes every tick's share, from which `shares.js` makes both tables anew for a window of the time line.
    """
    shares = typical_shares(analysis)
    names = [m for m in MODALITIES if m in shares]
    head = "".join(f'<th scope="col" class="cm-{m}">{name_of(m, language)}</th>' for m in names)
    body = ""
    for target in names:
        cells = "".join(_cell(target, source, shares[target].get(source, 0.0), language) for source in names)
        body += f'<tr><th scope="row" class="cm-{target}">{name_of(target, language)}</th>{cells}</tr>'
    caption = tell("coupling.caption", language)
    median = behind(tell("coupling.median?", language), tell("coupling.median", language))
    window = tell("coupling.window", language, start="{start}", end="{end}")
    return (
        f'<div class="cm-shares" data-percent="{tell("percent", language)}" {_share_data(analysis, names)}>'
        f'<p class="cm-small" data-said data-window="{window}" hidden></p>'
        f'<table class="cm-matrix"><caption>{caption} {median}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{folded(*share_table(analysis, language=language), language)}</div>"
    )


def table_card(analysis: Analysis, language: str = DEFAULT) -> str:
    """The time line's numbers as a table, folded away."""
    return folded(*tick_table(analysis, language=language), language)


def folded(header: Sequence[str], rows: Sequence[Sequence[str]], language: str = DEFAULT) -> str:
    """A table, folded away under "The same as a table"."""
    return (
        f'<details class="cm-details"><summary>{tell("table.same", language)}</summary>'
        f'<div class="cm-scroll" tabindex="0">{table(header, rows)}</div></details>'
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text cells."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def behind(words: str, explained: str) -> str:
    """A few words, and what they mean for who points at them or taps them, comes to them by keys, or listens."""
    return (
        f'<span class="cm-how" tabindex="0">{escape(words)}'
        f'<span class="cm-unseen"> {escape(explained)}</span></span>'
    )


def legend(language: str = DEFAULT, *, together: bool = True, band: bool = False) -> str:
    """The colours' names; `together` with that of all together, and `band` with that of its interval."""
    keys = [(m, name_of(m, language)) for m in (("all", *MODALITIES) if together else MODALITIES)]
    told = "".join(f'<i class="cm-key-{k}">{n}</i>' for k, n in keys)
    if band:
        hint = behind(tell("legend.band", language), tell("result.spread_hint", language))
        told += f'<i class="cm-key-band">{hint}</i>'
    return f'<span class="cm-legend">{told}</span>'


def title(name: str, hint: str, keys: str = "", touch: str = "") -> str:
    """A card's heading, its hint and the colours' names; `touch` is the hint where fingers do what a mouse does."""
    told = f'<span class="cm-hint{" cm-pointed" if touch else ""}">{escape(hint)}</span>'
    if touch:
        told += f'<span class="cm-hint cm-touched">{escape(touch)}</span>'
    return f'<div class="cm-title"><h3>{escape(name)}</h3>{told}{keys}</div>'


def _spread_line(interval: Interval | None, language: str) -> str:
    """The clip's interval as a line under the score, and behind it what is meant."""
    if interval is None:
        return ""
    return (
        f'<p class="cm-spread">{behind(spread(interval, language), tell("result.spread_hint", language))}</p>'
    )


def _row(
    name: str, kind: str, score: float | None, note: str, interval: Interval | None, language: str
) -> str:
    mark, number, hint = "", "–", ""
    if score is not None:
        mark, number = f'<i style="left:{_percent(score):.2f}%"></i>', signed(score)
    if interval is not None:
        left, right = _percent(interval.low), _percent(interval.high)
        mark = f'<b style="left:{left:.2f}%;width:{right - left:.2f}%"></b>{mark}'
        told = spread(interval, language)
        number, hint = f'{number}<span class="cm-unseen"> {told}</span>', f' title="{told}"'
    return (
        f'<div class="cm-row cm-{kind}" role="row"{hint}><span class="cm-name" role="rowheader">{name}</span>'
        f'<span class="cm-track" aria-hidden="true">{mark}</span>'
        f'<span class="cm-value" role="cell">{number}</span>'
        f'<span class="cm-note" role="cell">{note}</span></div>'
    )


def _percent(score: float) -> float:
    """Where on the track a score stands."""
    return 100 * (score - LOWEST) / (HIGHEST - LOWEST)


def _share_data(analysis: Analysis, names: Sequence[str]) -> str:
    """Attributes for `shares.js`: when the ticks are, and float32 [targets, sources, L] in the order of the table."""
    share, ticks = analysis.dynamics.share, analysis.ticks
    silence = (0.0,) * len(ticks.start)
    values = np.array([[share[t].get(s, silence) for s in names] for t in names], "<f4")
    when = json.dumps({"first": ticks.start[0], "step": ticks.step, "end": analysis.end, "rows": SHARE_ROWS})
    return f'data-ticks="{escape(when)}" data-shares="{base64.b64encode(values.tobytes()).decode()}"'


def _cell(target: str, source: str, share: float, language: str) -> str:
    """One share; the darker, the larger. Below zero it is outlined: the source pulls the other way."""
    depth = min(1.0, abs(share))
    text = percent(share, language)
    kind = " below" if text.startswith("−") else ""
    told = tell(
        "coupling.cell",
        language,
        share="{share}",
        owner=tell(f"owner.{target}", language),
        source=name_of(source, language),
    )
    hint = f'title="{told.format(share=text)}" data-hint="{told}"'
    return f'<td class="cm-cell{kind}" style="--depth:{depth:.3f}" {hint}>{text}</td>'
