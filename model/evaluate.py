"""Measure a checkpoint on rated data: `python -m model.evaluate DATA_DIR [--checkpoint DIR] [--json OUT]`.

DATA_DIR holds any of text/*.csv.gz, speech/labels.csv, faces/*.npz, and test.npz or valid.npz of mosi_utterances, in
the folder of that name or by itself. Whatever trained the checkpoint or the extractors (its seen.npz) is left out and
counted. Every row stands beside the best constant for those very ratings, which a model has to beat to have read
anything. Figures whose names end in "_all" are of all faces of a file, those that trained too, as published ones are.
A part that cannot be read is told, costs the other parts nothing and ends in status 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from model.command_line import UNREADABLE, make_room, write_json
from model.coupled.network import CoupledMamba
from model.data.unseen import FIND_UNSEEN, Unseen
from model.evaluation.figures import evaluate
from model.evaluation.mosi import evaluate_file
from model.evaluation.report import NAMES, Figures, left_out, notes, table
from model.inference.loading import load_checked
from model.provenance.seen import Seen
from model.provenance.sums import WEIGHTS

MOSI_FILES = {"mosi_utterances": "test.npz", "mosi_utterances_valid": "valid.npz"}


def mosi_files(data: Path) -> dict[str, Path]:
    """{part of the report: file}: MOSI_FILES in DATA/mosi_utterances or in DATA; DATA itself if it is a file."""
    if data.is_file():
        return {
            next((part for part, name in MOSI_FILES.items() if name == data.name), "mosi_utterances"): data
        }
    for folder in (data / "mosi_utterances", data):
        found = {part: folder / name for part, name in MOSI_FILES.items() if (folder / name).is_file()}
        if found:
            return found
    return {}


@contextmanager
def telling(part: str, failed: dict[str, str]) -> Iterator[None]:
    """Where files of a part cannot be read, `failed` tells why, and the other parts go on."""
    try:
        yield
    except UNREADABLE as error:
        failed[part] = f"{type(error).__name__}: {error}"


def look(data: Path, seen: Seen, failed: dict[str, str]) -> dict[str, Unseen]:
    """What of each modality trained nothing; parts that cannot be read are told in `failed`."""
    found = {}
    for m, find in FIND_UNSEEN.items():
        with telling(NAMES[m], failed):
            found[m] = find(data, seen)
    return found


def on_mosi(data: Path, failed: dict[str, str]) -> dict[str, Figures]:
    """Figures on mosi_utterances of the networks kept for it, which are no part of the checkpoint."""
    found: dict[str, Figures] = {}
    for part, path in mosi_files(data).items():
        with telling(part, failed):
            found[part] = evaluate_file(path)
    return found


def parse(given: Sequence[str] | None) -> tuple[argparse.Namespace, Seen, CoupledMamba]:
    """The command line: its options, what trained the checkpoint, and the checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m model.evaluate", description=__doc__)
    parser.add_argument(
        "data",
        type=Path,
        help="folder with any of text/, speech/, faces/, mosi_utterances/; or one with test.npz",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=WEIGHTS,
        help="folder with config.json and model.safetensors, and with seen.npz, there or in the folder around it",
    )
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args(given)
    if not arguments.data.exists():
        parser.error(f"there is no folder {arguments.data}: name one with text/, speech/ or faces/")
    make_room(parser, arguments.json)
    try:
        seen, found = Seen.load(arguments.checkpoint), load_checked(arguments.checkpoint)
    except UNREADABLE as error:
        parser.error(str(error))
    return arguments, seen, cast(CoupledMamba, found)  # or a baseline, which is read alike


def main(given: Sequence[str] | None = None) -> None:
    """The command line."""
    arguments, seen, network = parse(given)
    failed: dict[str, str] = {}
    found = look(arguments.data, seen, failed)
    pools = {m: part.pool for m, part in found.items() if len(part.pool)}
    report = evaluate(network, pools, all_faces=found["visual"].whole if "visual" in pools else None)
    report |= on_mosi(arguments.data, failed)
    if report:
        print(table(report))
    for line in notes(found, report):
        print(line)
    for part, why in failed.items():
        print(f"{part} could not be read: {why}", file=sys.stderr)
    if not report:
        sys.exit(f"nothing in {arguments.data} is rated and new to {arguments.checkpoint}")
    write_json(arguments.json, report | left_out(found))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
