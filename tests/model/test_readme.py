"""README's example for researchers runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_example_on_own_features_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.read_text(encoding="utf-8").split("## For researchers")[1]
    code = re.search(r"```python\n(.*?)```", section, re.S)[1]  # type: ignore[index]
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    exec(compile(code, str(README), "exec"), known)
    network, parts = known["network"], known["parts"]
    said = network(known["values"], known["presence"])  # type: ignore[operator]
    assert said.clip.sub(known["stream"].clip().score).abs().max() < 1e-4  # type: ignore[attr-defined]
    assert parts is not None
    assert (tmp_path / "runs" / "mine" / "model.safetensors").exists()
