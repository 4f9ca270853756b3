"""Rated utterances of one modality as arrays, and the files that keep their features between runs."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Described = tuple[Sequence[NDArray[np.floating]], Sequence[NDArray[np.float32]]]
"""Rows [T, D] and presence [T] of each utterance."""


@dataclass(frozen=True)
class Pool:
    """Rated utterances of one modality.

    rows[offsets[i]:offsets[i+1]] [T_i, D] float16 belong to utterance i, rated score[i] in -3..3; presence has
    one entry a row; group[i] is its speaker or near-duplicate group, source[i] its corpus, emotion[i] its class
    where there is one.
    """

    rows: NDArray[np.float16]
    presence: NDArray[np.float32]
    offsets: NDArray[np.int64]
    score: NDArray[np.float32]
    group: NDArray[np.str_]
    source: NDArray[np.str_]
    emotion: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.score)

    def features(self, i: int) -> NDArray[np.float16]:
        """Rows [T, D] of utterance i."""
        return self.rows[self.offsets[i] : self.offsets[i + 1]]

    def observed(self, i: int) -> NDArray[np.float32]:
        """Presence [T] of utterance i."""
        return self.presence[self.offsets[i] : self.offsets[i + 1]]

    def select(self, keep: NDArray[np.bool_]) -> Pool:
        """The utterances where `keep` is true."""
        picked = np.flatnonzero(keep)
        spans = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in picked]
        rows = np.concatenate(spans) if spans else np.zeros(0, np.int64)
        lengths = [len(s) for s in spans]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Pool(self.rows[rows], self.presence[rows], offsets, *(line[picked] for line in self.labels))

    @property
    def labels(self) -> tuple[NDArray, ...]:
        """Score, group, source and emotion."""
        return self.score, self.group, self.source, self.emotion


class Labels(NamedTuple):
    """What is said of each utterance, which no features are made of: read anew each time, never kept with them."""

    score: Sequence[float]
    group: Sequence[str]
    source: Sequence[str]
    emotion: Sequence[str]


def pool_of(
    rows: Sequence[NDArray[np.floating]],
    presence: Sequence[NDArray[np.float32]],
    score: Sequence[float],
    group: Sequence[str],
    source: Sequence[str],
    emotion: Sequence[str],
) -> Pool:
    """One Pool of utterances given one by one; of none, a pool without rows or columns."""
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return Pool(
        (np.concatenate(rows) if rows else np.zeros((0, 0))).astype(np.float16),
        (np.concatenate(presence) if presence else np.zeros(0)).astype(np.float32),
        offsets,
        np.asarray(score, np.float32),
        np.asarray(group, str),
        np.asarray(source, str),
        np.asarray(emotion, str),
    )


def kept_pool(path: Path, key: Sequence[Path | str], labels: Labels, make: Callable[[], Described]) -> Pool:
    """`make()`, kept beside `path` under its name and a digest of `key` (words, and files by their bytes).

    The labels are those given: what a file held as labels when it was made is not used, since a rating that was changed
    since must count. A file that is damaged is made anew, and where none can be written nothing is kept.
    """
    if not labels.score:
        return pool_of([], [], [], [], [], [])
    digest = hashlib.sha256()
    for part in key:
        digest.update(part.encode() + b"\0" if isinstance(part, str) else part.read_bytes())
    file = path.with_name(f"{path.name}-{digest.hexdigest()[:16]}.npz")
    try:
        with np.load(file, allow_pickle=False) as kept:
            rows, presence, offsets = (kept[part] for part in ("rows", "presence", "offsets"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        described = make()
        made = pool_of(described[0], described[1], *labels)
        with contextlib.suppress(OSError):  # a full disk or a read-only folder costs time, not the figures
            write_aside(file, vars(made))
        return made
    return Pool(rows, presence, offsets, *pool_of([], [], *labels).labels)


def write_aside(path: Path, arrays: Mapping[str, Any]) -> None:
    """An .npz under a name that no other process writes to, then moved into place: readers see all of it or none.

    Raises OSError where it cannot be written; nothing is left of it then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{secrets.token_hex(8)}.part.npz")
    try:
        np.savez(aside, **arrays)
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
