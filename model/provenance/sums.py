"""Checksums of packaged weights, so that a file with a bit turned is told and never used: a `SHA256SUMS` beside them.

A bit turned in a config can be worse than one in the weights: another interval, and nothing to see. The file is that of
`sha256sum`, which can check it too; `python -m model.sealed` writes it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

SUMS = "SHA256SUMS"
SEALED = (".safetensors", ".json", ".npz")
WEIGHTS = Path(__file__).parents[1] / "weights"


class DamagedWeightsError(ValueError):
    """A weights file, or one that is read with it, is not the one that its folder's sums name."""


def check(path: Path) -> None:
    """Hold a file against the sums in its folder; nothing is checked where there are none, or none of it.

    Raises:
        DamagedWeightsError: the file is another than the one named.
    """
    wanted = read_sums(path.parent).get(path.name)
    if wanted is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise DamagedWeightsError(
            f"{path} has sha256 {found[:12]} but {SUMS} beside it names {wanted[:12]}: fetch the folder again, or run "
            f"`python -m model.sealed {path.parent}` if you made the file anew"
        )


def read_sums(folder: Path) -> dict[str, str]:
    """{file's name: its sha256}, empty without the file of sums."""
    sums = folder / SUMS
    if not sums.is_file():
        return {}
    lines = (line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.lstrip("*"): digest for digest, name in lines}


def seal(folder: Path = WEIGHTS) -> dict[str, str]:
    """Write the sums of every file in the folder whose kind is in SEALED; gives them."""
    sums = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix in SEALED):
        with path.open("rb") as file:
            sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    text = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (folder / SUMS).write_text(text, encoding="utf-8")
    return sums
