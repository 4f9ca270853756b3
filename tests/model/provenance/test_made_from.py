from __future__ import annotations

import json
import warnings

import pytest

from model.evaluation import mosi
from model.inference.loading import INDEPENDENT
from model.provenance import made_from
from model.provenance.sums import WEIGHTS


@pytest.fixture
def folder(tmp_path):
    """Extractors' weights of three bytes each."""
    (tmp_path / "text").mkdir()
    for name in ("text/head", "text/adapter_model", "voice", "expression"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"one")
    return tmp_path


def test_the_extractors_that_made_a_network_are_told_from_others(folder, tmp_path):
    made = made_from.installed(folder=folder)
    assert list(made) == [
        "expression.safetensors",
        "text/adapter_model.safetensors",
        "text/head.safetensors",
        "voice.safetensors",
    ]
    words = made_from.installed(["text"], folder)
    assert set(words) == {"text/adapter_model.safetensors", "text/head.safetensors"}
    assert made_from.complaint(made, tmp_path / "net", "train again", folder) is None
    (folder / "text" / "head.safetensors").write_bytes(b"two")
    told = made_from.complaint(words, tmp_path / "net", "train again", folder)
    assert told is not None
    assert "text/head.safetensors" in told
    assert words["text/head.safetensors"][:12] in told
    assert "train again" in told


def test_a_voice_trained_anew_says_nothing_of_what_reads_words_alone(folder, tmp_path):
    words = made_from.installed(["text"], folder)
    (folder / "voice.safetensors").write_bytes(b"two")
    assert made_from.complaint(words, tmp_path, "", folder) is None


def test_a_file_that_is_gone_or_new_is_a_difference_and_nothing_stored_is_told(folder, tmp_path):
    made = made_from.installed(folder=folder)
    (folder / "voice.safetensors").unlink()
    assert "voice.safetensors" in str(made_from.complaint(made, tmp_path, "", folder))
    assert "does not say" in str(made_from.complaint(None, tmp_path, "", folder))
    assert made_from.complaint(None, tmp_path, "", folder / "none installed") is None


def test_a_folder_of_other_extractors_warns_and_one_without_the_file_does_not(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made_from.warn_of_folder(tmp_path)
        made_from.save(tmp_path)
        made_from.warn_of_folder(tmp_path)
    made = json.loads((tmp_path / made_from.NAME).read_text())
    (tmp_path / made_from.NAME).write_text(json.dumps(made | {"voice.safetensors": "0" * 64}))
    with pytest.warns(UserWarning, match="voice.safetensors of sha256 000000000000"):
        made_from.warn_of_folder(tmp_path)


@pytest.mark.parametrize("folder", [WEIGHTS, INDEPENDENT], ids=["coupled", "independent"])
def test_the_packaged_network_was_trained_with_the_packaged_extractors(folder):
    made = made_from.load(folder)
    assert made is not None
    assert made_from.complaint(made, folder, "train the fusion again") is None


def test_the_packaged_networks_of_mosi_were_trained_with_the_packaged_words():
    described = json.loads(mosi.WEIGHTS.with_suffix(".json").read_text())
    told = made_from.complaint(
        described.get("made_from"), mosi.WEIGHTS, "run `python -m model.mosi FOLDER --final`"
    )
    assert told is None, told
