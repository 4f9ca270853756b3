"""Rated sentences: read, split by near-duplicate group, and how well scores agree with the ratings.

Of the groups one tenth is for validation and one is kept from the adapter for what is trained on its embeddings;
eight tenths train the adapter.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from extractors.records import FloatArray
from extractors.words.adapter import CLASSES, STEP

GRADED = ("sst5-train", "sst5-dev")  # sources whose scores are five classes
MIDDLE = len(CLASSES) // 2
VALIDATION_TENTH, FUSION_TENTH = 0, 1


@dataclass(frozen=True)
class Sentence:
    """A rated sentence; score in -3..3."""

    text: str
    score: float
    source: str
    group: str

    @property
    def label(self) -> int:
        """The class, 0 very negative to 4 very positive, or -1 where the source has a finer scale."""
        return round(self.score / STEP) + MIDDLE if self.source in GRADED else -1


def read_sentences(folder: Path) -> list[Sentence]:
    """The sentences of folder/*.csv.gz (columns source, score, text, group) that have words.

    Raises FileNotFoundError where there is no table.
    """
    files = sorted(folder.glob("*.csv.gz"))
    if not files:
        raise FileNotFoundError(f"no *.csv.gz in {folder}: give the folder of rated_sentences.csv.gz")
    return [
        Sentence(r["text"], float(r["score"]), r["source"], r["group"])
        for r in read_rows(files)
        if r["text"].split()
    ]


def read_rows(files: Sequence[Path]) -> list[dict[str, str]]:
    """The rows of gzipped tables with columns source, score, text and group, those without words among them."""
    texts = (gzip.decompress(f.read_bytes()).decode("utf-8") for f in files)
    return [r for t in texts for r in csv.DictReader(io.StringIO(t, newline=""))]


def tenth(group: str) -> int:
    """0..9 by near-duplicate group, the same in every run and on every machine."""
    return zlib.crc32(group.encode()) % 10


def held_out(group: str) -> bool:
    """Whether a group is for validation."""
    return tenth(group) == VALIDATION_TENTH


def held_for_fusion(group: str) -> bool:
    """Whether a group is kept from the adapter for what is trained on its embeddings.

    On sentences that the adapter has learnt by heart its embeddings look more reliable than they are on new ones.
    """
    return tenth(group) == FUSION_TENTH


def training_part(sentences: Sequence[Sentence]) -> list[Sentence]:
    """The eight tenths that train the adapter."""
    return [s for s in sentences if not (held_out(s.group) or held_for_fusion(s.group))]


def agreement(
    scores: FloatArray, sentences: Sequence[Sentence], classes: FloatArray | None = None
) -> dict[str, dict[str, float]]:
    """By source: sentences, share of right signs (ratings of 0 left out), MAE; for SST the share of right classes.

    scores [n] are clipped to -3..3. Classes are the scores' nearest, and the likeliest of classes [n, 5] as well
    where these are given.
    """
    source = np.array(["sst5" if s.source in GRADED else s.source for s in sentences])
    rating, label = np.array([s.score for s in sentences]), np.array([s.label for s in sentences])
    scores = scores.clip(-3, 3)
    result: dict[str, dict[str, float]] = {}
    for name in ("sst5", "movie", "amazon", "tweet", "news"):
        rows = source == name
        if not rows.any():
            continue
        signed = rows & (rating != 0)
        result[name] = {
            "sentences": int(rows.sum()),
            "sign": _share((scores > 0)[signed] == (rating > 0)[signed]),
            "mae": round(float(np.abs(scores - rating)[rows].mean()), 4),
        }
        if name == "sst5":
            nearest = np.round(scores / STEP) + MIDDLE
            result[name]["five_nearest"] = _share(nearest[rows] == label[rows])
            if classes is not None:
                result[name]["five"] = _share(classes.argmax(1)[rows] == label[rows])
    return result


def _share(right: np.ndarray) -> float:
    return round(float(right.mean()), 4)
