from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from extractors.voice.encoder import EMOTIONS, WIDTH
from extractors.voice.head import WEIGHTS, load_head, save_head
from tests.extractors.voice.heads import plain_head


def test_a_line_and_a_hidden_layer_beside_it() -> None:
    draw = np.random.default_rng(4)
    head = plain_head(draw.normal(0, 0.03, (len(EMOTIONS), WIDTH)), draw.normal(size=9), hidden=5)
    given = 4 * draw.normal(size=(3, WIDTH)).astype(np.float32)
    for window, found in zip(given, head(given), strict=True):
        x = np.array([max(-6.0, min(6.0, v)) for v in window])
        along = np.array([row @ x for row in head.basis])
        units = [max(0.0, row @ along + t) for row, t in zip(head.inner, head.threshold, strict=True)]
        logits = np.array([head.weight[k] @ x + head.bias[k] + head.outer[k] @ units for k in range(9)])
        assert found == pytest.approx(logits - np.log(np.exp(logits).sum()), abs=2e-4)


def test_without_hidden_units_it_is_the_line() -> None:
    bias = np.arange(9, dtype=np.float32)
    found = plain_head(bias=bias)(np.ones((2, WIDTH), np.float32))
    assert found == pytest.approx(np.tile(bias - np.log(np.exp(bias).sum()), (2, 1)), abs=1e-5)


def test_no_window_gives_no_row() -> None:
    assert load_head()(np.zeros((0, WIDTH), np.float32)).shape == (0, 9)


def test_what_is_kept_in_half_precision_comes_back_as_float32(tmp_path: Path) -> None:
    head = plain_head(hidden=4)
    save_head(head, tmp_path / "head.safetensors", {})
    again = load_head(tmp_path / "head.safetensors")
    for name, value in vars(head).items():
        assert getattr(again, name).dtype == np.float32
        assert getattr(again, name) == pytest.approx(value, rel=1e-3, abs=1e-4)


def copied(folder: Path) -> Path:
    for path in (WEIGHTS, WEIGHTS.with_suffix(".json")):
        shutil.copy(path, folder / path.name)
    return folder / WEIGHTS.name


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = copied(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match="fetch both files again"):
        load_head(path)


def test_another_recogniser_is_refused(tmp_path: Path) -> None:
    path = copied(tmp_path)
    config = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**config, "encoder": "0" * 64}))
    with pytest.raises(ValueError, match=r"moonshine-voice==0\.0\.73"):
        load_head(path)


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
