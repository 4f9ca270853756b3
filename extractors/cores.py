"""How many cores an analysis may use: those that the process may run on, and no more than its container pays for."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from extractors.groups import MINE, ROOT, folders_of


def cores() -> int:
    """Cores that are ours, at least one; a share of a core, as containers are given it, counts as a whole one."""
    # Not every system tells which cores are ours.
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([ours, *map(math.ceil, _of_groups())])


def _of_groups(root: Path = ROOT, mine: Path = MINE) -> Iterator[float]:
    """Cores that each control group may keep busy, of those that have a limit."""
    for version, folder in folders_of("cpu", root, mine):
        try:
            quota, period = _limit(version, folder)
        except (OSError, ValueError):  # not there, or "max"
            continue
        if quota > 0 and period > 0:  # -1 is no limit
            yield quota / period


def _limit(version: int, folder: Path) -> tuple[int, int]:
    """(quota, period) in microseconds. Raises OSError and ValueError where there is none."""
    names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    quota, period = " ".join((folder / name).read_text(encoding="ascii") for name in names).split()
    return int(quota), int(period)
