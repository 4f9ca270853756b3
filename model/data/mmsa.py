"""MMSA's feature files (MOSI, MOSEI, SIMS, SIMSv2) as arrays on one grid of ticks.

A file is a pickle {train, valid, test: {text [n, Lt, Dt], audio [n, La, Da], vision [n, Lv, Dv], regression_labels
[n], ...}}, padded with zeros behind each utterance. It is read by model.data.unpickle, never by pickle itself.

Aligned files have one row a word in all three modalities: a tick is a word. In unaligned ones every modality runs at
its own rate, and each is brought to the same number of ticks by the means of equal segments of its own length, so
that tick l is the same part of the utterance in all three (where a modality has fewer rows than ticks, a row serves
several). `text` holds the BERT features that the file comes with; token ids (`text_bert`) only tell its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.data.unpickle import MAX_BYTES, load

Float = NDArray[np.float32]
Part = Mapping[str, Any]
SPLITS = ("train", "valid", "test")
MODALITIES = {"text": "text", "audio": "audio", "visual": "vision"}
"""Our names, and the file's."""
TICKS = 50
CORPORA = {"mosi": 3.0, "mosei": 3.0, "sims": 1.0, "simsv2": 1.0}
"""How far each corpus's scores reach to either side of neutral."""


@dataclass(frozen=True)
class Utterances:
    """One split: values {modality: [n, L, D]}, presence [n, L, M] of 0 and 1, score [n] on the corpus's own scale.

    Where nothing was observed values are 0 and presence is 0. `repairs` says in words what was mended.
    """

    values: dict[str, Float]
    presence: Float
    score: Float
    repairs: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.score)

    @property
    def widths(self) -> dict[str, int]:
        """Features of each modality."""
        return {m: v.shape[2] for m, v in self.values.items()}


def read(
    path: Path | str,
    corpus: str,
    aligned: bool,
    ticks: int = TICKS,
    repair: bool = False,
    max_bytes: int = MAX_BYTES,
) -> dict[str, Utterances]:
    """All three splits of an MMSA pickle; an aligned file keeps its own number of ticks.

    Minus infinity in audio is replaced by 0, as MMSA does. Any other number that is not finite is an error, or, with
    `repair`, makes its whole row unobserved. Both are told in `repairs`. Raises ValueError naming the split and the
    key for missing keys, wrong shapes, lengths or scores; RefusedPickleError for a file that is not data alone.
    """
    if corpus not in CORPORA:
        raise ValueError(f"unknown corpus {corpus!r}: choose one of {', '.join(CORPORA)}")
    data = load(path, max_bytes)
    if not isinstance(data, dict) or not set(SPLITS) <= data.keys():
        held = sorted(map(str, data)) if isinstance(data, dict) else type(data).__name__
        raise ValueError(f"{path} holds {held}: expected a dict of {', '.join(SPLITS)}, as MMSA's files are")
    found = {
        split: read_split(data[split], split, CORPORA[corpus], aligned, ticks, repair) for split in SPLITS
    }
    if len({tuple(part.widths.items()) for part in found.values()}) > 1:
        raise ValueError(f"the splits differ in width: { {s: p.widths for s, p in found.items()} }")
    return found


def read_split(
    data: Part, split: str, limit: float, aligned: bool, ticks: int = TICKS, repair: bool = False
) -> Utterances:
    """One split of the file's dict, its scores from -limit to limit."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{split} holds a {type(data).__name__}: expected a dict, as in MMSA's files")
    wanted = [*MODALITIES.values(), "regression_labels"]
    wanted += [] if aligned else ["audio_lengths", "vision_lengths"]
    if missing := [key for key in wanted if key not in data]:
        hint = ""
        if "text" in missing:
            hint = ": text_bert holds token ids, which need a BERT to become features"
        elif all(key.endswith("_lengths") for key in missing):
            hint = ": of an aligned file, set aligned = true in the config"
        raise ValueError(f"{split} lacks {', '.join(missing)}{hint}; it has {', '.join(map(str, data))}")
    score = scores(data["regression_labels"], f"{split}: regression_labels", limit)
    repairs: list[str] = []
    values = {m: features(data[key], f"{split}: {key}", len(score)) for m, key in MODALITIES.items()}
    if aligned:
        check_aligned(values, split)
    seen = {}
    for name, key in MODALITIES.items():
        rows = values[name]
        observed = within(row_counts(data, key, rows, aligned, split), rows.shape[1])
        values[name], seen[name] = mend(rows, observed, key, split, repair, repairs)
        if not aligned:
            values[name], seen[name] = segment_means(values[name], seen[name], ticks)
    return Utterances(
        values,
        np.stack([seen[m] for m in MODALITIES], axis=2).astype(np.float32),
        score,
        tuple(repairs),
    )


def scores(labels: Any, name: str, limit: float) -> Float:
    """[n], checked for number, finiteness and range."""
    score = numbers(labels, name).astype(np.float32).reshape(-1)
    if not len(score):
        raise ValueError(f"{name} has 0 rows, expected at least 1")
    if not np.isfinite(score).all() or np.abs(score).max() > limit + 1e-6:
        raise ValueError(
            f"{name} reaches from {score.min()} to {score.max()}: expected {-limit} to {limit}, all finite"
        )
    return score


def numbers(given: Any, name: str) -> NDArray[Any]:
    """An array of numbers as it is, and a flat list of them as an array.

    Lists within lists are refused: in a pickle they may be one list over and over, and as an array each of these would
    be written out, in more memory than there is.
    """
    if isinstance(given, np.ndarray) and given.dtype.kind in "biuf":
        return given
    items = given.ravel() if isinstance(given, np.ndarray) and given.dtype.kind == "O" else given
    plain = isinstance(items, list | tuple | np.ndarray)
    if not plain or not all(isinstance(i, int | float | np.bool_ | np.integer | np.floating) for i in items):
        raise ValueError(
            f"{name} is a {type(given).__name__} of something else than numbers: expected an array of numbers, or "
            "a flat list of them"
        )
    try:
        return np.array(items, np.float64)
    except OverflowError as error:
        raise ValueError(f"{name} holds an integer that no float holds: expected finite numbers") from error


def features(array: Any, name: str, count: int) -> Float:
    """[n, L, D] in float32; what is too large for it becomes infinite and is found as such."""
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"{name} is a {type(array).__name__}: expected an array of numbers [n = {count}, L, D]"
        )
    rows = array
    if rows.ndim != 3 or rows.dtype.kind not in "fiu" or len(rows) != count or 0 in rows.shape:
        raise ValueError(
            f"{name} has shape {rows.shape} of {rows.dtype}: expected numbers [n = {count}, L, D]"
        )
    with np.errstate(over="ignore"):
        return rows.astype(np.float32)


def row_counts(data: Part, key: str, rows: Float, aligned: bool, split: str) -> NDArray[np.int64]:
    """How many rows of each utterance are not padding, [n].

    From audio_lengths and vision_lengths in unaligned files; from BERT's own mask for text, and for all modalities
    of an aligned file; where there is no text_bert, up to the last row that is not all zeros.
    """
    if key != "text" and not aligned:
        return lengths(data[f"{key}_lengths"], f"{split}: {key}_lengths", rows)
    if "text_bert" in data:
        tokens = numbers(data["text_bert"], f"{split}: text_bert")
        if tokens.ndim != 3 or tokens.shape[:2] != (len(rows), 3):
            raise ValueError(f"{split}: text_bert has shape {tokens.shape}, expected [n = {len(rows)}, 3, L]")
        return lengths((tokens[:, 1] > 0).sum(1), f"{split}: the mask in text_bert", rows)
    told = (rows != 0).any(2)
    return np.where(told.any(1), rows.shape[1] - np.argmax(told[:, ::-1], axis=1), 0)


def lengths(given: Any, name: str, rows: Float) -> NDArray[np.int64]:
    """Checked lengths [n], each from 0 to the padded length."""
    counts = numbers(given, name)
    if counts.shape != (len(rows),) or counts.dtype.kind not in "iuf" or not np.isfinite(counts).all():
        raise ValueError(
            f"{name} has shape {counts.shape} of {counts.dtype}, expected [n = {len(rows)}] numbers"
        )
    if counts.min() < 0 or counts.max() > rows.shape[1] or (counts != np.round(counts)).any():
        raise ValueError(f"{name} reaches from {counts.min()} to {counts.max()}: rows are {rows.shape[1]}")
    return counts.astype(np.int64)


def within(counts: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """[n, L], True for the first `counts` rows."""
    return np.arange(length) < counts[:, None]


def mend(
    rows: Float, observed: NDArray[np.bool_], key: str, split: str, repair: bool, repairs: list[str]
) -> tuple[Float, NDArray[np.bool_]]:
    """Rows of finite numbers, 0 where unobserved, and which are observed."""
    if key == "audio" and (lowest := np.isneginf(rows)).any():
        rows = np.where(lowest, np.float32(0), rows)
        repairs.append(f"{split}: {int(lowest.sum())} minus infinities in audio became 0, as in MMSA")
    broken = ~np.isfinite(rows).all(2) & observed
    if broken.any():
        utterance, row = np.argwhere(broken)[0]
        found = f"{int(broken.sum())} rows of {key} hold nan or infinity (the first: utterance {utterance}, row {row})"
        if not repair:
            raise ValueError(
                f"{split}: {found}; set repair = true in the config (repair=True in Python) to leave them out"
            )
        repairs.append(f"{split}: {found}; they count as unobserved")
        observed = observed & ~broken
    return np.where(observed[..., None], rows, np.float32(0)), observed


def check_aligned(values: Mapping[str, Float], split: str) -> None:
    """One length for all."""
    found = {name: rows.shape[1] for name, rows in values.items()}
    if len(set(found.values())) > 1:
        raise ValueError(f"{split}: lengths are {found}, so the file is not aligned: read with aligned=False")


def segment_means(rows: Float, observed: NDArray[np.bool_], ticks: int) -> tuple[Float, NDArray[np.bool_]]:
    """[n, L, D] -> [n, ticks, D], tick l the mean of the observed rows in its part of the utterance.

    The utterance reaches to its last observed row. Where it has fewer rows than ticks, a tick takes the row that
    covers its start.
    """
    if ticks < 1:
        raise ValueError(f"ticks must be at least 1, got {ticks}")
    end = np.where(observed.any(1), observed.shape[1] - np.argmax(observed[:, ::-1], axis=1), 0)
    edges = end[:, None] * np.arange(ticks + 1) / ticks
    first = np.floor(edges[:, :-1] + 1e-9).astype(np.int64)
    last = np.minimum(np.maximum(np.floor(edges[:, 1:] + 1e-9).astype(np.int64), first + 1), end[:, None])
    sums = running(np.where(observed[..., None], rows, 0))
    counts = running(observed[..., None].astype(np.float64))
    pick = np.arange(len(rows))[:, None]
    count = counts[pick, last] - counts[pick, np.minimum(first, last)]
    mean = (sums[pick, last] - sums[pick, np.minimum(first, last)]) / np.maximum(count, 1)
    return np.where(count > 0, mean, 0).astype(np.float32), count[..., 0] > 0


def running(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Sums of the first 0, 1, ... L rows, in float64 so that differences of long sums stay exact enough."""
    padded = np.zeros((len(rows), rows.shape[1] + 1, rows.shape[2]))
    np.cumsum(rows, axis=1, dtype=np.float64, out=padded[:, 1:])
    return padded
