"""Faults of the place and not of the clip: a packaged file that is damaged, a disk that takes nothing more.

They come out as whatever error a library raises that meets them, and no other clip would do better. So it is looked for
where an analysis failed for a reason that nobody foresaw, and not before each.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from app.i18n import tell

ROOT = Path(__file__).parents[1]
NO_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def fault_of(error: BaseException) -> str:
    """The sentence for a person, in English; "" where the error is none of these faults. No visitor's file is named."""
    if isinstance(error, OSError) and error.errno in NO_WRITING:
        return tell("heard.disk")
    damaged = damaged_file()
    return tell("heard.weights", file=damaged) if damaged else ""


def damaged_file(root: Path | None = None) -> str:
    """The first packaged file that is missing or not the one its checksum names; "" where all are whole.

    As a path below `root`, the project's folder; about 15 MB are read. Files without a checksum are not looked at.
    """
    root = root or ROOT
    for path, wanted in _sums(root):
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest() if wanted else ""
        except OSError:
            found = "missing"
        if found != wanted:
            return path.relative_to(root).as_posix()
    return ""


def _sums(root: Path) -> Iterator[tuple[Path, str | None]]:
    """Every packaged file with its sha256; None for a file of checksums that cannot be read."""
    from model.provenance.sums import SUMS, read_sums

    for sums in sorted((root / "model" / "weights").rglob(SUMS)):
        try:
            yield from ((sums.parent / name, wanted) for name, wanted in read_sums(sums.parent).items())
        except ValueError:
            yield sums, None
    for config in sorted((root / "extractors" / "weights").rglob("*.json")):
        try:
            named = json.loads(config.read_text(encoding="utf-8")).get("sha256", {})
        except ValueError:
            yield config, None
            continue
        files = {config.with_suffix(".safetensors").name: named} if isinstance(named, str) else named
        yield from ((config.parent / name, wanted) for name, wanted in files.items())
