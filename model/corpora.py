"""The rated corpora as pools of utterances, one pool a modality, with validation split off by group.

Sentences are split by near-duplicate group, speech by speaker, faces by FER2013's own usages; the faces that
train the fusion are those that the expression network did not see. Features come from extractors/, so what is
learnt here is what a clip will be read with; they are cached by the content of what they were made from.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import extractors
from extractors import text as text_extractor
from extractors import voice as voice_extractor

CACHE = Path("runs/features")
EMOTION_SCORE = {
    "happy": 2.0,
    "calm": 0.5,
    "neutral": 0.0,
    "bored": -1.0,
    "sad": -1.5,
    "fear": -2.0,
    "disgust": -2.0,
    "angry": -2.5,
}
VALIDATION_SPEAKERS = frozenset({"rav17", "rav18", "rav19", "rav20", "emo11", "emo14"})
VALIDATION_TENTHS = 1


@dataclass(frozen=True)
class Pool:
    """Rated utterances of one modality.

    rows[offsets[i]:offsets[i+1]] [T_i, D] float16 belong to utterance i, rated score[i] in -3..3; presence has
    one entry a row; group[i] is its speaker or near-duplicate group, source[i] its corpus, emotion[i] its class
    where there is one.
    """

    rows: NDArray[np.float16]
    presence: NDArray[np.float32]
    offsets: NDArray[np.int64]
    score: NDArray[np.float32]
    group: NDArray[np.str_]
    source: NDArray[np.str_]
    emotion: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.score)

    def features(self, i: int) -> NDArray[np.float16]:
        """Rows [T, D] of utterance i."""
        return self.rows[self.offsets[i] : self.offsets[i + 1]]

    def observed(self, i: int) -> NDArray[np.float32]:
        """Presence [T] of utterance i."""
        return self.presence[self.offsets[i] : self.offsets[i + 1]]

    def select(self, keep: NDArray[np.bool_]) -> Pool:
        """The utterances where `keep` is true."""
        picked = np.flatnonzero(keep)
        spans = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in picked]
        rows = np.concatenate(spans) if spans else np.zeros(0, np.int64)
        lengths = [len(s) for s in spans]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        labels = (self.score[picked], self.group[picked], self.source[picked], self.emotion[picked])
        return Pool(self.rows[rows], self.presence[rows], offsets, *labels)


@dataclass(frozen=True)
class Split:
    """A modality's pools for training and for validation."""

    train: Pool
    valid: Pool


def load_text(data: Path) -> Split:
    """data/text/*.csv.gz, one tenth of the near-duplicate groups for validation."""
    files = sorted((data / "text").glob("*.csv.gz"))
    pool = _cached("text", [*files, _source(text_extractor)], lambda: _embed_sentences(files))
    held = np.array([held_out(g) for g in pool.group])
    return Split(pool.select(~held), pool.select(held))


def held_out(group: str) -> bool:
    """Whether a near-duplicate group of sentences is for validation; the same in every run and on every machine."""
    return zlib.crc32(group.encode()) % 10 < VALIDATION_TENTHS


def load_speech(data: Path) -> Split:
    """data/speech/labels.csv, the speakers of VALIDATION_SPEAKERS for validation; surprise is left out."""
    labels = data / "speech" / "labels.csv"
    pool = _cached("speech", [labels, _source(voice_extractor)], lambda: _describe_speech(labels))
    held = np.isin(pool.group, sorted(VALIDATION_SPEAKERS))
    return Split(pool.select(~held), pool.select(held))


def load_faces(data: Path) -> Split:
    """data/faces/fer2013_*.npz: the training usage's part unseen by the expression network, and PublicTest."""
    folder = data / "faces"
    sources = [
        *sorted(folder.glob("*.npz")),
        *sorted(Path(extractors.__file__).parent.glob("weights/expression*")),
    ]
    train = _cached(
        "faces_train", sources, lambda: _describe_faces(folder / "fer2013_train.npz", held_only=True)
    )
    valid = _cached(
        "faces_valid", sources, lambda: _describe_faces(folder / "fer2013_valid.npz", held_only=False)
    )
    return Split(train, valid)


def read_sentences(files: Sequence[Path]) -> list[dict[str, str]]:
    """The rows of gzipped tables with columns source, score, text and group."""
    texts = (gzip.decompress(f.read_bytes()).decode("utf-8") for f in files)
    return [r for t in texts for r in csv.DictReader(io.StringIO(t, newline=""))]


def _embed_sentences(files: Sequence[Path]) -> Pool:
    records = [r for r in read_sentences(files) if r["text"].split()]
    rows = text_extractor.embed_sentences([r["text"].split() for r in records])
    return pool_of(
        rows,
        [np.ones(len(r), np.float32) for r in rows],
        [float(r["score"]) for r in records],
        [r["group"] for r in records],
        [r["source"] for r in records],
        [""] * len(records),
    )


def _describe_speech(labels: Path) -> Pool:
    from tqdm import tqdm

    from extractors.media import read_sound
    from extractors.vad import find_speech

    records = [r for r in csv.DictReader(labels.open(encoding="utf-8")) if r["emotion"] in EMOTION_SCORE]
    tracks = []
    for record in tqdm(records, desc="voice features"):
        sound = read_sound(labels.parent / record["file"])
        assert sound is not None, f"{record['file']} has no sound"
        tracks.append(voice_extractor.describe_voice(sound, find_speech(sound)))
    return pool_of(
        [t.values for t in tracks],
        [t.confidence for t in tracks],
        [float(r["score"]) for r in records],
        [r["speaker"] for r in records],
        [r["corpus"] for r in records],
        [r["emotion"] for r in records],
    )


def _describe_faces(path: Path, held_only: bool) -> Pool:
    from extractors.expression import fusion_split
    from extractors.face import face_features

    arrays = np.load(path)
    images, labels, names = arrays["image"], arrays["label"], [str(n) for n in arrays["label_names"]]
    keep = fusion_split(images)[1] if held_only else np.arange(len(labels))
    emotion = [names[i] for i in labels[keep]]
    signed = np.array([e in EMOTION_SCORE for e in emotion])
    rows = face_features(images[keep][signed])
    emotion = [e for e, s in zip(emotion, signed, strict=True) if s]
    return pool_of(
        list(rows[:, None]),
        [np.ones(1, np.float32)] * len(rows),
        [EMOTION_SCORE[e] for e in emotion],
        [str(i) for i in range(len(rows))],
        ["fer2013"] * len(rows),
        emotion,
    )


def pool_of(
    rows: Sequence[NDArray[np.floating]],
    presence: Sequence[NDArray[np.float32]],
    score: Sequence[float],
    group: Sequence[str],
    source: Sequence[str],
    emotion: Sequence[str],
) -> Pool:
    """One Pool of utterances given one by one."""
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return Pool(
        np.concatenate(rows).astype(np.float16),
        np.concatenate(presence).astype(np.float32),
        offsets,
        np.asarray(score, np.float32),
        np.asarray(group, str),
        np.asarray(source, str),
        np.asarray(emotion, str),
    )


def _source(module: object) -> Path:
    return Path(str(getattr(module, "__file__", "")))


def _cached(name: str, sources: Sequence[Path], make: Callable[[], Pool]) -> Pool:
    """`make()`, kept under runs/features by the bytes of `sources`."""
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:16]
    path = CACHE / f"{name}-{digest}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part.npz")
        np.savez(aside, **vars(make()))
        aside.rename(path)
    return Pool(**np.load(path))
