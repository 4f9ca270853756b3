"""WebVTT: the words as subtitles, each cue opening with its score."""

from __future__ import annotations

from app.analysis import Analysis
from app.exports.sentences import Sentence, sentences
from app.telling.numbers import written

MOST = 12  # words in a cue: about two lines
SIDE = 0.5  # score from which a cue is coloured, where "slightly positive" begins
_HEAD = """WEBVTT - what words, voice and face say

NOTE
The number in brackets is the cue's score by all three together,
from -3 (strongly negative) to +3 (strongly positive).

STYLE
::cue(.positive) { color: #8fe0b5; }
::cue(.negative) { color: #ffa3c4; }
"""


def render_vtt(analysis: Analysis) -> str:
    """A cue for every sentence, a long one in parts: "[-0.6] " and its words.

    Bracketed notes are left out when subtitles are read as a transcript, so the file can be given back as one. There
    are no time stamps of words within a cue: some readers, pysubs2 among them, take two of them for the cue's times.
    """
    cues = [_cue(i, sentence) for i, sentence in enumerate(sentences(analysis, MOST), 1)]
    return "\n".join([_HEAD, *cues])


def _cue(number: int, sentence: Sentence) -> str:
    side = "positive" if sentence.score >= SIDE else "negative" if sentence.score <= -SIDE else "neutral"
    times = f"{stamp(sentence.start)} --> {stamp(sentence.end)}"
    return f"{number}\n{times}\n[{written(sentence.score)}] <c.{side}>{_escape(sentence.text)}</c>\n"


def stamp(seconds: float) -> str:
    """Seconds as 00:00:04.200."""
    count = round(1000 * seconds)
    return f"{count // 3_600_000:02}:{count // 60_000 % 60:02}:{count // 1000 % 60:02}.{count % 1000:03}"


def _escape(text: str) -> str:
    """Text that is neither a tag nor, as "-->" would be, the end of the cue."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
