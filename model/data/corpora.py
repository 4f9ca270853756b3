"""The rated corpora as pools of utterances, one pool a modality, with validation split off by group.

Sentences are split by near-duplicate group, speech by speaker, faces by FER2013's own usages. The network trains on
sentences and faces that the extractors' own training left out, since features of what an extractor learnt by heart
look more reliable than they are. Features come from extractors/, so what is learnt here is what a clip will be read
with; they are kept under runs/features of the folder the command runs in, by the content of what they were made from.
"""

from __future__ import annotations

import csv
import hashlib
import math
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import extractors
from extractors.face import expression
from extractors.face import features as face_extractor
from extractors.media import decode
from extractors.media import reading as media
from extractors.records import InputError
from extractors.train_voice import HELD as VALIDATION_SPEAKERS
from extractors.train_voice import fold_files, fold_heads
from extractors.training.rated import FUSION_TENTH, VALIDATION_TENTH, read_rows, tenth
from extractors.training.statements import statements_of
from extractors.voice import encoder as voice_encoder
from extractors.voice import features as voice_extractor
from extractors.voice import head as voice_head
from extractors.voice import hearing, vad
from extractors.voice.head import VoiceHead
from extractors.words import adapter
from extractors.words import embeddings as text_extractor
from model.data.pool import Described, Labels, Pool, kept_pool
from model.measures.intervals import LIMIT
from model.provenance.seen import Seen, face_marks

Images = NDArray[np.uint8]
Mask = NDArray[np.bool_]
CACHE = Path("runs/features")
EMOTIONS = voice_encoder.EMOTIONS
EMOTION_SCORE = {emotion: score for emotion, score in voice_encoder.SCORES.items() if np.isfinite(score)}
DEV_SPEAKERS = frozenset({"rav15", "rav16", "emo12"})
EVERY = 6  # of other speakers one is kept back to calibrate on


@dataclass(frozen=True)
class Parts:
    """A modality's utterances to train the network on, and those kept from it to choose and to calibrate on."""

    train: Pool
    dev: Pool


def load_training(data: Path) -> dict[str, Parts]:
    """The parts of data/text, data/speech and data/faces that the network learns from.

    Sentences and faces are those that the extractors' own training left out; voices are read by heads that did not
    hear the speaker: what the network sees in training is as reliable as what it will see in a clip.
    Raises ValueError where a part is missing, or too small to keep some of it back.
    """
    text = sentences(data, lambda record: tenth(record["group"]) == FUSION_TENTH)
    voice, unreadable = voices(data, lambda record: record["speaker"] not in VALIDATION_SPEAKERS, heard=True)
    if unreadable:
        warnings.warn(
            f"{len(unreadable)} recordings of {data / 'speech'} cannot be read and train nothing, the first "
            f"{unreadable[0] or 'has no name'}",
            stacklevel=2,
        )
    face = faces(data, lambda path, images: fusion_faces(images) & path.stem.endswith("train"))
    held = {
        "text": np.array([zlib.crc32(g.encode()) // 10 % 4 == 0 for g in text.group], bool),
        "audio": np.isin(voice.group, sorted(development_speakers(voice.group))),
        "visual": np.array([zlib.crc32(g.encode()) % 4 == 0 for g in face.group], bool),
    }
    pools = {"text": text, "audio": voice, "visual": face}
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


def development_speakers(speakers: Iterable[str]) -> frozenset[str]:
    """Which of them are kept from training to choose and to calibrate on.

    DEV_SPEAKERS where one of them is there; of another table every sixth by name, from the first.
    """
    names = sorted(set(speakers))
    return DEV_SPEAKERS.intersection(names) or frozenset(names[::EVERY])


def what_trains(data: Path) -> Seen:
    """The mark of everything in `data` that trains the extractors or the network, to be shipped with the weights."""
    said = [r["text"] for r in records_of(data) if tenth(r["group"]) != VALIDATION_TENTH]
    labels = data / "speech" / "labels.csv"
    speakers = {r["speaker"] for r in read_labels(labels)} - VALIDATION_SPEAKERS
    images = [np.load(p)["image"] for p in sorted((data / "faces").glob("*train.npz"))]
    return Seen.of(said, speakers, np.concatenate(images))


def fusion_faces(images: Images) -> Mask:
    """Which images [n, 48, 48] the expression network's own training left out."""
    mask = np.zeros(len(images), bool)
    mask[expression.fusion_split(images)[1]] = True
    return mask


def sentences(data: Path, wanted: Callable[[dict[str, str]], bool]) -> Pool:
    """Sentences of data/text/*.csv.gz that are wanted and have a rating, a row a word."""
    records = [r for r in records_of(data) if wanted(r) and math.isfinite(rating(r["score"]))]
    key: list[Path | str] = [
        *statements_of(text_extractor, adapter),
        *weights("text"),
        *(r["text"] for r in records),
    ]
    return _kept("text", key, _labels_of_sentences(records), lambda: _embed_sentences(records))


def records_of(data: Path) -> list[dict[str, str]]:
    """The rows of data/text/*.csv.gz that have words."""
    return [r for r in read_rows(sorted((data / "text").glob("*.csv.gz"))) if (r["text"] or "").split()]


def voices(data: Path, wanted: Callable[[dict[str, str]], bool], heard: bool) -> tuple[Pool, tuple[str, ...]]:
    """Voices of data/speech/labels.csv that are wanted, and which of them cannot be read, by name.

    `heard`: speakers that trained the shipped head. Features are kept by the recordings' bytes.
    """
    labels = data / "speech" / "labels.csv"
    records = [r for r in read_labels(labels) if wanted(r)]
    folded = heard and bool(records)
    heads = fold_heads(labels.parent) if folded else {}
    folds = set(fold_files(labels.parent).values()) if folded else set()
    key: list[Path | str] = [
        *statements_of(voice_extractor, voice_encoder, voice_head, hearing, vad, media, decode),
        *weights("voice"),
        *sorted(folds),
        str(heard),
        *(f"{r['speaker']} {_digest(labels.parent / (r['file'] or ''))}" for r in records),
    ]
    pool = _kept(
        "speech", key, _labels_of_voices(records), lambda: _describe_speech(labels.parent, records, heads)
    )
    read = np.diff(pool.offsets) > 0
    unreadable = tuple(r["file"] for r, there in zip(records, read, strict=True) if not there)
    return (pool.select(read) if unreadable else pool), unreadable


def _digest(path: Path) -> str:
    """Of a file's bytes; of none where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def faces(data: Path, wanted: Callable[[Path, Images], Mask]) -> Pool:
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
    key: list[Path | str] = [*statements_of(face_extractor, expression), *weights("expression"), *marks]
    labels = Labels(
        [EMOTION_SCORE.get(str(e), np.nan) for e in emotion],
        marks,
        ["fer2013"] * len(marks),
        [str(e) for e in emotion],
    )
    return _kept("faces", key, labels, lambda: _describe_faces(images))


def weights(name: str) -> list[Path]:
    """The files under extractors/weights that belong to one extractor."""
    folder = Path(extractors.__file__).parent / "weights"
    return [
        p
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.relative_to(folder).parts[0].startswith(name)
    ]


def read_labels(path: Path) -> list[dict[str, str]]:
    """The rows of a labels.csv with columns file, corpus, speaker and emotion; none without the file.

    Raises ValueError naming the columns that it lacks.
    """
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as f:
        table = csv.DictReader(f)
        if lacking := {"file", "corpus", "speaker", "emotion"} - set(table.fieldnames or ()):
            raise ValueError(
                f"{path} has columns {table.fieldnames}: it needs {', '.join(sorted(lacking))} too"
            )
        return list(table)


def rating(said: str | None) -> float:
    """The score that a table gives; nan where it gives none. Raises ValueError for one beyond -3..3."""
    try:
        score = float(said or "nan")
    except ValueError:
        return math.nan
    if abs(score) > LIMIT:
        raise ValueError(f"a score is {said!r}: expected -{LIMIT:g} to {LIMIT:g}")
    return score


def _labels_of_sentences(records: Sequence[dict[str, str]]) -> Labels:
    return Labels(
        [rating(r["score"]) for r in records],
        [r["group"] for r in records],
        [r["source"] for r in records],
        [""] * len(records),
    )


def _labels_of_voices(records: Sequence[dict[str, str]]) -> Labels:
    return Labels(
        [_score_of_voice(r) for r in records],
        [r["speaker"] for r in records],
        [r["corpus"] for r in records],
        [r["emotion"] for r in records],
    )


def _score_of_voice(record: dict[str, str]) -> float:
    """The rating in its row; that of its emotion where there is none."""
    score = rating(record.get("score"))
    return EMOTION_SCORE.get(record["emotion"], math.nan) if math.isnan(score) else score


def _embed_sentences(records: Sequence[dict[str, str]]) -> Described:
    rows = text_extractor.embed_sentences([r["text"].split() for r in records])
    return rows, [np.ones(len(r), np.float32) for r in rows]


def _describe_speech(
    folder: Path, records: Sequence[dict[str, str]], heads: Mapping[str, VoiceHead]
) -> Described:
    """The recordings' voices, each read with its speaker's head where `heads` has one, else with the shipped one.

    Those that cannot be read have no rows.
    """
    from tqdm import tqdm

    from extractors.media.reading import read_sound
    from extractors.voice.vad import find_speech

    rows, presence = [], []
    for record in tqdm(records, desc="voice features"):
        try:
            sound = read_sound(folder / (record["file"] or ""))
        except InputError:
            sound = None
        if sound is None:
            rows.append(np.zeros((0, 0), np.float32))
            presence.append(np.zeros(0, np.float32))
            continue
        track = voice_extractor.describe_voice(sound, find_speech(sound), heads.get(record["speaker"]))
        rows.append(track.values)
        presence.append(track.confidence)
    width = max((r.shape[1] for r in rows), default=0)
    return [r if len(r) else np.zeros((0, width), np.float32) for r in rows], presence


def _describe_faces(images: Images) -> Described:
    rows = face_extractor.face_features(images)
    return list(rows[:, None]), [np.ones(1, np.float32)] * len(rows)


def _kept(name: str, key: Sequence[Path | str], labels: Labels, make: Callable[[], Described]) -> Pool:
    return kept_pool(CACHE / name, key, labels, make)
