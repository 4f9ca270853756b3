"""What the voice's head is trained on: windows of speech from every recording, as it is and in other versions.

Windows are kept by the content of what they were made from, so a stopped run goes on where it was.
"""

from __future__ import annotations

import csv
import hashlib
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.media import codecs, decode, lengths, mixing, opening, packets, reading
from extractors.records import FloatArray, Sound, Span
from extractors.training import augment_voice
from extractors.training.statements import statements_of
from extractors.voice import encoder, features, hearing, vad
from extractors.voice.encoder import EMOTIONS

RUNS = Path("runs/voice")
DRAWN = 8  # windows kept of each version of a recording: all its speech, then stretches of 1 to 4 s
LEAST = 0.8  # hops' worth of speech that a window needs


@dataclass(frozen=True)
class Windows:
    """Windows [clips, versions, DRAWN, 2434] float16; class, speaker of each clip."""

    rows: NDArray[np.float16]
    emotion: NDArray[np.int64]
    speaker: NDArray[np.str_]


def load_windows(data: Path, versions: int, runs: Path = RUNS) -> Windows:
    """Windows of every recording of data/labels.csv in the given number of versions, made where they are missing."""
    records, made = read_labels(data), sources_digest(data)
    parts = []
    for version in range(versions):
        path = runs / f"windows-{version}-{made}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_suffix(".part.npy")
            np.save(aside, _draw_all(data, [r["file"] for r in records], version))
            aside.rename(path)
        parts.append(np.load(path))
    return Windows(
        np.stack(parts, axis=1),
        np.array([EMOTIONS.index(r["emotion"]) for r in records]),
        np.array([r["speaker"] for r in records]),
    )


def read_labels(data: Path) -> list[dict[str, str]]:
    """The rows of data/labels.csv."""
    with (data / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _draw_all(data: Path, files: Sequence[str], version: int) -> NDArray[np.float16]:
    from tqdm import tqdm

    from extractors.media.reading import read_sound
    from extractors.voice.vad import find_speech

    drawn = []
    for name in tqdm(files, desc=f"voices, version {version}"):
        sound = read_sound(data / name)
        if sound is None:
            raise ValueError(f"{data / name} has no sound: take it out of labels.csv")
        speech = [Span(s.start - sound.start, s.end - sound.start) for s in find_speech(sound)]
        samples, pace, checksum = sound.samples, 1.0, zlib.crc32(name.encode())
        if version:
            samples, pace = augment_voice.vary(samples, np.random.default_rng([version - 1, checksum]))
        lasting = len(samples) / sound.rate
        spans = [Span(s.start / pace, min(s.end / pace, lasting)) for s in speech]
        rows, share = features.hop_rows(Sound(samples), spans or [Span(0.0, lasting)])
        drawn.append(draw_windows(rows, share, np.random.default_rng([version, checksum, 1])))
    return np.stack(drawn)


def draw_windows(
    rows: NDArray[np.float16], share: FloatArray, draw: np.random.Generator
) -> NDArray[np.float16]:
    """Windows [DRAWN, 2434] of rows [hops, 2434]: all the speech, then stretches of 5 to 19 hops that hold some."""
    said = np.flatnonzero(share > 0)
    windows = [encoder.describe_stretch(rows, share, 0, len(rows))]
    while len(windows) < DRAWN:
        end = min(int(draw.integers(said[0] + 3, said[-1] + 4)), len(rows))
        begin = max(0, end - int(draw.integers(5, 20)))
        enough = share[begin:end].sum() >= LEAST
        windows.append(encoder.describe_stretch(rows, share, begin, end) if enough else windows[0])
    return np.stack(windows).astype(np.float16)


def sources_digest(data: Path) -> str:
    """Names what windows are made from: labels, recordings, the frozen encoder, the code that reads and describes."""
    digest = hashlib.sha256((data / "labels.csv").read_bytes() + hearing.fingerprint().encode())
    for path in sorted((data / r["file"] for r in read_labels(data)), key=str):
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    here = sys.modules[__name__]
    media = (codecs, decode, lengths, mixing, opening, packets, reading)
    for text in statements_of(*media, features, encoder, hearing, augment_voice, vad, here):
        digest.update(text.encode())
    return digest.hexdigest()[:12]
