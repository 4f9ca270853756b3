"""Runs kept in a file as they finish, one JSON object a line, so that a stopped table goes on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_runs(kept: Path) -> list[dict[str, Any]]:
    """Runs of an earlier call, one JSON object a line; a line that was cut off when the call was stopped is none."""
    if not kept.exists():
        return []
    runs = []
    for line in kept.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            runs.append(json.loads(line))
    return runs


def append(path: Path, run: Mapping[str, Any]) -> None:
    """One more line of a file of runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(run) + "\n")
