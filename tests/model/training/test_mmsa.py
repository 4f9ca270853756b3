from __future__ import annotations

import numpy as np
import pytest

from model.command_line import CONFIGS
from model.data.mmsa import read
from model.training import mmsa as training
from model.training.mmsa import DivergedError, MmsaSettings, measure, predict, read_settings, train
from tests.model.mmsa_files import corpus, write

NETWORK = {"d_model": 8, "d_state": 2, "layers": 1, "dropout": 0.0}
SMALL = MmsaSettings("mosi", aligned=True, epochs=2, batch=16, network=NETWORK)


@pytest.fixture
def pickled(tmp_path):
    return write(tmp_path / "mosi.pkl", corpus(True))


def test_the_papers_settings_are_as_printed():
    batches = {"mosei": 1024, "sims": 128, "simsv2": 256, "mosi": 128}
    configs = list(CONFIGS.glob("mmsa_*.toml"))
    assert len(configs) == 5
    for path in configs:
        settings = read_settings(path)
        assert settings.batch == batches[settings.corpus]
        assert (settings.learning_rate, settings.weight_decay, settings.epochs) == (5e-4, 5e-4, 150)
        sizes = {k: settings.network[k] for k in ("d_model", "expand", "d_conv", "d_state", "layers")}
        assert list(sizes.values()) == [128, 2, 4, 64, 3]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("epochs", 0),
        ("batch", 0),
        ("batch", 2.5),
        ("ticks", -1),
        ("learning_rate", 0.0),
        ("learning_rate", "1"),
    ],
)
def test_numbers_that_no_run_can_have_are_refused_as_such(name, number):
    with pytest.raises(ValueError, match=f"{name} is {number!r}"):
        MmsaSettings("mosi", **{name: number})


def test_training_learns_and_repeats(pickled):
    parts = read(pickled, "mosi", True)
    settings = MmsaSettings("mosi", aligned=True, epochs=40, batch=8, learning_rate=1e-2, network=NETWORK)
    first, again = (predict(settings, train(settings, parts, 3), parts["test"]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.corrcoef(first, parts["test"].score)[0, 1] > 0.8


def test_the_epoch_of_the_lowest_validation_error_is_kept(pickled, monkeypatch):
    parts = read(pickled, "mosi", True)
    kept = predict(SMALL, train(SMALL, parts, 0), parts["valid"])
    errors = []

    def spied(settings, network, part):
        found = predict(settings, network, part)
        errors.append(np.abs(found - part.score).mean())
        return found

    monkeypatch.setattr(training, "predict", spied)
    train(SMALL, parts, 0)
    assert len(errors) == SMALL.epochs
    assert np.abs(kept - parts["valid"].score).mean() == pytest.approx(min(errors), abs=1e-6)


def test_a_corpus_of_another_scale_is_stretched(tmp_path):
    parts = read(write(tmp_path / "s.pkl", corpus(False, limit=1.0)), "sims", False, ticks=5)
    settings = MmsaSettings("sims", epochs=60, batch=8, learning_rate=1e-2, network=NETWORK)
    found = measure(settings, train(settings, parts, 0), parts["train"])
    assert found["Mult_acc_2"] > 0.8
    assert set(found) == {"Mult_acc_2", "Mult_acc_3", "Mult_acc_5", "F1_score", "MAE", "Corr"}


def test_an_epoch_without_a_finite_error_ends_the_training(pickled, monkeypatch):
    parts = read(pickled, "mosi", True)
    monkeypatch.setattr(training, "predict", lambda *given: np.full(8, np.nan, np.float32))
    with pytest.raises(DivergedError, match=r"seed 3 diverged by epoch 0.*MAE nan"):
        train(SMALL, parts, 3)
    monkeypatch.undo()
    monkeypatch.setattr(training, "one_epoch", lambda *given: float("inf"))
    with pytest.raises(DivergedError, match="its loss is inf"):
        train(SMALL, parts, 3)
