"""Numbers and findings of an Analysis in words: pure functions, plain text out."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from app.analysis import MODALITIES, Analysis, Interval
from app.figures.timeline import stretches
from app.i18n import DEFAULT, alone, joined, name_of, tell
from app.telling.numbers import clock, signed
from app.telling.observed import telling_ticks

LEAST_GAP = 0.8  # difference in score from which two modalities disagree
LEAST_SECONDS = 1.0  # shorter disagreements are passing
VERBS = {
    "text": ("result.heard", "result.unheard"),
    "audio": ("result.heard", "result.unheard"),
    "visual": ("result.seen", "result.unseen"),
}


def spread(interval: Interval | None, language: str = DEFAULT) -> str:
    """ "90 % range: −1.5 to +0.3"; empty where no interval is known."""
    if interval is None:
        return ""
    return tell("result.spread", language, low=signed(interval.low), high=signed(interval.high))


def presence_share(analysis: Analysis, modality: str) -> float:
    """The share (0..1) of the clip's ticks at which the modality was observed."""
    line = analysis.presence.get(modality, ())
    return float(np.mean(np.asarray(line) > 0)) if line else 0.0


def presence_words(analysis: Analysis, modality: str, language: str = DEFAULT) -> str:
    """How much of the modality there was: "heard 92 %", "not seen"."""
    share = presence_share(analysis, modality)
    there, missing = VERBS[modality]
    return tell(there, language, share=max(1, round(100 * share))) if share > 0 else tell(missing, language)


def disagreement(analysis: Analysis, language: str = DEFAULT) -> str:
    """One sentence on the longest stretch in which two modalities say opposite things."""
    if len(analysis.sentiment.alone) < 2:
        return tell("result.only_one", language)
    found = [
        (b - a, a, b, first, second)
        for first, second in combinations([m for m in MODALITIES if m in analysis.sentiment.alone], 2)
        for a, b in stretches(_opposed(analysis, first, second))
    ]
    longest = max(found, default=None)
    if longest is None or longest[0] * analysis.ticks.step < LEAST_SECONDS:
        present = [name_of(m, language) for m in MODALITIES if m in analysis.sentiment.alone]
        names = joined(present, language)
        return tell("result.agree", language, names=names[0].upper() + names[1:])
    _, a, b, first, second = longest
    start = analysis.ticks.start
    sides = [
        tell("result.side", language, name=name_of(m, language), score=signed(_mean(analysis, m, a, b)))
        for m in (first, second)
    ]
    return tell(
        "result.disagree",
        language,
        first=name_of(first, language).capitalize(),
        second=name_of(second, language),
        start=clock(start[a]),
        end=clock(start[b - 1] + analysis.ticks.step),
        scores=joined(sides, language),
    )


def strongest_moment(analysis: Analysis, language: str = DEFAULT) -> str:
    """One sentence on the moment farthest from neutral of those in `telling_ticks`, with the words said there."""
    ticks, offered = np.asarray(analysis.sentiment.ticks), telling_ticks(analysis)
    i = int(offered[np.argmax(np.abs(ticks[offered]))])
    time = analysis.ticks.start[i]
    near = [
        w.word
        for w in analysis.transcript.words
        if w.start <= time + analysis.ticks.step and w.end >= time - 0.6
    ]
    known: dict[str, object] = {"score": signed(float(ticks[i])), "time": clock(time)}
    if not near:
        return tell("result.strongest", language, **known)
    words = tell("quote", language, words=" ".join(near[-3:]).rstrip(".,;:!?。、，？！"))
    return tell("result.strongest_at", language, **known, words=words)


def typical_shares(analysis: Analysis) -> dict[str, dict[str, float]]:
    """share[target][source], the median over the ticks at which the target's output is not zero.

    A median, since near cancellation a few ticks have shares of any size and would decide a mean; so a row sums to
    about 1 only.
    """
    typical = {}
    for target, sources in analysis.dynamics.share.items():
        values = np.array([sources[m] for m in sources])
        alive = np.abs(values).sum(0) > 0
        middle = np.median(values[:, alive], axis=1) if alive.any() else np.zeros(len(values))
        typical[target] = dict(zip(sources, middle.tolist(), strict=True))
    return typical


def summary(analysis: Analysis, name: str) -> str:
    """The analysis in a few lines of plain text, in English; `name` is the clip's."""
    clip, between = analysis.sentiment.clip, spread(analysis.sentiment.interval)
    score = f"{signed(clip.score)} on -3..3{f', {between}' if between else ''}"
    lines = [f"{name} ({clock(analysis.clip.duration)}): {clip.label}, {score}", ""]
    for modality in MODALITIES:
        said = analysis.sentiment.alone.get(modality)
        number = "   –" if said is None else f"{signed(said.score):>4}"
        lines.append(f"  {alone(modality):<12} {number}   {presence_words(analysis, modality)}")
    lines += ["", disagreement(analysis), strongest_moment(analysis)]
    lines += [f"Note: {warning}" for warning in analysis.warnings]
    words = " ".join(w.word for w in analysis.transcript.words)
    return "\n".join([*lines, *(["", f"“{words}”"] if words else [])])


def _opposed(analysis: Analysis, first: str, second: str) -> np.ndarray:
    """Where both are observed, with opposite signs and LEAST_GAP apart."""
    a, b = (np.asarray(analysis.sentiment.alone[m].ticks) for m in (first, second))
    seen = np.all([np.asarray(analysis.presence[m]) > 0 for m in (first, second)], axis=0)
    return seen & (a * b < 0) & (np.abs(a - b) >= LEAST_GAP)


def _mean(analysis: Analysis, modality: str, first: int, end: int) -> float:
    return float(np.mean(analysis.sentiment.alone[modality].ticks[first:end]))
