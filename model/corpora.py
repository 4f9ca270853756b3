"""The rated corpora as pools of utterances, one pool a modality, with validation split off by group.

Sentences are split by near-duplicate group, speech by speaker, faces by FER2013's own usages. The network trains on
sentences and faces that the extractors' own training left out, since features of what an extractor learnt by heart
look more reliable than they are. Features come from extractors/, so what is learnt here is what a clip will be read
with; they are cached by the content of what they were made from.
"""

from __future__ import annotations

import csv
import hashlib
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import extractors
from extractors import face as face_extractor
from extractors import hearing, voice_encoder
from extractors import text as text_extractor
from extractors import voice as voice_extractor
from extractors.rated import FUSION_TENTH, VALIDATION_TENTH, read_rows, tenth
from extractors.train_voice import fold_files, fold_heads
from extractors.voice_encoder import VoiceHead
from extractors.voice_windows import code
from model.seen import Seen, face_marks

Images = NDArray[np.uint8]
Described = tuple[Sequence[NDArray[np.floating]], Sequence[NDArray[np.float32]]]
"""Rows [T, D] and presence [T] of each utterance."""
Mask = NDArray[np.bool_]
CACHE = Path("runs/features")
EMOTION_SCORE = {emotion: score for emotion, score in voice_encoder.SCORES.items() if np.isfinite(score)}
VALIDATION_SPEAKERS = frozenset({"rav17", "rav18", "rav19", "rav20", "emo11", "emo14"})
DEV_SPEAKERS = frozenset({"rav15", "rav16", "emo12"})


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
        return Pool(self.rows[rows], self.presence[rows], offsets, *(line[picked] for line in self.labels))

    @property
    def labels(self) -> tuple[NDArray, ...]:
        """Score, group, source and emotion."""
        return self.score, self.group, self.source, self.emotion


class Labels(NamedTuple):
    """What is said of each utterance, which no features are made of: read anew each time, never kept with them."""

    score: Sequence[float]
    group: Sequence[str]
    source: Sequence[str]
    emotion: Sequence[str]


@dataclass(frozen=True)
class Parts:
    """A modality's utterances to train the network on, and those kept from it to choose and to calibrate on."""

    train: Pool
    dev: Pool


def load_training(data: Path) -> dict[str, Parts]:
    """The parts of data/text, data/speech and data/faces that the network learns from.

    Sentences and faces are those that the extractors' own training left out; voices are described by encoders that
    did not hear the speaker: what the network sees in training is as reliable as what it will see in a clip.
    Raises ValueError where a part is missing, or too small to keep some of it back.
    """
    text = _text(data, lambda record: tenth(record["group"]) == FUSION_TENTH)
    voice = _voices(data, lambda record: record["speaker"] not in VALIDATION_SPEAKERS, heard=True)
    faces = _faces(data, lambda path, images: fusion_faces(images) & path.stem.endswith("train"))
    held = {
        "text": np.array([zlib.crc32(g.encode()) // 10 % 4 == 0 for g in text.group], bool),
        "audio": np.isin(voice.group, sorted(DEV_SPEAKERS)),
        "visual": np.array([zlib.crc32(g.encode()) % 4 == 0 for g in faces.group], bool),
    }
    pools = {"text": text, "audio": voice, "visual": faces}
    signed = {m: np.isfinite(p.score) for m, p in pools.items()}
    parts = {
        m: Parts(p.select(signed[m] & ~held[m]), p.select(signed[m] & held[m])) for m, p in pools.items()
    }
    for m, part in parts.items():
        if not (len(part.train) and len(part.dev)):
            raise ValueError(
                f"{data} has {len(part.train)} utterances of modality {m} to train on and {len(part.dev)} to calibrate "
                "on: give text/*.csv.gz, speech/labels.csv and faces/*train.npz with enough of each"
            )
    return parts


def load_unseen(data: Path, seen: Seen) -> dict[str, Pool]:
    """Whatever of data/text, data/speech and data/faces trained nothing here, by modality.

    Left out is what is missing, has no tables or was all seen. Classes without a sign (surprise) are there with a
    score that is not a number.
    """
    pools = {
        "text": _text(data, lambda r: not seen.sentence(r["text"])),
        "audio": _voices(data, lambda r: not seen.speaker(r["speaker"]), heard=False),
        "visual": _faces(data, lambda _, images: ~seen.faces(images)),
    }
    return {m: p for m, p in pools.items() if len(p)}


def what_trains(data: Path) -> Seen:
    """The mark of everything in `data` that trains the extractors or the network, to be shipped with the weights."""
    sentences = [r["text"] for r in _records(data) if tenth(r["group"]) != VALIDATION_TENTH]
    labels = data / "speech" / "labels.csv"
    speakers = {r["speaker"] for r in read_labels(labels)} - VALIDATION_SPEAKERS
    images = [np.load(p)["image"] for p in sorted((data / "faces").glob("*train.npz"))]
    return Seen.of(sentences, speakers, np.concatenate(images))


def fusion_faces(images: Images) -> Mask:
    """Which images [n, 48, 48] the expression network's own training left out."""
    from extractors.expression import fusion_split

    mask = np.zeros(len(images), bool)
    mask[fusion_split(images)[1]] = True
    return mask


def _text(data: Path, wanted: Callable[[dict[str, str]], bool]) -> Pool:
    """Sentences of data/text/*.csv.gz that are wanted, a row a word."""
    records = [r for r in _records(data) if r["text"].split() and wanted(r)]
    key: list[Path | str] = [_source(text_extractor), *weights("text"), *(r["text"] for r in records)]
    return _cached("text", key, _labels_of_sentences(records), lambda: _embed_sentences(records))


def _records(data: Path) -> list[dict[str, str]]:
    return read_rows(sorted((data / "text").glob("*.csv.gz")))


def _voices(data: Path, wanted: Callable[[dict[str, str]], bool], heard: bool) -> Pool:
    """Voices of data/speech/labels.csv that are wanted; `heard`: speakers that trained the shipped encoder."""
    labels = data / "speech" / "labels.csv"
    records = [r for r in read_labels(labels) if wanted(r)]
    encoded = heard and voice_extractor.ENCODED and bool(records)
    heads = fold_heads(labels.parent) if encoded else {}
    folds = set(fold_files(labels.parent).values()) if encoded else set()
    key: list[Path | str] = [
        *(code(_source(module)) for module in (voice_extractor, voice_encoder, hearing)),
        *(weights("voice") if voice_extractor.ENCODED else ()),
        str(voice_extractor.ENCODED),
        *sorted(folds),
        str(heard),
        *(str(sorted(r.items())) for r in records),
    ]
    return _cached(
        "speech", key, _labels_of_voices(records), lambda: _describe_speech(labels.parent, records, heads)
    )


def _faces(data: Path, wanted: Callable[[Path, Images], Mask]) -> Pool:
    """Faces of data/faces/*.npz where `wanted(path, images)` is true, one row each; their group is a checksum."""
    images, emotions = [np.zeros((0, 48, 48), np.uint8)], [np.zeros(0, "<U1")]
    for path in sorted((data / "faces").glob("*.npz")):
        arrays = np.load(path)
        keep = wanted(path, arrays["image"])
        images.append(arrays["image"][keep])
        emotions.append(arrays["label_names"][arrays["label"][keep]])
    return _pool_of_faces(np.concatenate(images), np.concatenate(emotions))


def _pool_of_faces(images: Images, emotion: NDArray[np.str_]) -> Pool:
    marks = [str(mark) for mark in face_marks(images)]
    key: list[Path | str] = [_source(face_extractor), *weights("expression"), *marks]
    labels = Labels(
        [EMOTION_SCORE.get(str(e), np.nan) for e in emotion],
        marks,
        ["fer2013"] * len(marks),
        [str(e) for e in emotion],
    )
    return _cached("faces", key, labels, lambda: _describe_faces(images))


def weights(name: str) -> list[Path]:
    """The files under extractors/weights that belong to one extractor."""
    folder = Path(extractors.__file__).parent / "weights"
    return [
        p
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.relative_to(folder).parts[0].startswith(name)
    ]


def read_labels(path: Path) -> list[dict[str, str]]:
    """The rows of a labels.csv with columns file, corpus, speaker and emotion; none without the file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as f:
        return list(csv.DictReader(f))


def _labels_of_sentences(records: Sequence[dict[str, str]]) -> Labels:
    return Labels(
        [float(r["score"]) for r in records],
        [r["group"] for r in records],
        [r["source"] for r in records],
        [""] * len(records),
    )


def _labels_of_voices(records: Sequence[dict[str, str]]) -> Labels:
    return Labels(
        [EMOTION_SCORE.get(r["emotion"], np.nan) for r in records],
        [r["speaker"] for r in records],
        [r["corpus"] for r in records],
        [r["emotion"] for r in records],
    )


def _embed_sentences(records: Sequence[dict[str, str]]) -> Described:
    rows = text_extractor.embed_sentences([r["text"].split() for r in records])
    return rows, [np.ones(len(r), np.float32) for r in rows]


def _describe_speech(
    folder: Path, records: Sequence[dict[str, str]], heads: Mapping[str, VoiceHead]
) -> Described:
    """The recordings' voices, each read with its speaker's head where `heads` has one, else with the shipped one."""
    from tqdm import tqdm

    from extractors.media import read_sound
    from extractors.vad import find_speech

    tracks = []
    for record in tqdm(records, desc="voice features"):
        sound = read_sound(folder / record["file"])
        assert sound is not None, f"{record['file']} has no sound"
        tracks.append(voice_extractor.describe_voice(sound, find_speech(sound), heads.get(record["speaker"])))
    return [t.values for t in tracks], [t.confidence for t in tracks]


def _describe_faces(images: Images) -> Described:
    from extractors.face import face_features

    rows = face_features(images)
    return list(rows[:, None]), [np.ones(1, np.float32)] * len(rows)


def pool_of(
    rows: Sequence[NDArray[np.floating]],
    presence: Sequence[NDArray[np.float32]],
    score: Sequence[float],
    group: Sequence[str],
    source: Sequence[str],
    emotion: Sequence[str],
) -> Pool:
    """One Pool of utterances given one by one; of none, a pool without rows or columns."""
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return Pool(
        (np.concatenate(rows) if rows else np.zeros((0, 0))).astype(np.float16),
        (np.concatenate(presence) if presence else np.zeros(0)).astype(np.float32),
        offsets,
        np.asarray(score, np.float32),
        np.asarray(group, str),
        np.asarray(source, str),
        np.asarray(emotion, str),
    )


def _source(module: object) -> Path:
    return Path(str(getattr(module, "__file__", "")))


def _cached(name: str, key: Sequence[Path | str], labels: Labels, make: Callable[[], Described]) -> Pool:
    """`make()`, kept under runs/features by `key` (words, and files by their bytes), with the labels of today.

    What a file held as labels when it was made is not used: a rating that was changed since must count.
    """
    if not labels.score:
        return pool_of([], [], [], [], [], [])
    digest = hashlib.sha256()
    for part in key:
        digest.update(part.encode() + b"\0" if isinstance(part, str) else part.read_bytes())
    path = CACHE / f"{name}-{digest.hexdigest()[:16]}.npz"
    if not path.exists():
        described = make()
        write_aside(path, vars(pool_of(described[0], described[1], *labels)))
    with np.load(path, allow_pickle=False) as kept:
        rows, presence, offsets = (kept[part] for part in ("rows", "presence", "offsets"))
    return Pool(rows, presence, offsets, *pool_of([], [], *labels).labels)


def write_aside(path: Path, arrays: Mapping[str, Any]) -> None:
    """An .npz under a name that no other process writes to, then moved into place: readers see all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{secrets.token_hex(8)}.part.npz")
    np.savez(aside, **arrays)
    aside.rename(path)
