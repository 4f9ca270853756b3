"""A packaged file with a bit turned, weights and what goes with them, is told in a sentence and never used.

Whoever brought a clip is told so too, and not that another clip may work.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app import faults
from app.__main__ import BROKEN, main
from app.faults import damaged_file, fault_of
from app.i18n import retell, tell
from app.server.refusals import SURPRISE, explain
from extractors.face import expression
from extractors.voice import head as voice_head
from extractors.words import adapter
from model.evaluation import mosi
from model.inference import loading
from model.provenance.seen import Seen
from model.provenance.sums import SEALED, SUMS, DamagedWeightsError, check, read_sums, seal


def load_fusion(path: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(loading, "WEIGHTS", path.parent)
    return loading.load_default.__wrapped__()


def load_independent(path: Path, _: pytest.MonkeyPatch) -> object:
    return loading._load_independent.__wrapped__(path.parent)


def load_mosi(path: Path, _: pytest.MonkeyPatch) -> object:
    return mosi.load_final(path.with_suffix(".safetensors"))


WAYS: dict[str, tuple[Path, Callable[[Path, pytest.MonkeyPatch], object]]] = {
    "fusion": (loading.WEIGHTS / "model.safetensors", load_fusion),
    "fusion's config": (loading.WEIGHTS / "config.json", load_fusion),
    "fusion's extractors": (loading.WEIGHTS / "extractors.json", load_fusion),
    "independent": (loading.INDEPENDENT / "model.safetensors", load_independent),
    "independent's config": (loading.INDEPENDENT / "config.json", load_independent),
    "what trained it": (loading.WEIGHTS / "seen.npz", lambda path, _: Seen.load(path.parent)),
    "mosi": (mosi.WEIGHTS, load_mosi),
    "mosi's config": (mosi.WEIGHTS.with_suffix(".json"), load_mosi),
    "face": (expression.WEIGHTS, lambda path, _: expression.load_expression.__wrapped__(path)),
    "voice": (voice_head.WEIGHTS, lambda path, _: voice_head.load_head.__wrapped__(path)),
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


@pytest.mark.parametrize("folder", [loading.WEIGHTS, loading.INDEPENDENT], ids=["coupled", "independent"])
def test_every_packaged_file_of_the_network_is_sealed(folder: Path) -> None:
    """Where this fails, weights were trained anew and their sums are the old ones: run `python -m model.sealed`."""
    files = {path.name for path in folder.iterdir() if path.suffix in SEALED}
    assert set(read_sums(folder)) == files
    for name in files:
        check(folder / name)


def test_sums_are_those_of_sha256sum_and_only_what_they_name_is_checked(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"abc")
    check(tmp_path / "a.safetensors")  # a folder of one's own needs none
    seal(tmp_path)
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (tmp_path / SUMS).read_text() == f"{digest}  a.safetensors\n"
    (tmp_path / "b.safetensors").write_bytes(b"")
    check(tmp_path / "b.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"abd")
    with pytest.raises(DamagedWeightsError, match="if you made the file anew"):
        check(tmp_path / "a.safetensors")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Another copy of the packaged files, as they lie in the project."""
    for room in ("model", "extractors"):
        shutil.copytree(faults.ROOT / room / "weights", tmp_path / room / "weights")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "model/weights/independent/config.json",
        "model/weights/model.safetensors",
        "extractors/weights/voice.safetensors",
        "extractors/weights/text/adapter_config.json",
    ],
)
def test_the_file_that_is_damaged_is_found(program: Path, name: str) -> None:
    assert damaged_file() == damaged_file(program) == ""
    data = bytearray((program / name).read_bytes())
    data[len(data) // 2] ^= 1
    (program / name).write_bytes(data)
    assert damaged_file(program) == name
    (program / name).unlink()
    assert damaged_file(program) == name


def test_checksums_that_cannot_be_read_are_damage_too(program: Path) -> None:
    (program / "extractors" / "weights" / "voice.json").write_bytes(b"\xff{")
    assert damaged_file(program) == "extractors/weights/voice.json"


def test_a_visitor_is_told_of_the_damage_and_not_to_try_another_clip(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    surprise = RuntimeError("of any library")
    assert explain(surprise) == SURPRISE
    weights = program / "model" / "weights"
    (weights / "config.json").write_bytes((weights / "config.json").read_bytes() + b" ")
    monkeypatch.setattr(faults, "ROOT", program)
    monkeypatch.setattr(loading, "WEIGHTS", weights)
    told = tell("heard.weights", file="model/weights/config.json")
    assert explain(surprise) == told

    def fail(*_: object, **__: object) -> object:
        return loading.load_default.__wrapped__()

    monkeypatch.setattr("app.analyze.analyze", fail)
    assert main(["analyze", "clip.mp4"]) == BROKEN
    assert capsys.readouterr().err.splitlines()[-1] == f"coupled-mamba: {told}"
    assert {retell(told, language) for language in ("zh", "ja")}.isdisjoint({told})


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_visitor_is_told_of_a_disk_that_takes_nothing(code: int) -> None:
    told = explain(OSError(code, "said by the system", "/home/me/clip.mp4"))
    assert told == fault_of(OSError(code, "")) == tell("heard.disk")
    assert fault_of(OSError(errno.ENOENT, "gone")) == ""
