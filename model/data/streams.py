"""Streams to train on: several utterances in a row, each with words, voice and face of about the same score.

Words, voices and faces come from different corpora, so they are paired by score and not recorded together. The
target of an utterance is the mean rating of the modalities given, or, where one is given alone, what its extractor
says of it, if `own` asks for that. Modalities are dropped at random, sometimes
they disagree, a stream keeps one speaker's voice, and the face may be lost for a while. Where they disagree nobody
knows which is right: the truth that an interval has to cover is then that of one of them, drawn evenly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from extractors.grid import STEP, spread
from model.data.own import own_scores
from model.measures.intervals import LIMIT

if TYPE_CHECKING:
    from model.data.pool import Pool

Array = NDArray[np.float32]
TOLD = 0.999  # weight from which an utterance has lasted long enough to be asked for
ALL = ("text", "audio", "visual")


@dataclass(frozen=True)
class StreamSettings:
    """How streams are drawn; seconds and probabilities."""

    utterances: tuple[int, int] = (1, 6)
    ticks: int = 160
    disagree: float = 0.15
    everything: float = 0.4
    """Probability that all modalities are given; otherwise one or two of them, evenly."""
    own: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of words, voice and face: the share of the extractor's own score in what a stream of it alone aims at.

    The ratings of a few thousand examples are a noisy teacher; the extractor learnt from many more.
    """
    word_seconds: tuple[float, float] = (0.22, 0.5)
    natural_faces: float = 0.0
    """Share of faces drawn as often as their corpus has them; others, and voices, evenly over signs and classes."""
    silent_seconds: tuple[float, float] = (2.0, 6.0)
    """An utterance's duration where there are no words."""
    gap_seconds: tuple[float, float] = (0.0, 1.0)
    closeness: float = 0.35
    """How far apart, in score, paired utterances tend to be."""
    face_lost: float = 0.2
    voice_shift: float = 0.3
    """How far a stream's voice is moved from its speaker's, in deviations: few speakers stand for many."""
    voice_noise: float = 0.0
    """Noise on each tick of a voice's features, in their deviations: few recordings must not be learnt by heart."""
    face_jitter: float = 0.15
    """Noise on a still face's features, in their deviations, since a living face is never still."""
    patience: float = 1.0
    """Seconds of an utterance before its score can be asked for in full."""


@dataclass(frozen=True)
class Batch:
    """values[m] [B, L, D_m], presence [B, L, M]; per tick [B, L] target, truth and weight; ends[b] last ticks.

    target is the mean rating of the modalities given, or what `own` makes of it, truth the rating of one of them,
    weight 0..1 how far the utterance has come; clip and clip_truth [B] are their weighted means.
    """

    values: dict[str, Array]
    presence: Array
    target: Array
    truth: Array
    weight: Array
    clip: Array
    clip_truth: Array
    ends: list[list[int]]


class Streams:
    """Draws streams from one pool a modality. The same seed draws the same streams."""

    def __init__(self, pools: Mapping[str, Pool], settings: StreamSettings, seed: int) -> None:
        self.pools = {m: pools[m] for m in ALL}
        self.settings = settings
        self.rng = np.random.default_rng(seed)
        self._by_score = {m: np.argsort(p.score, kind="stable") for m, p in self.pools.items()}
        self._deviation = {m: self.pools[m].rows.astype(np.float32).std(0) for m in ("audio", "visual")}
        audio = self.pools["audio"]
        self._speakers = {s: np.flatnonzero(audio.group == s) for s in np.unique(audio.group)}

    def batch(self, size: int, given: tuple[str, ...] | None = None) -> Batch:
        """`size` streams, with the modalities `given` or with some drawn for each stream."""
        length = self.settings.ticks
        values = {m: np.zeros((size, length, p.rows.shape[1]), np.float32) for m, p in self.pools.items()}
        presence = np.zeros((size, length, len(ALL)), np.float32)
        target, truth, weight = (np.zeros((size, length), np.float32) for _ in range(3))
        ends = []
        for b in range(size):
            row = {m: v[b] for m, v in values.items()}
            lines = (target[b], truth[b], weight[b])
            ends.append(self._stream(row, presence[b], lines, given or self._draw_given()))
        total = weight.sum(1).clip(1e-6)
        clip, clip_truth = (target * weight).sum(1) / total, (truth * weight).sum(1) / total
        return Batch(values, presence, target, truth, weight, clip, clip_truth, ends)

    def _draw_given(self) -> tuple[str, ...]:
        if self.rng.random() < self.settings.everything:
            return ALL
        count = self.rng.integers(1, 3)
        return tuple(sorted(self.rng.choice(ALL, count, replace=False), key=ALL.index))

    def _stream(
        self,
        values: dict[str, Array],
        presence: Array,
        lines: tuple[Array, Array, Array],
        given: tuple[str, ...],
    ) -> list[int]:
        """Fill one stream in place; return the last tick of each utterance."""
        target, truth, weight = lines
        speaker = self._speakers[self.rng.choice(list(self._speakers))]
        shift = self.settings.voice_shift * self._deviation["audio"]
        shift = shift * self.rng.standard_normal(len(shift), np.float32)
        at, ends = 0, []
        for _ in range(self.rng.integers(self.settings.utterances[0], self.settings.utterances[1] + 1)):
            picked = self._pick(given, speaker)
            parts = self._lay_out(picked, speaker)
            end = min(at + len(next(iter(parts.values()))[0]), len(target))
            for m, (rows, seen) in parts.items():
                values[m][at:end], presence[at:end, ALL.index(m)] = rows[: end - at], seen[: end - at]
            gap = min(end + round(self.rng.uniform(*self.settings.gap_seconds) / STEP), len(target))
            if "visual" in parts:
                values["visual"][end:gap], presence[end:gap, 2] = (
                    values["visual"][end - 1],
                    presence[end - 1, 2],
                )
            scores = [float(self.pools[m].score[i]) for m, i in picked.items()]
            target[at:gap], truth[at:gap] = self._aim(scores, parts), self.rng.choice(scores)
            weight[at:gap] = np.minimum(1, (np.arange(gap - at) + 1) * STEP / self.settings.patience)
            ends.append(end - 1)
            at = gap
            if at >= len(target):
                break
        heard = presence[:, 1] > 0
        noise = self.settings.voice_noise * self._deviation["audio"]
        values["audio"][heard] += shift + noise * self.rng.standard_normal(
            (heard.sum(), len(shift)), np.float32
        )
        return ends

    def _aim(self, scores: Sequence[float], parts: Mapping[str, tuple[Array, Array]]) -> float:
        """The mean rating; of one modality alone, in part what its extractor says of the same ticks."""
        rated, (first, (rows, seen)) = float(np.mean(scores)), next(iter(parts.items()))
        share = self.settings.own[ALL.index(first)]
        if len(parts) > 1 or not share or not seen.any():
            return rated
        own = float(np.average(own_scores(first, rows), weights=seen))
        return rated + share * (float(np.clip(own, -LIMIT, LIMIT)) - rated)

    def _pick(self, given: tuple[str, ...], speaker: NDArray[np.intp]) -> dict[str, int]:
        """An utterance of each modality: one drawn freely, the others near its score unless they disagree."""
        anchor = self.rng.choice(given)
        first = self._draw(anchor, speaker)
        score = float(self.pools[anchor].score[first])
        agree = self.rng.random() >= self.settings.disagree
        others = {
            m: self._near(m, score, speaker) if agree else self._draw(m, speaker)
            for m in given
            if m != anchor
        }
        return {anchor: first, **others}

    def _draw(self, modality: str, speaker: NDArray[np.intp]) -> int:
        if modality == "text":
            return int(self.rng.integers(len(self.pools["text"])))
        pool = self.pools[modality]
        candidates = speaker if modality == "audio" else np.arange(len(pool))
        natural = self.settings.natural_faces if modality == "visual" else 0.0
        if natural and self.rng.random() < natural:
            return int(self.rng.choice(candidates))
        # First a sign, then a class: most acted emotions are negative, and "always negative" must not pay.
        sign = np.sign(pool.score[candidates])
        candidates = candidates[sign == self.rng.choice(np.unique(sign))]
        classes = pool.emotion[candidates]
        return int(self.rng.choice(candidates[classes == self.rng.choice(np.unique(classes))]))

    def _near(self, modality: str, score: float, speaker: NDArray[np.intp]) -> int:
        pool = self.pools[modality]
        wanted = score + self.rng.normal(0, self.settings.closeness)
        if modality == "text":
            order = self._by_score["text"]
            jitter = len(order) // 300
            place = np.searchsorted(pool.score[order], wanted) + self.rng.integers(-jitter, jitter + 1)
            return int(order[np.clip(place, 0, len(order) - 1)])
        candidates = speaker if modality == "audio" else np.arange(len(pool))
        distance = np.abs(pool.score[candidates] - wanted)
        return int(self.rng.choice(candidates[distance <= distance.min() + 0.01]))

    def _lay_out(self, picked: dict[str, int], speaker: NDArray[np.intp]) -> dict[str, tuple[Array, Array]]:
        """Each picked utterance over the same ticks: {modality: (values [T, D], presence [T])}."""
        if "text" in picked:
            text = spread_words(
                self.pools["text"].features(picked["text"]),
                self.rng.uniform(*self.settings.word_seconds),
                self.rng,
            )
            ticks = len(text[0])
        else:
            ticks = round(self.rng.uniform(*self.settings.silent_seconds) / STEP)
        parts = {"text": text} if "text" in picked else {}
        if "audio" in picked:
            parts["audio"] = self._voice(picked["audio"], speaker, ticks)
        if "visual" in picked:
            parts["visual"] = self._face(picked["visual"], ticks)
        return parts

    def _voice(self, first: int, speaker: NDArray[np.intp], ticks: int) -> tuple[Array, Array]:
        """The speaker's utterances of one emotion, one after another until the ticks are filled."""
        pool = self.pools["audio"]
        same = speaker[pool.emotion[speaker] == pool.emotion[first]]
        rows, seen, total, i = [], [], 0, first
        while total < ticks:
            rows.append(pool.features(i))
            seen.append(pool.observed(i))
            total += len(rows[-1])
            i = int(self.rng.choice(same))
        return np.concatenate(rows)[:ticks].astype(np.float32), np.concatenate(seen)[:ticks]

    def _face(self, first: int, ticks: int) -> tuple[Array, Array]:
        """One to three faces of the same class taking turns, now and then out of sight."""
        pool = self.pools["visual"]
        same = np.flatnonzero(pool.emotion == pool.emotion[first])
        faces = np.array([first, *self.rng.choice(same, self.rng.integers(0, 3))])
        turn = np.sort(self.rng.integers(0, len(faces), ticks))
        seen = np.ones(ticks, np.float32)
        if self.rng.random() < self.settings.face_lost:
            begin = self.rng.integers(0, ticks)
            seen[begin : begin + self.rng.integers(1, ticks + 1)] = 0
        rows = pool.rows[pool.offsets[faces[turn]]].astype(np.float32)
        rows += (
            self.settings.face_jitter
            * self._deviation["visual"]
            * self.rng.standard_normal(rows.shape, np.float32)
        )
        return rows * seen[:, None], seen


def spread_words(
    rows: NDArray[np.float16], word_seconds: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Words [W, D] spoken at about one each `word_seconds`, on the ticks they last as in a clip: ([T, D], [T])."""
    lasts = word_seconds * rng.uniform(0.5, 1.5, len(rows))
    end = np.cumsum(lasts)
    ticks = max(1, int(np.ceil(end[-1] / STEP)))
    return spread(rows.astype(np.float32), end - 0.9 * lasts, end, ticks, STEP)
