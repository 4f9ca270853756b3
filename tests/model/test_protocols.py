from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy.stats import ttest_rel

from model import protocols
from model.data.mmsa import read
from model.protocols import (
    ABLATIONS,
    FUSIONS,
    MmsaBench,
    MosiBench,
    ablate,
    comparison,
    masked,
    robustness,
    table,
)
from model.training import mmsa as training
from model.training.mmsa import MmsaSettings
from model.training.mosi import MosiSettings
from tests.model import mosi_files
from tests.model.mmsa_files import corpus, write
from tests.model.mosi_files import made_videos

NETWORK = {"d_model": 8, "d_state": 2, "layers": 1, "dropout": 0.0}
SMALL = MmsaSettings("mosi", aligned=True, epochs=2, batch=16, network=NETWORK)
HEADER = 'corpus = "mosi"\naligned = true\nepochs = 1\n[network]\nd_model = 8\nd_state = 2\nlayers = 1\n'


@pytest.fixture
def pickled(tmp_path):
    return write(tmp_path / "mosi.pkl", corpus(True))


@pytest.fixture
def bench(pickled):
    return MmsaBench(SMALL, read(pickled, "mosi", True))


def test_masking_hides_the_share_asked_for_and_repeats():
    values = {"text": np.ones((20, 10, 5), np.float32)}
    for share in (0.0, 0.3, 1.0):
        hidden = masked(values, share, seed=1)["text"]
        assert hidden.mean() == pytest.approx(1 - share, abs=0.05)
        np.testing.assert_array_equal(hidden, masked(values, share, seed=1)["text"])
    assert (masked(values, 0.5, 1)["text"] != masked(values, 0.5, 2)["text"]).any()


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_impossible_shares_are_refused(share):
    with pytest.raises(ValueError, match="from 0 to 1"):
        masked({}, share, 0)


def test_a_share_in_per_cent_is_refused_before_any_training(tmp_path, capsys):
    with pytest.raises(SystemExit):
        protocols.main(["masking", str(tmp_path / "c.toml"), str(tmp_path), "--shares", "10"])
    assert "10 is given and a share from 0 to 1 is needed" in capsys.readouterr().err


def test_robustness_has_every_arm_share_and_seed(bench):
    arms = {"independent": FUSIONS["independent"], "coupled mean": FUSIONS["coupled mean"]}
    runs = robustness(bench, arms, 2, (0.0, 1.0))
    assert {arm: list(shares) for arm, shares in runs.items()} == {arm: ["0", "1"] for arm in arms}
    assert {len(f) for shares in runs.values() for f in shares.values()} == {2}
    hidden = runs["independent"]["1"][0]
    assert np.isnan(hidden["Corr"]) or abs(hidden["Corr"]) < 0.99
    assert "hidden 1" in table(runs)
    assert "coupled mean against independent: Non0_acc_2" in comparison(runs, bench)


def test_one_fixed_split_is_tested_over_seeds_alone_and_folds_with_their_overlap(bench):
    rng = np.random.default_rng(0)
    first, second = 0.7 + 0.02 * rng.standard_normal((2, 6))
    plain = ttest_rel(first, second)
    runs = {
        arm: {"0": [{"Non0_acc_2": x, "acc2": x} for x in level]}
        for arm, level in (("mean", first), ("independent", second))
    }
    said = comparison(runs, bench)
    assert f"p {plain.pvalue:.2f}, 6 pairs" in said
    assert "the noise of training alone" in said
    settings = MosiSettings(epochs=1, network=NETWORK)
    folded = comparison(runs, MosiBench(settings, made_videos().only(settings.modalities), count=4))
    wider = re.search(r"p ([\d.]+), 6 pairs$", folded)
    assert wider
    assert float(wider[1]) > plain.pvalue + 0.05


@pytest.mark.parametrize("which", list(ABLATIONS))
def test_every_ablation_runs_all_its_arms(bench, which):
    runs = ablate(bench, which, 1)
    assert list(runs) == list(ABLATIONS[which])
    assert all("MAE" in shares["0"][0] for shares in runs.values())


def test_delta_ablation_changes_the_rank():
    from model.coupled.config import CoupledMambaConfig

    ranks = [CoupledMambaConfig(d_model=128, **c).dt_rank for c in ABLATIONS["delta"].values()]
    assert ranks == [8, 16, 32]


def test_mosi_utterances_are_a_bench_too():
    settings = MosiSettings(epochs=1, network=NETWORK)
    bench = MosiBench(settings, made_videos().only(settings.modalities), count=4, held=2)
    runs = robustness(
        bench, {"independent": FUSIONS["independent"], "average": FUSIONS["average"]}, 1, (0.0, 0.5)
    )
    assert {len(f) for shares in runs.values() for f in shares.values()} == {2}
    assert "average against independent: acc2" in comparison(runs, bench)


def test_the_commands(tmp_path, pickled, capsys):
    config = tmp_path / "c.toml"
    config.write_text(HEADER)
    out = tmp_path / "out.json"
    options = [
        str(config),
        str(pickled),
        "--seeds",
        "1",
        "--runs",
        str(tmp_path / "runs.jsonl"),
        "--json",
        str(out),
    ]
    protocols.main(["masking", *options, "--shares", "0", "0.5", "--arms", "independent"])
    assert list(json.loads(out.read_text())["independent"]) == ["0", "0.5"]
    protocols.main(["ablate", "delta", *options])
    assert list(json.loads(out.read_text())) == ["d_model/16", "d_model/8", "d_model/4"]
    assert "d_model/16" in capsys.readouterr().out


def test_a_protocol_whose_training_diverged_says_so(tmp_path, pickled):
    config = tmp_path / "c.toml"
    config.write_text("learning_rate = 1e30\n" + HEADER.replace("epochs = 1", "epochs = 3"))
    with pytest.raises(SystemExit) as ended:
        protocols.main(
            [
                "ablate",
                "layers",
                str(config),
                str(pickled),
                "--runs",
                str(tmp_path / "r.jsonl"),
                "--seeds",
                "1",
            ]
        )
    assert str(ended.value.code).startswith("python -m model.protocols: seed 0 ended")


def test_the_command_on_a_folder_of_videos(tmp_path, capsys):
    mosi_files.write(tmp_path / "mosi")
    config = tmp_path / "c.toml"
    config.write_text("epochs = 1\n[network]\nd_model = 8\nd_state = 2\nlayers = 1\n")
    options = ["--seeds", "1", "--held", "1", "--runs", str(tmp_path / "runs.jsonl")]
    protocols.main(["ablate", "layers", str(config), str(tmp_path / "mosi"), *options])
    assert "acc2" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "said"), [("missing.pkl", "there is no"), ("c.toml", "asks for")])
def test_what_cannot_be_opened_is_said(tmp_path, capsys, name, said):
    config = tmp_path / "c.toml"
    config.write_text(HEADER)
    with pytest.raises(SystemExit):
        protocols.main(
            ["ablate", "layers", str(config), str(tmp_path / name), "--runs", str(tmp_path / "r.jsonl")]
        )
    assert said in capsys.readouterr().err


def test_a_protocol_that_was_stopped_goes_on_where_it_was(bench, tmp_path, monkeypatch):
    kept, arms = (
        tmp_path / "runs.jsonl",
        {"independent": {"fusion": "independent"}, "mean": {"coupling": "mean"}},
    )
    whole = robustness(bench, arms, 1, (0.0, 0.5))
    learn, turns = training.train, []

    def stopped_at(count):
        def counted(*given):
            turns.append(given)
            if len(turns) == count:
                raise KeyboardInterrupt
            return learn(*given)

        monkeypatch.setattr(training, "train", counted)

    stopped_at(2)
    with pytest.raises(KeyboardInterrupt):
        robustness(bench, arms, 1, (0.0, 0.5), kept)
    assert [json.loads(line)["arm"] for line in kept.read_text().splitlines()] == ["independent"]
    assert robustness(bench, arms, 1, (0.0, 0.5), kept) == whole
    assert len(turns) == 3, "one that ended, one that was stopped, and that one again"
    robustness(bench, arms, 1, (0.0,), kept)
    assert len(turns) == 5, "other shares are other runs"
    other = MmsaBench(SMALL, {**bench.parts, "test": bench.parts["valid"]})
    robustness(other, arms, 1, (0.0,), kept)
    assert len(turns) == 7, "and so are other data"
