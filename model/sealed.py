"""Seal weights that were trained anew: `python -m model.sealed [FOLDER...]`.

Writes the sums of the folders' weights and of what is read with them, by default of the packaged ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model.provenance.sums import WEIGHTS, seal


def main(given: Sequence[str] | None = None) -> None:
    """The command line; prints the path of every file that was sealed."""
    parser = argparse.ArgumentParser(prog="python -m model.sealed", description=__doc__)
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        default=[WEIGHTS, WEIGHTS / "independent"],
        help="folders with weights",
    )
    for folder in parser.parse_args(given).folders:
        if not folder.is_dir():
            parser.error(f"there is no folder {folder}: name one with weights")
        print("\n".join(str(folder / name) for name in seal(folder)))


if __name__ == "__main__":
    main()
