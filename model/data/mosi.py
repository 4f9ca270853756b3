"""mosi_utterances: CMU-MOSI with Poria et al.'s features, one row an utterance, as sequences of whole videos.

A video is a sequence and an utterance a tick: values {modality: [V, L, D]}, presence [V, L, M], score [V, L]. Rows
are put in the order spoken, by clip number; in the file they are not.

The trap: text and visual features were learnt from these very labels. One direction of the text features alone tells
98 % of the training signs under cross-validation by video, and about 77 % on new videos. `exchange` makes training
look like new videos: it mixes a modality's features with those of an utterance of the other sign, as often as that
modality is expected to be wrong on new videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
PUBLISHED = ("text", "audio", "visual")
WORDS = "words"
"""Our own reading of the transcript, which has seen no label of MOSI."""
EXPECTED = {"text": 0.77, "audio": 0.60, "visual": 0.56}
"""Two-class accuracy of each modality on new videos: 76.9 is that of a logistic regression on this data; those of
voice and face are of the size that Poria et al. (2017) report for bc-LSTM with one modality."""


@dataclass(frozen=True)
class Videos:
    """Sequences of V videos, padded to L utterances.

    values {modality: [V, L, D]}; told [V, L], True where there is an utterance; score [V, L]; row [V, L], the
    utterance's row in the file, -1 in the padding.
    """

    values: dict[str, Float]
    told: NDArray[np.bool_]
    score: Float
    row: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def widths(self) -> dict[str, int]:
        """Features of each modality."""
        return {m: v.shape[2] for m, v in self.values.items()}

    def take(self, videos: Sequence[int] | NDArray[np.int64]) -> Videos:
        """Some of the videos."""
        at = np.asarray(videos, np.int64)
        return Videos(
            {m: v[at] for m, v in self.values.items()},
            self.told[at],
            self.score[at],
            self.row[at],
            tuple(self.names[i] for i in at),
        )

    def only(self, modalities: Sequence[str]) -> Videos:
        """Some of the modalities, in the order given."""
        return replace(self, values={m: self.values[m] for m in modalities})

    def trimmed(self) -> Videos:
        """Without the ticks that are padding in all of the videos."""
        length = int(self.told.sum(1).max(initial=1))
        return replace(
            self,
            values={m: v[:, :length] for m, v in self.values.items()},
            told=self.told[:, :length],
            score=self.score[:, :length],
            row=self.row[:, :length],
        )

    def presence(self) -> Float:
        """[V, L, M]: every modality where there is an utterance."""
        return self.told[..., None].repeat(len(self.values), axis=2).astype(np.float32)


def read(path: Path, words: bool = False) -> Videos:
    """One .npz of the folder (text, audio, visual, score, video, clip, and transcript where `words` is wanted).

    Raises ValueError naming what is missing, of another length or not finite.
    """
    with np.load(path, allow_pickle=False) as file:
        wanted = [*PUBLISHED, "score", "video", "clip", *(["transcript"] if words else [])]
        if missing := [key for key in wanted if key not in file]:
            raise ValueError(f"{path} lacks {', '.join(missing)}; it has {', '.join(file)}")
        arrays = {key: file[key] for key in wanted}
    check(arrays, path)
    features = {m: arrays[m].astype(np.float32) for m in PUBLISHED}
    if words:
        features[WORDS] = read_words(arrays["transcript"].tolist())
    return lay_out(features, arrays["score"], arrays["video"], arrays["clip"])


def check(arrays: Mapping[str, NDArray], path: Path) -> None:
    """One length, two axes for features, finite numbers."""
    counts = {key: len(array) for key, array in arrays.items()}
    if len(set(counts.values())) > 1 or not counts["score"]:
        raise ValueError(f"{path} has rows {counts}: expected one length, at least 1")
    for key in (*PUBLISHED, "score"):
        if arrays[key].ndim != (1 if key == "score" else 2) or not np.isfinite(arrays[key]).all():
            raise ValueError(f"{path}: {key} has shape {arrays[key].shape}, or numbers that are not finite")


def read_words(transcripts: Sequence[str]) -> Float:
    """[n, 390]: the mean over a transcript's words of the shipped text extractor's rows (384 numbers of the encoder
    with its sentiment adapter, the score and five class logits it reads from them); zeros for an empty transcript.
    """
    from extractors.words.embeddings import embed_sentences

    rows = embed_sentences([transcript.lower().split() for transcript in transcripts], adapted=True)
    return np.stack([row.mean(0) if len(row) else np.zeros(row.shape[1]) for row in rows]).astype(np.float32)


def lay_out(features: Mapping[str, Float], score: NDArray, video: NDArray, clip: NDArray) -> Videos:
    """Rows to padded sequences, videos by name and utterances by clip number."""
    names = np.unique(video)
    places = [np.flatnonzero(video == name) for name in names]
    places = [at[np.argsort(clip[at], kind="stable")] for at in places]
    row = np.full((len(names), max(map(len, places))), -1, np.int64)
    for v, at in enumerate(places):
        row[v, : len(at)] = at
    told = row >= 0
    values = {m: np.where(told[..., None], x[row], 0).astype(np.float32) for m, x in features.items()}
    return Videos(
        values, told, np.where(told, score[row], 0).astype(np.float32), row, tuple(map(str, names.tolist()))
    )


def folds(videos: int, count: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(training, held out) videos of each fold, drawn anew for each seed."""
    if not 2 <= count <= videos:
        raise ValueError(f"{count} folds of {videos} videos: give 2 to {videos}")
    order = np.random.default_rng(seed).permutation(videos)
    held = [np.sort(order[i::count]) for i in range(count)]
    return [(np.setdiff1d(order, out), out) for out in held]


def exchange(
    videos: Videos, rng: np.random.Generator, expected: Mapping[str, float] | None = None
) -> dict[str, Float]:
    """Values in which each modality is wrong as often as on new videos: {modality: [V, L, D]}.

    Utterance x with features f becomes (1 - a) f + a g, with g the features of a random utterance of the other sign
    and a drawn from Beta(1, b), b = log2(1 / (1 - p)), so that a > 1/2 in 1 - p of the cases. So a wrong reading is
    as a rule a weak one. p grows with the strength of the sentiment, 1/2 at neutral, and has the modality's expected
    accuracy for its mean: weak sentiment is hard for all modalities at once, and their errors go together. Modalities
    without an expectation (the words, which know no label of MOSI) stay as they are.
    """
    expected = EXPECTED if expected is None else expected
    sign = videos.score >= 0
    pools = {s: np.argwhere(videos.told & (sign == s)) for s in (False, True)}
    changed = {}
    for m, x in videos.values.items():
        if m not in expected or not all(map(len, pools.values())):
            changed[m] = x
            continue
        other = {s: pools[not s][rng.integers(len(pools[not s]), size=sign.shape)] for s in pools}
        at = np.where(sign[..., None], other[True], other[False])
        b = np.log2(1 / (1 - right_chance(videos, expected[m])))
        share = rng.beta(1, b)[..., None].astype(np.float32)
        mixed = (1 - share) * x + share * x[at[..., 0], at[..., 1]]
        changed[m] = np.where(videos.told[..., None], mixed, x).astype(np.float32)
    return changed


def right_chance(videos: Videos, mean: float) -> Float:
    """Chance [V, L] that a modality of this mean accuracy reads each utterance's sign rightly."""
    strength = np.abs(videos.score)
    usual = max(float(strength[videos.told].mean()), 1e-6)
    return np.clip(0.5 + (mean - 0.5) * strength / usual, 0.5, 0.98).astype(np.float32)
