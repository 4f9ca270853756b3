from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from model import deletion, evaluate, mosi
from model.baselines import build_network
from model.config import CoupledMambaConfig
from model.corpora import Pool, pool_of
from model.intervals import name_of, subsets
from model.seen import Seen
from model.streams import ALL

VOICE, FACE = 140, 71
WIDTHS = {"text": 6, "audio": VOICE, "visual": FACE}
EMOTIONS = {"sad": -1.5, "happy": 2.0, "neutral": 0.0, "surprise": np.nan}


def made(modality: str, sources: tuple[str, ...], ticks: int, seed: int) -> Pool:
    """Ten utterances of each emotion and source, in features of the extractors' own widths."""
    rng = np.random.default_rng(seed)
    labels = [(emotion, source) for source in sources for emotion in EMOTIONS for _ in range(10)]
    rows = [rng.standard_normal((ticks, WIDTHS[modality])).astype(np.float32) for _ in labels]
    return pool_of(
        rows,
        [np.ones(ticks, np.float32) for _ in labels],
        [EMOTIONS[emotion] for emotion, _ in labels],
        [f"speaker{i % 2}" for i in range(len(labels))],
        [source for _, source in labels],
        [emotion for emotion, _ in labels],
    )


@pytest.fixture
def rated() -> dict[str, Pool]:
    text = made("text", ("movie", "sst5-dev"), 5, 0)
    return {
        "text": text.select(np.isfinite(text.score)),
        "audio": made("audio", ("emodb", "ravdess"), 8, 1),
        "visual": made("visual", ("fer2013",), 1, 2),
    }


def small(fusion: str = "coupled") -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"d_model": 8, "d_state": 2, "layers": 1, "dropout": 0.0}
    config = CoupledMambaConfig(ALL, tuple(WIDTHS.values()), fusion=fusion, **sizes)
    config.intervals = {name_of(given, ALL): [1.0, 1.0] for given in subsets(ALL)}
    return build_network(config).eval()


@pytest.fixture
def fewer_streams(monkeypatch):
    """A few streams for each figure of theirs, where the packaged network is read on 128."""
    for name in ("on_streams", "coverage"):
        whole = getattr(evaluate, name)
        monkeypatch.setattr(evaluate, name, lambda *given, whole=whole: whole(*given, count=3))


def run_main(tmp_path, monkeypatch, rated, fusion: str = "coupled") -> dict:
    """What `python -m model.evaluate` writes of a small network, the loading of the data aside."""
    small(fusion).save_pretrained(tmp_path / "net")
    Seen.nothing().save(tmp_path / "net")
    monkeypatch.setattr(evaluate, "load_unseen", lambda data, seen: rated)
    evaluate.main(
        [str(tmp_path), "--checkpoint", str(tmp_path / "net"), "--json", str(tmp_path / "out.json")]
    )
    found: dict = json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)
    return found


def test_the_command_writes_every_figure_by_its_name(tmp_path, monkeypatch, capsys, rated, fewer_streams):
    monkeypatch.setattr(mosi, "evaluate_folder", lambda folder: {"n": 752, "acc2": 0.8, "seeds": 10})
    (tmp_path / "mosi_utterances").mkdir()
    (tmp_path / "mosi_utterances" / "test.npz").touch()
    report = run_main(tmp_path, monkeypatch, rated)
    assert set(report) == {"text", "speech", "faces", "streams", "interval", "mosi_utterances"}
    assert set(report["text"]) == {"all", "movie", "sst5-dev", "sst"}
    for source in ("all", "movie", "sst5-dev"):
        assert set(report["text"][source]) >= {"n", "mae", "r", "acc2"}
    assert set(report["text"]["sst"]) == {"n", "acc2", "acc5"}
    assert set(report["speech"]) == {"all", "emodb", "ravdess"}
    for corpus in report["speech"].values():
        assert set(corpus) >= {"n", "mae", "r", "ccc", "balanced_acc2", "uar"}
    assert set(report["faces"]) >= {"n", "acc", "macro_f1", "ccc"}
    assert set(report["streams"]) == {"all", *ALL}
    for given in report["streams"].values():
        assert set(given) >= {"ccc", "mae", "acc2", "lag_s"}
    assert set(report["interval"]) >= {"coverage", "width"}
    assert report["mosi_utterances"] == {"n": 752, "acc2": 0.8, "seeds": 10}
    assert report["faces"]["n"] == 40
    assert report["speech"]["emodb"]["n"] == 30, "surprise has no rating"
    printed = capsys.readouterr().out
    assert all(part in printed for part in ("streams", "sst5-dev", "mosi_utterances"))


@pytest.mark.parametrize("fusion", ["late", "concat", "attention", "independent"])
def test_baselines_are_measured_by_the_same_command(tmp_path, monkeypatch, rated, fusion):
    assert run_main(tmp_path, monkeypatch, {"text": rated["text"]}, fusion)["text"]["all"]["n"] == 60


def test_the_split_of_a_baseline_is_refused_in_a_sentence(tmp_path, capsys):
    small("attention").save_pretrained(tmp_path)
    Seen.nothing().save(tmp_path)
    with pytest.raises(SystemExit):
        deletion.main([str(tmp_path), "--checkpoint", str(tmp_path)])
    assert "attention fusion, which has no states to split" in capsys.readouterr().err


@pytest.mark.parametrize("command", [evaluate, deletion])
def test_a_checkpoint_that_is_not_there_is_told_in_a_sentence(tmp_path, capsys, command):
    for missing in ("seen.npz", "config.json"):
        with pytest.raises(SystemExit):
            command.main([str(tmp_path), "--checkpoint", str(tmp_path)])
        assert missing in capsys.readouterr().err
        Seen.nothing().save(tmp_path)


def test_ratings_of_zero_and_classes_without_a_sign_leave_only_their_figures_out(rated):
    pools = {
        "text": replace(rated["text"], score=np.zeros_like(rated["text"].score)),
        "audio": rated["audio"].select(~np.isfinite(rated["audio"].score)),
        "visual": rated["visual"].select(~np.isfinite(rated["visual"].score)),
    }
    report = evaluate.evaluate(small(), pools)
    assert set(report) == {"text", "faces"}
    assert set(report["text"]["sst"]) == {"n", "acc5"}
    assert report["text"]["all"]["n"] == 60
    assert "acc2" not in report["text"]["all"]
    assert set(report["faces"]) == {"n", "acc", "macro_f1"}


def test_a_source_of_neutral_ratings_beside_others_ends_nothing(rated):
    text = rated["text"]
    neutral = replace(text, score=np.where(text.source == "movie", 0, text.score).astype(np.float32))
    report = evaluate.evaluate(small(), {"text": neutral})
    assert "acc2" not in report["text"]["movie"]
    assert "acc2" in report["text"]["all"]


def test_a_network_without_calibration_has_no_intervals_to_measure(rated, fewer_streams):
    network = small()
    network.config.intervals = {}
    assert "interval" not in evaluate.evaluate(network, rated)
