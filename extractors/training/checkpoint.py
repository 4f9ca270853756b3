"""What a stopped training goes on from: a file of this machine's own, written whole, and known for the run it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def write(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint, replacing the last one only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def read(path: Path, made: str) -> dict[str, Any]:
    """The state written at `path`, whose entry "made" names what the run was made of, on torch's default device.

    Raises ValueError for one that was made of something else: its weights would pass for this run's.
    """
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location=torch.get_default_device())
    if state.get("made") != made:
        raise ValueError(
            f"{path} is of another run: its data, schedule or start were not those of now; name another folder by "
            "--runs, or remove it to train afresh"
        )
    return state
