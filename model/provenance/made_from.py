"""Which extractors' weights a network learnt from, so that it is told when others are installed.

A network reads what the extractors make of a clip; with another text adapter the same columns mean something else, and
nothing would show it. Training stores the extractors' checksums beside the network, and loading compares.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

NAME = "extractors.json"
EXTRACTORS = ("text", "voice", "expression")
FOLDER = Path(__file__).parents[2] / "extractors" / "weights"
"""Only files are read: the network runs without the extractors, on features made elsewhere."""


def installed(names: Sequence[str] = EXTRACTORS, folder: Path = FOLDER) -> dict[str, str]:
    """{file under extractors/weights, such as text/head.safetensors: its sha256} of the extractors named."""
    found = {}
    for path in sorted(folder.rglob("*.safetensors")):
        file = path.relative_to(folder)
        if file.parts[0].removesuffix(".safetensors") in names:
            with path.open("rb") as opened:
                found[file.as_posix()] = hashlib.file_digest(opened, "sha256").hexdigest()
    return found


def save(folder: Path) -> None:
    """Write folder/extractors.json: a network was trained with the extractors that are installed now."""
    (folder / NAME).write_text(json.dumps(installed(), indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> dict[str, str] | None:
    """What folder/extractors.json holds; None for a checkpoint that came without one."""
    path = folder / NAME
    if not path.is_file():
        return None
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def complaint(made: Mapping[str, str] | None, what: Path, remedy: str, folder: Path = FOLDER) -> str | None:
    """What is wrong with reading by `what` today, in one sentence; None where the installed extractors made it.

    `made` is {file: sha256} as it was stored when `what` was trained, None where nothing was stored. Nothing is said
    where no extractors are installed.
    """
    if not folder.is_dir():
        return None
    if not made:
        return f"{what} does not say which extractors it was trained with, so nobody can tell whether it fits: {remedy}"
    names = {file.split("/")[0].removesuffix(".safetensors") for file in made}
    here = installed(sorted(names), folder)
    other = [file for file in sorted(made.keys() | here.keys()) if made.get(file) != here.get(file)]
    if not other:
        return None
    file = other[0]
    return (
        f"{what} was trained with {file} of sha256 {made.get(file, 'none')[:12]} but "
        f"{here.get(file, 'none')[:12]} is installed, so its scores are off: {remedy}"
    )


def warn(made: Mapping[str, str] | None, what: Path, remedy: str) -> None:
    """UserWarning with the `complaint`, where there is one."""
    if told := complaint(made, what, remedy):
        warnings.warn(told, stacklevel=3)


def warn_of_folder(folder: Path) -> None:
    """The same of a checkpoint's folder, by the extractors.json in it; nothing is said of one without."""
    if (made := load(folder)) is not None:
        warn(
            made,
            folder,
            "train it again (python -m model.train --data DATA), or fetch the folder extractors/weights it came with",
        )
