from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from model import mosi
from model.data import mosi as mosi_data
from model.mosi import (
    ROWS,
    SHIPPED,
    WEIGHTS,
    against,
    cross_validate,
    evaluate_file,
    load_final,
    row_settings,
    run,
    save_final,
    table,
)
from model.training.mosi import Reader, predict, train
from model.training.runs import read_runs
from tests.model.mosi_files import arrays, made_videos, write
from tests.model.training.test_mosi import SMALL


@pytest.fixture
def videos():
    return made_videos()


@pytest.mark.parametrize("row", list(ROWS))
def test_every_row_runs(videos, row):
    found = run(SMALL, row, videos, seed=0, count=4, fold=1)
    assert 0 <= found["exchanged"] <= 1
    assert found["n_train"] + found["n_test"] == videos.told.sum()


def test_fusions_are_compared_at_equal_size():
    videos = made_videos()
    settings = replace(SMALL, epochs=1, network={"d_model": 32, "d_state": 8, "layers": 1})
    sizes = {
        row: run(settings, row, videos, 0, 4, 0)["parameters"]
        for row in ("coupled", "mean", "independent", "late", "concat", "attention")
    }
    assert max(sizes.values()) < 1.3 * min(sizes.values())


def test_a_stopped_table_goes_on(tmp_path, videos):
    kept = tmp_path / "runs.jsonl"
    arguments = (SMALL, videos, ["coupled", "independent"])
    first = cross_validate(*arguments, seeds=1, count=4, held=1, kept=kept)
    lines = kept.read_text().splitlines()
    kept.write_text(kept.read_text() + '{"row": "coup\n')  # stopped while it wrote
    both = cross_validate(*arguments, seeds=2, count=4, held=1, kept=kept)
    assert kept.read_text().splitlines()[: len(lines)] == lines
    assert (len(first), len(both), len(read_runs(kept))) == (2, 4, 4)
    assert "coupled" in table(both)
    paired = against(both, "coupled", "independent")
    assert paired is not None
    assert paired.pairs == 2
    assert against(first, "coupled", "independent") is None


def test_runs_of_other_settings_folds_or_data_are_not_taken_for_these(tmp_path, videos):
    kept = tmp_path / "runs.jsonl"

    def runs(settings=SMALL, videos=videos, rows=("text",), count=4):
        return cross_validate(settings, videos, rows, seeds=1, count=count, held=1, kept=kept)

    first = runs()
    assert runs() == first
    assert runs(videos=videos.only(["audio", "text"])) == first, "what another row reads does not matter"
    assert len(read_runs(kept)) == 1
    runs(settings=replace(SMALL, epochs=1))
    runs(videos=replace(videos, score=-videos.score))
    runs(count=3)
    assert len(read_runs(kept)) == 4
    assert runs() == first
    assert len(read_runs(kept)) == 4


def test_the_command_prints_a_table(tmp_path, capsys):
    write(tmp_path)
    config = tmp_path / "c.toml"
    config.write_text("epochs = 1\n[network]\nd_model = 8\nd_state = 2\nlayers = 1\n")
    options = ["--config", str(config), "--seeds", "1", "--folds", "3", "--runs", str(tmp_path / "r.jsonl")]
    mosi.main([str(tmp_path), *options, "--rows", "coupled", "text"])
    printed = capsys.readouterr().out
    assert "coupled" in printed
    assert "82.31" in printed
    with pytest.raises(SystemExit):
        mosi.main([str(tmp_path / "missing")])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds", "0"], "argument --seeds: 0 is given and at least 1 is needed"),
        (["--held", "6"], "--folds is 5 and --held 6: give 2 to 8 folds"),
        (["--folds", "9"], "--folds is 9 and --held 9: give 2 to 8 folds"),
    ],
)
def test_options_that_cannot_be_are_told_before_the_work(options, said, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(mosi, "run", lambda *_: pytest.fail("a network was trained"))
    write(tmp_path)
    with pytest.raises(SystemExit):
        mosi.main([str(tmp_path), "--rows", "text", "--runs", str(tmp_path / "r.jsonl"), *options])
    assert said in capsys.readouterr().err


@pytest.fixture
def words_of_tests(monkeypatch):
    """Transcripts told by their second word, in place of the large text encoder."""

    def read_words(transcripts):
        return np.array([[1.0, 0.0] if "GOOD" in t else [0.0, 1.0] for t in transcripts], np.float32)

    monkeypatch.setattr(mosi_data, "read_words", read_words)


@pytest.fixture
def final(tmp_path, words_of_tests):
    path = tmp_path / "weights" / "mosi.safetensors"
    videos = mosi_data.read(write(tmp_path / "train"), words=True)
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


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ("coupled", "independent"),
        ("attention", "independent"),
        ("independent", "independent"),
        ("words+all mean", "words+all independent"),
        ("text", None),
        ("words", None),
    ],
)
def test_rows_are_tested_against_independent_chains_on_the_same_inputs(row, other):
    assert mosi.independent_of(row) == other


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
    alone = mosi.evaluate_file(tmp_path / "alone" / "valid.npz", path)
    write(folder, "train")
    assert mosi.evaluate_file(folder / "valid.npz", path) == alone | {"videos_left_out": 4}
    with pytest.raises(ValueError, match="all 8 videos"):
        mosi.evaluate_file(folder / "train.npz", path)
