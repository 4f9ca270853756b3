"""A packaged weights file with a bit turned is told in a sentence that names it, and never used."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from extractors import adapter, expression, voice_encoder
from model import inference, mosi
from model.sealed import SUMS, DamagedWeightsError, check, read_sums, seal


def load_fusion(path: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(inference, "WEIGHTS", path.parent)
    return inference.load_default.__wrapped__()


WAYS: dict[str, tuple[Path, Callable[[Path, pytest.MonkeyPatch], object]]] = {
    "fusion": (inference.WEIGHTS / "model.safetensors", load_fusion),
    "mosi": (mosi.WEIGHTS, lambda path, _: mosi.load_final(path)),
    "face": (expression.WEIGHTS, lambda path, _: expression.load_expression.__wrapped__(path)),
    "voice": (voice_encoder.WEIGHTS, lambda path, _: voice_encoder.load_head.__wrapped__(path)),
    "words": (adapter.WEIGHTS / adapter.ADAPTER, lambda path, _: adapter.check(path.parent)),
    "words' readout": (adapter.WEIGHTS / adapter.HEAD, lambda path, _: adapter.check(path.parent)),
}


@pytest.mark.parametrize("name", list(WAYS))
def test_a_turned_bit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path, load = WAYS[name]
    folder = tmp_path / "weights"
    shutil.copytree(path.parent, folder)
    copy = folder / path.name
    load(copy, monkeypatch)  # whole, it is taken
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    with pytest.raises(ValueError, match=rf"{path.name} has sha256 \w+ but .* names? \w+.*: fetch"):
        load(copy, monkeypatch)


def test_every_packaged_file_of_the_network_is_sealed() -> None:
    """Where this fails, weights were trained anew and their sums are the old ones: run `python -m model.sealed`."""
    files = {path.name for path in inference.WEIGHTS.glob("*.safetensors")}
    assert set(read_sums(inference.WEIGHTS)) == files
    for name in files:
        check(inference.WEIGHTS / name)


def test_sums_are_those_of_sha256sum_and_only_what_they_name_is_checked(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"abc")
    check(tmp_path / "a.safetensors")  # a folder of one's own needs none
    seal(tmp_path)
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (tmp_path / SUMS).read_text() == f"{digest}  a.safetensors\n"
    (tmp_path / "b.safetensors").write_bytes(b"")
    check(tmp_path / "b.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"abd")
    with pytest.raises(DamagedWeightsError, match="if you trained the file anew"):
        check(tmp_path / "a.safetensors")
