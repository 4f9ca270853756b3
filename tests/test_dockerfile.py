"""The Dockerfile by hadolint's rules, which read and do not build; and what it says beside them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


@pytest.mark.skipif(
    HADOLINT is None, reason="hadolint is not installed (requirements-dev.txt has it for Linux)"
)
def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    assert HADOLINT is not None
    done = subprocess.run(
        [HADOLINT, "--no-color", str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    spoilt = tmp_path / "Dockerfile"
    spoilt.write_text(DOCKERFILE.read_text(encoding="utf-8").replace("python:3.11-slim-bookworm", "python"))
    told = subprocess.run([HADOLINT, "--no-color", str(spoilt)], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "DL3006" in told.stdout  # an image without its version


def test_the_page_runs_as_nobody_special_and_says_whether_it_is_well() -> None:
    last = DOCKERFILE.read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert re.findall(r"^USER (\d+)$", last, re.M)[-1] != "0"
    assert last.index("\nUSER ") < last.index("\nCMD ")
    assert re.search(r"^HEALTHCHECK (.|\\\n)*\n? *CMD \[", last, re.M)


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md"])
def test_what_the_image_compiled_is_not_covered_by_the_options_that_are_advised(document: str) -> None:
    dockerfile = DOCKERFILE.read_text(encoding="utf-8")
    (compiled,) = re.findall(r"NUMBA_CACHE_DIR=(\S+)", dockerfile)
    assert re.search(rf"install -d -o visitor -g visitor [^\n]*{compiled}\b", dockerfile)
    (options,) = re.findall(
        r"`(--read-only [^`]*)`", (DOCKERFILE.parent / document).read_text(encoding="utf-8")
    )
    covered = [Path(path) for path in re.findall(r"--tmpfs (/[^:\s]*)", options)]
    assert covered
    assert not any(Path(compiled).is_relative_to(path) for path in covered)
    # Else numba could not write beside it, and would refuse.
    assert f"-v {compiled}" in options
