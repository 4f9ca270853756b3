"""The control groups of Linux that the process is in: by them a container has less than its machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT, MINE = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def folders_of(controller: str, root: Path = ROOT, mine: Path = MINE) -> Iterator[tuple[int, Path]]:
    """(version, folder) of the process's group and of each above it, in which `controller` has its files.

    Version 2 has one tree for all controllers, version 1 one for each. Nothing where the system has no such groups;
    not every folder has to be there.
    """
    try:
        lines = [line.split(":", 2) for line in mine.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return
    for _, kinds, path in lines:
        if kinds and controller not in kinds.split(","):
            continue
        version, base = (1, root / controller) if kinds else (2, root)
        group = base / path.lstrip("/")
        # In a container the path is often the host's and is not there: then the root is the container's own group.
        for folder in (group, *group.parents):
            yield version, folder
            if folder == base:
                break
