from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from model.data import mosi as data
from model.evaluation.mosi import WEIGHTS, evaluate_file, load_final
from model.mosi import SHIPPED, row_settings, save_final
from model.training.mosi import Reader, predict, train
from tests.model.mosi_files import arrays, write
from tests.model.training.test_mosi import SMALL


@pytest.fixture
def words_of_tests(monkeypatch):
    """Transcripts told by their second word, in place of the large text encoder."""

    def read_words(transcripts):
        return np.array([[1.0, 0.0] if "GOOD" in t else [0.0, 1.0] for t in transcripts], np.float32)

    monkeypatch.setattr(data, "read_words", read_words)


@pytest.fixture
def final(tmp_path, words_of_tests):
    path = tmp_path / "weights" / "mosi.safetensors"
    videos = data.read(write(tmp_path / "train"), words=True)
    save_final(dict.fromkeys(SHIPPED, replace(SMALL, anchor=1.0)), videos, 2, path)
    return path, videos


def test_stored_networks_predict_what_trained_ones_do(final):
    path, videos = final
    networks = load_final(path)
    assert {name: len(found) for name, found in networks.items()} == {"published": 2, "words": 2}
    settings = row_settings(replace(SMALL, anchor=1.0), SHIPPED["words"][0], videos)
    fresh = predict(train(settings, videos, 1), videos.only(settings.modalities))
    stored = predict(networks["words"][1], videos.only(settings.modalities))
    np.testing.assert_allclose(stored, fresh, atol=0.02)


def test_a_test_part_is_measured(final, tmp_path):
    path, _ = final
    file = arrays(videos=5, seed=9)
    write(tmp_path / "held", "test", **file)
    found = evaluate_file(tmp_path / "held" / "test.npz", path)
    assert (found["n"], found["seeds"]) == (len(file["score"]), 2)
    assert found["acc2"] > 0.9
    assert all(isinstance(figure, int | float) for figure in found.values())
    assert json.loads(json.dumps(found)) == found


def test_videos_that_trained_the_networks_are_measured_nowhere(final, tmp_path):
    path, _ = final
    known, new = arrays(videos=3), arrays(videos=5, seed=9)
    alone = write(tmp_path / "alone", "valid", **known)
    with pytest.raises(ValueError, match=r"all 3 videos .* trained the networks"):
        evaluate_file(alone, path)
    both = write(tmp_path / "both", "test", **{k: np.concatenate([known[k], new[k]]) for k in new})
    found = evaluate_file(both, path)
    assert (found["n"], found["videos_left_out"]) == (len(new["score"]), 3)


def test_without_transcripts_the_published_features_are_measured(final, tmp_path):
    path, _ = final
    write(tmp_path / "held", "test", **(arrays(videos=5, seed=9) | {"transcript": None}))
    found = evaluate_file(tmp_path / "held" / "test.npz", path)
    assert found["acc2"] == found["published_acc2"]


def test_shuffled_rows_are_measured_the_same(final, tmp_path):
    path, _ = final
    file = arrays(videos=5, seed=9)
    order = np.random.default_rng(0).permutation(len(file["score"]))
    write(tmp_path / "a", "test", **file)
    write(tmp_path / "b", "test", **{k: v[order] for k, v in file.items()})
    a, b = (evaluate_file(tmp_path / f / "test.npz", path) for f in "ab")
    assert a == b


def test_the_shipped_networks_load_and_are_small():
    networks = load_final()
    assert {len(found) for found in networks.values()} == {10}
    assert all(isinstance(n, Reader) for found in networks.values() for n in found)
    assert WEIGHTS.stat().st_size < 2 * 2**20


def test_networks_of_other_words_are_told_when_they_are_loaded(final, monkeypatch):
    path, _ = final
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_final(path)
    described = json.loads(path.with_suffix(".json").read_text())
    assert set(described["made_from"]) == {"text/adapter_model.safetensors", "text/head.safetensors"}
    path.with_suffix(".json").write_text(
        json.dumps(described | {"made_from": {"text/head.safetensors": "f" * 64}})
    )
    with pytest.warns(UserWarning, match="--final"):
        load_final(path)


def test_videos_that_trained_the_networks_are_left_out(final, tmp_path):
    path, _ = final
    folder = tmp_path / "both"
    mine, other = arrays(videos=4), arrays(videos=5, seed=9)
    both = {k: np.concatenate([mine[k], other[k]]) for k in mine}
    write(folder, "valid", **both)
    write(tmp_path / "alone", "valid", **other)
    alone = evaluate_file(tmp_path / "alone" / "valid.npz", path)
    write(folder, "train")
    assert evaluate_file(folder / "valid.npz", path) == alone | {"videos_left_out": 4}
    with pytest.raises(ValueError, match="all 8 videos"):
        evaluate_file(folder / "train.npz", path)
