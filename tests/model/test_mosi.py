from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from model import mosi
from model.data import mosi as mosi_data
from model.mosi import (
    CONFIG,
    ROWS,
    SHIPPED,
    WEIGHTS,
    against,
    cross_validate,
    evaluate_file,
    load_final,
    read_runs,
    row_settings,
    run,
    save_final,
    table,
)
from model.mosi_train import (
    MosiSettings,
    Reader,
    batches,
    build,
    drop_modalities,
    predict,
    read_settings,
    train,
    two_class_accuracy,
)
from tests.model.mosi_files import arrays, made_videos, write

SMALL = MosiSettings(
    epochs=2,
    batches=2,
    components={"text": 3},
    network={"d_model": 8, "d_state": 2, "layers": 1, "dropout": 0.0},
)


@pytest.fixture
def videos():
    return made_videos()


def test_training_is_repeatable_and_seeded(videos):
    first, again, other = (predict(train(SMALL, videos, seed), videos) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    assert (first[~videos.told] == 0).all()


def test_what_can_be_learnt_is_learnt():
    videos = made_videos(videos=20)
    settings = replace(SMALL, modalities=("words",), epochs=40, learning_rate=1e-2)
    held = made_videos(videos=6, seed=1)
    assert two_class_accuracy(predict(train(settings, videos, 0), held), held) > 0.9


def test_the_order_of_videos_in_a_batch_does_not_matter(videos):
    network = train(SMALL, videos, 0)
    turned = np.arange(len(videos))[::-1]
    np.testing.assert_allclose(
        predict(network, videos.take(turned)), predict(network, videos)[turned], atol=1e-5
    )


def test_components_keep_what_varies_most(videos):
    reader = build(SMALL, videos.only(SMALL.modalities), 0)
    rows = torch.from_numpy(videos.values["text"][videos.told])
    reduced = reader.reduce("text", rows)
    assert reduced.shape[1] == 3
    torch.testing.assert_close(reduced.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(reduced.T), torch.eye(3), atol=1e-3, rtol=0)
    assert reader.network.forwards.config.features == {"text": 3, "audio": 3, "visual": 4}


def test_all_features_are_kept_where_no_components_are_asked_for(videos):
    reader = build(replace(SMALL, components={}), videos.only(SMALL.modalities), 0)
    rows = torch.from_numpy(videos.values["text"][videos.told])
    torch.testing.assert_close(reader.reduce("text", rows), (rows - rows.mean(0)) / rows.std(0))


def test_the_anchor_is_a_linear_reading_that_the_network_adds_to():
    videos = made_videos(videos=20)
    settings = replace(SMALL, modalities=("words",), epochs=1, learning_rate=1e-9, anchor=0.1)
    held = made_videos(videos=6, seed=1)
    reader = train(settings, videos, 0)
    assert two_class_accuracy(predict(reader, held.only(["words"])), held) > 0.9
    values = {"words": torch.from_numpy(held.values["words"])}
    presence = torch.from_numpy(held.only(["words"]).presence())
    with torch.no_grad():
        whole = reader(values, presence).ticks
        own = reader.network({"words": reader.reduce("words", values["words"])}, presence).ticks
        linear = reader.columns({"words": reader.reduce("words", values["words"])}, presence) @ reader.anchor
    torch.testing.assert_close(whole, own + linear)


def test_a_modality_may_be_dropped_but_not_all():
    presence = np.ones((50, 20, 3), np.float32)
    dropped = drop_modalities(presence, 0.5, np.random.default_rng(0))
    assert (dropped.max(-1) == 1).all()
    assert 0.3 < 1 - dropped.mean() < 0.5
    np.testing.assert_array_equal(drop_modalities(presence, 0.0, np.random.default_rng(0)), presence)


def test_batches_hold_every_video_once(videos):
    found = batches(videos, 3, np.random.default_rng(0))
    assert sorted(np.concatenate(found)) == list(range(len(videos)))


def test_accuracy_counts_neutral_as_not_negative(videos):
    assert two_class_accuracy(videos.score, videos) == 1
    assert two_class_accuracy(np.full_like(videos.score, -1), videos) == pytest.approx(
        np.mean(videos.score[videos.told] < 0)
    )


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


def test_the_config_has_known_keys_only(tmp_path):
    assert read_settings(CONFIG).modalities == ("text", "audio", "visual")
    (tmp_path / "c.toml").write_text("epoch = 3\n")
    with pytest.raises(TypeError, match="epoch"):
        read_settings(tmp_path / "c.toml")


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
