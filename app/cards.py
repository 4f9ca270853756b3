"""Parts of the page and of the report as HTML: pure functions of an Analysis, everything from outside escaped."""

from __future__ import annotations

from html import escape

from app.analysis import HIGHEST, LOWEST, MODALITIES, Analysis, Interval
from app.figures.style import NAMES, OWNERS
from app.figures.words import MOVES, MOVES_MUCH, moved_words
from app.tables import tick_table
from app.wording import (
    clock,
    disagreement,
    presence_words,
    signed,
    spread,
    strongest_moment,
    typical_shares,
)

SOURCES = {
    "given": "from the file given",
    "embedded": "from the clip's own subtitles",
    "recognised": "recognised from the sound; English only",
    "none": "",
}


def result_card(analysis: Analysis) -> str:
    """The clip as a whole: the score in words and number with its interval, each modality alone, two sentences."""
    clip, interval = analysis.sentiment.clip, analysis.sentiment.interval
    rows = [_row("all together", "all", clip.score, "", interval)]
    for name in MODALITIES:
        alone, note = analysis.sentiment.alone.get(name), presence_words(analysis, name)
        score, between = (alone.score, alone.interval) if alone else (None, None)
        rows.append(_row(f"{NAMES[name]} alone", name, score, note, between))
    return (
        '<section class="cm-result" aria-label="Result">'
        '<p class="cm-kicker">The clip as a whole</p>'
        f'<h2 class="cm-score"><span>{escape(clip.label)}</span> '
        f'<span class="cm-number" title="on a scale from −3 to +3">{signed(clip.score)}</span></h2>'
        f"{_spread_line(interval)}"
        f'<div class="cm-rows" role="table" aria-label="Scores on a scale from −3 to +3">{"".join(rows)}</div>'
        '<div class="cm-scale" aria-hidden="true"><span></span>'
        "<span><i>−3 negative</i><i>0</i><i>positive +3</i></span></div>"
        f'<div class="cm-says"><p>{escape(disagreement(analysis))}</p>'
        f'<p class="cm-quiet">{escape(strongest_moment(analysis))}</p></div>'
        f"{warnings_card(analysis)}</section>"
    )


def warnings_card(analysis: Analysis) -> str:
    """The warnings as a list, or nothing."""
    items = "".join(f"<li>{escape(w)}</li>" for w in analysis.warnings)
    return f'<ul class="cm-warnings" aria-label="Warnings">{items}</ul>' if items else ""


def transcript_card(analysis: Analysis) -> str:
    """The words as running text with a time every pause; coloured by its pull."""
    words = moved_words(analysis)
    if not words:
        return '<p class="cm-quiet">No words were found in this clip.</p>'
    parts: list[str] = []
    last_end = -10.0
    for moved in words:
        word = moved.word
        if word.start - last_end > 0.7:
            parts.append(f"{'</p>' if parts else ''}<p><time>{clock(word.start)}</time> ")
        kind = "" if abs(moved.pull) < MOVES else " up" if moved.pull > 0 else " down"
        strong = " much" if abs(moved.pull) >= MOVES_MUCH else ""
        hint = f"{clock(word.start)} · pull {signed(moved.pull, 2)}"
        when = f'data-start="{word.start:.2f}" data-end="{word.end:.2f}"'
        span = f'<span class="cm-word{kind}{strong}" {when} title="{hint}">'
        parts.append(f"{span}{escape(word.word)}</span> ")
        last_end = word.end
    note = SOURCES.get(analysis.transcript.source, analysis.transcript.source)
    return f'<p class="cm-quiet">{escape(note)}</p><div class="cm-transcript" tabindex="0">{"".join(parts)}</p></div>'


def coupling_card(analysis: Analysis) -> str:
    """Typical source shares as a table: a row for each chain, a column for each source."""
    shares = typical_shares(analysis)
    names = [m for m in MODALITIES if m in shares]
    head = "".join(f'<th scope="col" class="cm-{m}">{NAMES[m]}</th>' for m in names)
    body = ""
    for target in names:
        cells = "".join(_cell(target, source, shares[target].get(source, 0.0)) for source in names)
        body += f'<tr><th scope="row" class="cm-{target}">{NAMES[target]}</th>{cells}</tr>'
    caption = "Typical share of each chain’s output (row) that came from each source (column)"
    return (
        f'<table class="cm-matrix"><caption>{caption}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def table_card(analysis: Analysis) -> str:
    """The time line's numbers as a table, folded away."""
    header, rows = tick_table(analysis)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        '<details class="cm-details"><summary>The same as a table</summary><div class="cm-scroll" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def legend(*, together: bool = True) -> str:
    """The colours' names."""
    keys = [("all", "all together")] if together else []
    keys += [(m, NAMES[m]) for m in MODALITIES]
    return '<span class="cm-legend">' + "".join(f'<i class="cm-key-{k}">{n}</i>' for k, n in keys) + "</span>"


def title(name: str, hint: str, keys: str = "") -> str:
    """A card's heading, its hint and the colours' names."""
    return f'<div class="cm-title"><h3>{escape(name)}</h3><span class="cm-hint">{escape(hint)}</span>{keys}</div>'


def _spread_line(interval: Interval | None) -> str:
    """The clip's interval as a line under the score, and behind it what is meant."""
    if interval is None:
        return ""
    hint = (
        "On clips kept apart when the model was made, the rating lay within such a range nine times in ten. "
        "How wide the range is, the model says anew for every clip."
    )
    return f'<p class="cm-spread" title="{hint}">{escape(spread(interval))}</p>'


def _row(name: str, kind: str, score: float | None, note: str, interval: Interval | None) -> str:
    mark, number, hint = "", "–", ""
    if score is not None:
        mark, number = f'<i style="left:{_percent(score):.2f}%"></i>', signed(score)
    if interval is not None:
        left, right = _percent(interval.low), _percent(interval.high)
        mark = f'<b style="left:{left:.2f}%;width:{right - left:.2f}%"></b>{mark}'
        told = spread(interval)
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


def _cell(target: str, source: str, share: float) -> str:
    """One share; the darker, the larger. Below zero it is outlined: the source pulls the other way."""
    depth = min(1.0, abs(share))
    kind = " below" if share < -0.005 else ""
    text = f"{'−' if share < -0.005 else ''}{abs(share):.2f}"
    told = f"{text} of {OWNERS[target]} output comes from the {NAMES[source]}"
    ink = " deep" if depth > 0.78 else ""
    return f'<td class="cm-cell{kind}{ink}" style="--depth:{depth:.3f}" title="{told}">{text}</td>'
