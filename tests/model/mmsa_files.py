"""Files of the structure of MMSA's, made up, small enough for a test."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

WIDTHS = {"text": 6, "audio": 3, "vision": 4}
LENGTHS = {"text": 8, "audio": 20, "vision": 15}


def split(n: int, seed: int, aligned: bool, limit: float = 3.0) -> dict[str, Any]:
    """One split: the first feature of every modality follows the score, and padding is zeros behind."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(-limit, limit, n).round(1)
    lengths = {"text": rng.integers(3, 9, n)}
    data: dict[str, Any] = {}
    for key in WIDTHS:
        length = LENGTHS["text"] if aligned else LENGTHS[key]
        if key != "text":
            lengths[key] = lengths["text"] if aligned else rng.integers(5, length + 1, n)
        rows = 0.1 * rng.standard_normal((n, length, WIDTHS[key]))
        rows[:, :, 0] += score[:, None] / limit
        rows *= (np.arange(length) < lengths[key][:, None])[..., None]
        data[key] = rows if key == "audio" else rows.astype(np.float32)
    mask = (np.arange(LENGTHS["text"]) < lengths["text"][:, None]).astype(np.int64)
    data["text_bert"] = np.stack([100 * mask, mask, 0 * mask], axis=1)
    data["raw_text"] = np.array([f"said {i}" for i in range(n)], object)
    data["id"] = [f"video{i}$_${i}" for i in range(n)]
    data["annotations"] = ["Negative" if s < 0 else "Positive" for s in score]
    data["regression_labels"] = score
    data["classification_labels"] = np.where(score < 0, 0.0, np.where(score > 0, 2.0, 1.0))
    if not aligned:
        data["audio_lengths"] = lengths["audio"].tolist()
        data["vision_lengths"] = lengths["vision"].tolist()
    return data


def corpus(aligned: bool, limit: float = 3.0, sizes: tuple[int, int, int] = (24, 8, 8)) -> dict[str, Any]:
    """All three splits."""
    names = ("train", "valid", "test")
    return {s: split(n, i, aligned, limit) for i, (s, n) in enumerate(zip(names, sizes, strict=True))}


def write(path: Path, data: Any, protocol: int = 4) -> Path:
    """A pickle file."""
    path.write_bytes(pickle.dumps(data, protocol))
    return path
