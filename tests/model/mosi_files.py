"""A made-up mosi_utterances folder: the file's keys and types, few videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from model.data.mosi import lay_out

WIDTHS = {"text": 5, "audio": 3, "visual": 4}


def arrays(videos: int = 8, seed: int = 0) -> dict[str, Any]:
    """Rows as in the file: clips of a video in the order of their names, not of their numbers."""
    rng = np.random.default_rng(seed)
    video, clip = [], []
    for v in range(videos):
        numbers = sorted(range(1, 1 + int(rng.integers(4, 14))), key=str)
        video += [f"video_{seed}_{v:02d}"] * len(numbers)
        clip += numbers
    n = len(video)
    score = rng.uniform(-3, 3, n).round(1).astype(np.float32)
    found: dict[str, Any] = {m: rng.standard_normal((n, w)).astype(np.float32) for m, w in WIDTHS.items()}
    found["text"][:, 0] = score
    found |= {"score": score, "binary": (score >= 0).astype(np.int8)}
    found |= {"video": np.array(video), "clip": np.array(clip, np.int16)}
    found["transcript"] = np.array(["IT WAS GOOD" if s >= 0 else "IT WAS BAD" for s in score])
    return found


def made_videos(videos: int = 8, seed: int = 0):
    """The same laid out, with the first words' feature following the score."""
    a = arrays(videos, seed)
    features = {m: a[m] for m in WIDTHS}
    features["words"] = np.stack([a["score"], -a["score"]], axis=1)
    return lay_out(features, a["score"], a["video"], a["clip"])


def write(folder: Path, name: str = "train", **changes: Any) -> Path:
    """folder/NAME.npz."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"{name}.npz", **{k: v for k, v in {**arrays(), **changes}.items() if v is not None})
    return folder / f"{name}.npz"
