"""A corrected transcript: the words as rows to edit, and edited rows as subtitles to analyse again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from app.analysis import Analysis

SHORTEST = 0.12  # seconds a row is given at least: less cannot be heard apart
LATEST = 1e6  # seconds: no clip is as long, and far beyond there are no time stamps
SHOWN = 40  # letters of a row's word that a refusal repeats
Row = tuple[float, float, str]


def word_rows(analysis: Analysis) -> list[list[Any]]:
    """A row for each word: seconds from and to, rounded to hundredths, and the word."""
    return [[round(w.start, 2), round(w.end, 2), w.word] for w in analysis.transcript.words]


def rows_to_subtitles(rows: Sequence[Sequence[Any]]) -> str:
    """Edited rows as .srt with a cue for each; rows without a word are left out, and two words may share a row.

    Raises ValueError with a sentence that names the row where a time is none, where no word is left, and where there
    are more than can be said in the longest clip that is read: which clip they are of is not known here.
    """
    _check_count([word for row in rows for word in str(_cell(row, 2)).split()])
    read = sorted(_read(number, row) for number, row in enumerate(rows, 1) if str(_cell(row, 2)).strip())
    if not read:
        raise ValueError("No words are left in the table: keep at least one.")
    cues = [
        f"{i}\n{_stamp(start)} --> {_stamp(max(end, start + SHORTEST))}\n{word}\n"
        for i, (start, end, word) in enumerate(_join_same(read), 1)
    ]
    return "\n".join(cues)


def _check_count(words: Sequence[str]) -> None:
    # Only now: these bring libraries that the page need not wait for.
    from extractors.media.opening import Limits
    from extractors.words.subtitles import is_too_much

    seconds = Limits.from_environment().max_seconds
    if is_too_much(words, seconds):
        raise ValueError(
            f"The table holds {len(words):,} {'word' if len(words) == 1 else 'words'} of {sum(map(len, words)):,} "
            f"letters, more than can be said in {seconds:,} s: keep the words of this clip alone."
        )


def _read(number: int, row: Sequence[Any]) -> Row:
    word = " ".join(str(_cell(row, 2)).split())
    try:
        start, end = float(_cell(row, 0)), float(_cell(row, 1))
    except (TypeError, ValueError, OverflowError):
        start = end = math.nan
    if not (0 <= start <= LATEST and abs(end) <= LATEST):
        named = word if len(word) <= SHOWN else f"{word[:SHOWN]}…"
        raise ValueError(f"Row {number} (“{named}”) needs its seconds from and to, such as 1.20 and 1.55.")
    return start, end, word


def _cell(row: Sequence[Any], column: int) -> Any:
    value = row[column] if column < len(row) else ""
    return "" if value is None else value


def _join_same(rows: Sequence[Row]) -> list[Row]:
    """The same words over each other in one cue: two cues would be taken for one text that is shown twice.

    A cue's text is made once: anew with each word it would take time by the square of their number.
    """
    joined: list[tuple[float, float, list[str]]] = []
    for start, end, word in rows:
        if joined and word == joined[-1][2][-1] and start < joined[-1][1]:
            first, _, same = joined.pop()
            same.append(word)
            joined.append((first, end, same))
        else:
            joined.append((start, end, [word]))
    return [(start, end, " ".join(same)) for start, end, same in joined]


def _stamp(seconds: float) -> str:
    """Seconds as 00:01:02,345."""
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
