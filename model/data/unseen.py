"""What of the rated corpora trained nothing, to report on: pools by modality, and what was left out of them and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model.data import corpora
from model.data.pool import Pool
from model.provenance.seen import Seen


@dataclass(frozen=True)
class Unseen:
    """A modality's rated utterances that trained nothing, and what they are without.

    trained: how many were left out because they trained the weights. unrated: how many have no score, by an emotion
    that is not among the nine ("" for sentences). unreadable: recordings that are missing, damaged or hold no sound.
    whole: the faces with those that trained, but for training files, as published figures count them.
    """

    pool: Pool
    trained: int
    unrated: dict[str, int] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    whole: Pool | None = None


def load_unseen(data: Path, seen: Seen) -> dict[str, Pool]:
    """Whatever of data/text, data/speech and data/faces trained nothing here, by modality.

    Left out is what is missing, has no tables or was all seen. Classes without a sign (surprise) are there with a
    score that is not a number.
    """
    pools = {m: find(data, seen).pool for m, find in FIND_UNSEEN.items()}
    return {m: p for m, p in pools.items() if len(p)}


def unseen_sentences(data: Path, seen: Seen) -> Unseen:
    """The sentences of data/text/*.csv.gz; one equal to a training sentence but for case and spaces counts as it."""
    records = corpora.records_of(data)
    new = [r for r in records if not seen.sentence(r["text"])]
    pool = corpora.sentences(data, lambda r: not seen.sentence(r["text"]))
    unrated = len(new) - len(pool)
    return Unseen(pool, len(records) - len(new), {"": unrated} if unrated else {})


def unseen_voices(data: Path, seen: Seen) -> Unseen:
    """The recordings of data/speech/labels.csv by speakers who trained nothing."""
    records = corpora.read_labels(data / "speech" / "labels.csv")
    trained = sum(seen.speaker(r["speaker"]) for r in records)
    pool, unreadable = corpora.voices(data, lambda r: not seen.speaker(r["speaker"]), heard=False)
    return Unseen(pool, trained, unknown(pool), unreadable)


def unseen_faces(data: Path, seen: Seen) -> Unseen:
    """The faces of data/faces/*.npz; a picture that trained, or whose mirror image did, does not count as new.

    A training file is one of which more than half trained.
    """
    trained = 0

    def wanted(_: Path, images: corpora.Images) -> corpora.Mask:
        nonlocal trained
        known = seen.faces(images)
        trained += int(known.sum())
        return ~known if 2 * known.sum() > len(known) else np.full(len(known), True)

    whole = corpora.faces(data, wanted)
    pool = whole.select(~seen.marked(whole.group))
    return Unseen(pool, trained, unknown(pool), whole=whole)


def unknown(pool: Pool) -> dict[str, int]:
    """Emotions that have no place among the nine, and no score of their own: how many utterances are of each."""
    unrated = pool.emotion[~np.isfinite(pool.score) & ~np.isin(pool.emotion, corpora.EMOTIONS)]
    names, counts = np.unique(unrated, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


FIND_UNSEEN: dict[str, Callable[[Path, Seen], Unseen]] = {
    "text": unseen_sentences,
    "audio": unseen_voices,
    "visual": unseen_faces,
}
