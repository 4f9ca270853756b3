"""How a stopped run goes on: the state of a training, kept with what it was made of, and the logs beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch


class AnotherRunError(ValueError):
    """A training state was made of something else than what is trained now: its weights would pass for this run's."""


def cut_log(path: Path, name: str, begin: int) -> None:
    """Take out of a log what a run will write again: lines whose number called `name` is `begin` or more, and one that
    was cut short.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            before = json.loads(line)[name] < begin
        except (ValueError, TypeError, KeyError):
            continue
        kept += [line + "\n"] if before else []
    path.with_suffix(".part").write_text("".join(kept), encoding="utf-8")
    path.with_suffix(".part").replace(path)


def tensorboard(run: Path, begin: int) -> Any:
    """A SummaryWriter on `run` that hides steps from `begin` on in earlier files; None without tensorboard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run), purge_step=begin)


def save(path: Path, step: int, made: str, *parts: Any) -> None:
    """Write a training state aside, then move it into place; `made` names what it was made of."""
    state = {"step": step, "made": made, "parts": [p.state_dict() for p in parts]}
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def resume(path: Path, made: str, *parts: Any) -> int:
    """Load a training state of ours where there is one; returns the step to go on from.

    Raises AnotherRunError for one that was made of something else.
    """
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True, map_location="cpu")
    if state.get("made") != made:
        raise AnotherRunError(
            f"{path} is of another run: its settings, data, features or start weights were not those of now, or "
            "it was launched with other processes or another precision; "
            "name another folder by --run, or remove it to train afresh"
        )
    for part, saved in zip(parts, state["parts"], strict=True):
        part.load_state_dict(saved)
    return int(state["step"])
