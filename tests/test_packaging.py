"""What pip installs holds everything that is used, and works from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ROOMS = ("app", "extractors", "kernels", "model")
FOR_READERS = {"app/assets/page.png", "model/weights/.gitattributes"}
USED = """
import torch
from kernels import coupled_scan
from model import load_default

u = torch.ones(1, 2, 3, 4)
b = torch.ones(1, 2, 3, 1)
assert coupled_scan(u, u, -u[0, 0, :, :, None], b, b, torch.eye(3)).shape == u.shape
print(load_default().config.modalities)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, built of what git tracks in a folder apart and unpacked where nothing else is."""
    pytest.importorskip("setuptools", "80", reason="needs setuptools 80 or later")
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked("."):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=folder / "source", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(folder / "installed")
    return folder / "installed"


def tracked(*places: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", *places], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"git lists no files here: {done.stderr.strip()[-200:]}")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_every_file_of_the_four_rooms_is_in_it_and_no_other(installed: Path) -> None:
    held = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()}
    assert {name for name in held if ".dist-info/" not in name} == set(tracked(*ROOMS)) - FOR_READERS


def test_the_operation_and_the_packaged_network_are_used_from_there(installed: Path, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", USED], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["('text',", "'audio',", "'visual')"]


def test_what_it_needs_is_what_the_requirements_name(installed: Path) -> None:
    (folder,) = installed.glob("*.dist-info")
    needed = PathDistribution(folder).requires or []
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert {Requirement(line) for line in needed} == {Requirement(line) for line in lines}
