"""What the commands of this room share: options and configs read or refused in a sentence, figures put in a file."""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

Settings = TypeVar("Settings")
CONFIGS = Path(__file__).parent / "configs"
HOMES = (
    "mmsa_*.toml are for model.mmsa_train and model.protocols, mosi*.toml for model.mosi and model.protocols, "
    "compare.toml for model.compare, the others for model.train"
)
UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, EOFError, zlib.error, csv.Error, zipfile.BadZipFile, SafetensorError
)  # fmt: skip
"""What damaged files, other files under the same names and damaged weights raise."""


def read_config(parser: argparse.ArgumentParser, read: Callable[[Path], Settings], path: Path) -> Settings:
    """`read(path)`; where there is no such file, or it is another command's, the parser says so and ends."""
    if not path.is_file():
        parser.error(f"there is no config {path}: those that come along are in {CONFIGS}")
    try:
        return read(path)
    except (TypeError, ValueError) as error:
        named = re.search(r"unexpected keyword argument ('\w+')", str(error))
        why = f"it has the key {named[1]}, which this command does not know" if named else str(error)
        parser.error(f"{path} is no config of {parser.prog}: {why}; {HOMES}")


def at_least_one(text: str) -> int:
    """The type of an option that counts something: a whole number from 1 on, of which argparse tells."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is given and at least 1 is needed")
    return number


def zero_to_one(text: str) -> float:
    """The type of an option that is a share of a whole: 0 to 1, of which argparse tells."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(
            f"{text} is given and a share from 0 to 1 is needed, such as 0.1 for 10 %"
        )
    return number


def make_room(parser: argparse.ArgumentParser, path: Path | None) -> None:
    """Make the folder of a file that will be written after hours of work, or say now why it cannot be."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{path.parent} cannot be made: {error.strerror}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        parser.error(f"{path} cannot be written: name a file in a folder that you may write to")


def write_json(path: Path | None, figures: Any) -> None:
    """The figures as JSON, where a path is given."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
