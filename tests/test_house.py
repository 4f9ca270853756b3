"""The house stays as it was drawn: one direction of dependence, heavy libraries late, nothing large."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("app", "extractors", "kernels", "model")
TRAINING = {
    "model/data/corpora.py",
    "model/data/mosi.py",
    "model/data/own.py",
    "model/data/streams.py",
    "model/evaluation/figures.py",
}
MAY_IMPORT = {
    "app": {"app", "extractors", "model"},
    "extractors": {"extractors"},
    "kernels": {"kernels"},
    "model": {"model", "kernels"},
}
MODEL = ("provenance", "measures", "coupled", "fusion", "inference", "data", "training", "evaluation")
"""The rooms of model/: each may use those before it, and its commands, which stand beside them, any."""


def imported(path: Path) -> set[str]:
    """Top-level names that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def rooms_used(path: Path) -> set[str]:
    """What of model/ a file imports, anywhere in it, also for its types alone: rooms, or files beside them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{a.name}" for a in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("model.")}
    return found


def sources() -> list[str]:
    return sorted(str(p.relative_to(ROOT)) for room in ROOMS for p in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("path", sources())
def test_dependence_goes_one_way(path):
    room = path.split("/")[0]
    allowed = MAY_IMPORT[room] | ({"extractors"} if path in TRAINING else set())
    assert imported(ROOT / path) & set(ROOMS) <= allowed
    if room != "app":
        assert not imported(ROOT / path) & {"gradio", "plotly", "app"}


@pytest.mark.parametrize("path", [p for p in sources() if p.startswith("model/")])
def test_the_rooms_of_the_model_depend_one_way(path):
    """So what predicts is before data, which is described by the extractors; and nothing imports a command."""
    room = path.split("/")[1]
    assert room in MODEL or room.endswith(".py")
    before = MODEL[: MODEL.index(room) + 1] if room in MODEL else (*MODEL, "command_line")
    assert rooms_used(ROOT / path) <= set(before)


@pytest.mark.parametrize("path", sources())
def test_files_can_be_read_in_one_sitting(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 400


def test_the_range_of_scores_and_the_length_of_a_tick_are_written_once():
    """The scores' 3 in model/measures/intervals.py, the tick's 0.2 s in extractors/grid.py, which model/ takes over."""
    found: dict[str, list[str]] = {"3.0": [], "0.2": []}
    for path in (p for p in sources() if p.startswith("model/")):
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
            value = ast.unparse(node.value) if isinstance(node, ast.Assign) else ""
            if value in found:
                found[value].append(path)
    assert found == {"3.0": ["model/measures/intervals.py"], "0.2": []}


@pytest.mark.parametrize("package", ["extractors", "app", "model", "kernels"])
def test_importing_a_room_brings_no_page_and_no_models(package):
    late = "{'gradio', 'librosa', 'sentence_transformers', 'transformers', 'moonshine_voice', 'cv2'}"
    code = f"import sys, {package}; print(sorted({late} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_nothing_large_is_kept():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    large = {f: (ROOT / f).stat().st_size for f in tracked.stdout.splitlines() if (ROOT / f).is_file()}
    assert {f: n for f, n in large.items() if n > 8_000_000} == {}
    assert sum(n for f, n in large.items() if f.endswith(".safetensors")) < 20_000_000
