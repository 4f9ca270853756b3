"""Small hand-made Analysis objects, for tests of what is drawn and written; nothing here is a model's answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app import analysis as plain
from app.analysis import MODALITIES, Analysis
from app.exports import FORMATS
from extractors.records import Grid

SENTENCE = "so I went in with high hopes honestly and the ending ruined it & <b>me</b>"

WIDTH = 3  # features of a modality in `make_grid`


def make_analysis(ticks: int = 60, modalities: tuple[str, ...] = MODALITIES, seed: int = 0) -> Analysis:
    """Smooth lines over `ticks` ticks, with shares that pass 1 and fall below 0 in places."""
    rng = np.random.default_rng(seed)
    time = np.arange(ticks) * 0.2
    waves = {m: np.sin(time / (2 + i) + i) * (1.6 - 0.4 * i) for i, m in enumerate(MODALITIES)}
    whole = sum(waves[m] for m in modalities) / len(modalities)
    words = SENTENCE.split() if "text" in modalities else []
    each = 0.2 * ticks / max(1, len(words))
    return Analysis(
        schema=plain.SCHEMA,
        clip=plain.Clip(0.2 * ticks, 640, 480, 25.0, True, "visual" in modalities),
        transcript=plain.Transcript(
            "recognised" if words else "none",
            tuple(plain.TimedWord(w, i * each, (i + 0.8) * each) for i, w in enumerate(words)),
        ),
        ticks=plain.Ticks(tuple(time.tolist()), 0.2),
        presence={m: tuple((np.ones(ticks) * (m in modalities)).tolist()) for m in MODALITIES},
        sentiment=plain.Sentiment(
            plain.ClipScore(float(whole.mean()), plain.label(float(whole.mean()))),
            tuple(whole.tolist()),
            {m: plain.AloneScore(float(waves[m].mean()), tuple(waves[m].tolist())) for m in modalities},
        ),
        dynamics=plain.Dynamics(
            {m: tuple((1 + 0.2 * rng.random(ticks)).tolist()) for m in MODALITIES},
            {t: make_shares(t, time) for t in MODALITIES},
        ),
        timings={"probe": 0.1, "model": 0.5, "total": 0.7},
        warnings=(),
    )


def make_shares(target: str, time: np.ndarray) -> dict[str, plain.Line]:
    """Signed shares that sum to 1: the target's own wave, the rest split unevenly over the others."""
    own = 0.7 + 0.5 * np.sin(time / 3)
    others = [m for m in MODALITIES if m != target]
    shares = {target: own, others[0]: 0.7 * (1 - own), others[1]: 0.3 * (1 - own)}
    return {m: tuple(shares[m].tolist()) for m in MODALITIES}


def make_grid(ticks: int = 20) -> Grid:
    """Features of all modalities, WIDTH of each, at every tick."""
    rng = np.random.default_rng(0)
    return Grid(
        0.2,
        0.2 * np.arange(ticks),
        {m: rng.standard_normal((ticks, WIDTH)).astype(np.float32) for m in MODALITIES},
        {m: np.ones(ticks, np.float32) for m in MODALITIES},
    )


def with_warnings(analysis: Analysis, *warnings: str) -> Analysis:
    return replace(analysis, warnings=warnings)


def with_intervals(analysis: Analysis, half: float = 0.8) -> Analysis:
    """The analysis with an interval of `half` either way around every score, within -3..3."""

    def around(score: float, ticks: plain.Line) -> plain.Interval:
        line = np.asarray(ticks)
        low, high = np.clip(line - half, -3, 3), np.clip(line + half, -3, 3)
        return plain.Interval(
            max(-3.0, score - half), min(3.0, score + half), tuple(low.tolist()), tuple(high.tolist())
        )

    feeling = analysis.sentiment
    alone = {m: replace(a, interval=around(a.score, a.ticks)) for m, a in feeling.alone.items()}
    whole = around(feeling.clip.score, feeling.ticks)
    return replace(analysis, sentiment=replace(feeling, alone=alone, interval=whole))


def with_tone(analysis: Analysis) -> Analysis:
    """The analysis with a voice that glides between 120 and 240 Hz, is not voiced in every fifth tick, and pauses."""
    count = len(analysis.ticks.start)
    line = 170 * 2 ** (0.5 * np.sin(np.arange(count) / 7))
    pitch = tuple(None if i % 5 == 4 or i % 40 > 33 else float(line[i]) for i in range(count))
    loudness = tuple(None if i % 40 > 33 else -6 + 9 * float(np.sin(i / 3)) for i in range(count))
    return replace(analysis, tone=plain.Tone(pitch, loudness))


def with_words(analysis: Analysis, *words: plain.TimedWord, sentences: tuple[int, ...] = ()) -> Analysis:
    return replace(analysis, transcript=plain.Transcript("given", words, sentences))


def offered(shown: Iterable[Any]) -> list[Path]:
    """The files to save among the values of `Service.show`."""
    values = [str(value.get("value")) for value in shown if isinstance(value, dict)]
    return [Path(value) for value in values if value.endswith(tuple(f".{kind}" for kind in FORMATS))]
