from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.coupled.config import CoupledMambaConfig
from model.data.pool import Pool, pool_of
from model.data.streams import ALL
from model.evaluation import figures
from model.evaluation.reading import sentence_scores
from model.fusion.baselines import build_network
from model.measures import metrics
from model.measures.intervals import name_of, subsets

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


def small(fusion: str = "coupled", text: int = WIDTHS["text"]) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"d_model": 8, "d_state": 2, "layers": 1, "dropout": 0.0}
    config = CoupledMambaConfig(ALL, (text, VOICE, FACE), fusion=fusion, **sizes)
    config.intervals = {name_of(given, ALL): [1.0, 1.0] for given in subsets(ALL)}
    return build_network(config).eval()


@pytest.mark.parametrize("fusion", ["late", "concat", "attention", "independent"])
def test_baselines_are_measured_alike(rated, fusion):
    assert figures.evaluate(small(fusion), {"text": rated["text"]})["text"]["all"]["n"] == 60


def test_ratings_of_zero_and_classes_without_a_sign_leave_only_their_figures_out(rated):
    pools = {
        "text": replace(rated["text"], score=np.zeros_like(rated["text"].score)),
        "audio": rated["audio"].select(~np.isfinite(rated["audio"].score)),
        "visual": rated["visual"].select(~np.isfinite(rated["visual"].score)),
    }
    report = figures.evaluate(small(), pools)
    assert set(report) == {"text", "faces"}
    assert "acc2" not in report["text"]["sst"]
    assert 0 <= report["text"]["sst"]["acc5"] <= 1
    assert report["text"]["all"]["n"] == 60
    assert "acc2" not in report["text"]["all"]
    assert set(report["faces"]) == {"n", "acc", "macro_f1"}


def test_a_source_of_neutral_ratings_beside_others_ends_nothing(rated):
    text = rated["text"]
    neutral = replace(text, score=np.where(text.source == "movie", 0, text.score).astype(np.float32))
    report = figures.evaluate(small(), {"text": neutral})
    assert "acc2" not in report["text"]["movie"]
    assert "acc2" in report["text"]["all"]


def test_a_network_without_calibration_has_no_intervals_to_measure(rated, fewer_streams):
    network = small()
    network.config.intervals = {}
    assert "interval" not in figures.evaluate(network, rated)


def test_a_source_called_as_a_row_of_the_report_is_loses_nothing(rated):
    text = rated["text"]
    named = replace(text, source=np.where(text.source == "movie", "all", "sst"))
    report = figures.evaluate(small(), {"text": named})["text"]
    assert set(report) == {"all", "all (corpus)", "sst"}
    assert (report["all"]["n"], report["all (corpus)"]["n"], report["sst"]["n"]) == (60, 30, 30)
    assert set(report["sst"]) == set(report["all"]) | {"acc5", "acc5_nearest"}


def test_classes_are_told_by_the_spread_that_the_network_was_given(rated):
    text = replace(rated["text"], source=np.full(len(rated["text"]), "sst5"))
    narrow = small()
    plain = figures.evaluate(narrow, {"text": text})["text"]["sst"]
    assert plain["acc5"] == plain["acc5_nearest"]
    narrow.config.class_spread = 1e6  # every score is then of one of the outer classes, by its sign
    spread = figures.evaluate(narrow, {"text": text})["text"]["sst"]
    by_sign = 3 * np.sign(sentence_scores(narrow, text, 7))
    assert spread["acc5"] == metrics.five_class_accuracy(by_sign, text.score) != plain["acc5"]
    assert spread["acc5_nearest"] == plain["acc5"]
    assert spread["mae"] == plain["mae"], "the score itself is as it was"


def test_emotions_are_chosen_among_a_corpus_own_whichever_a_part_of_it_holds():
    voices = made("audio", ("emodb", "ravdess", "theatre", "radio"), 8, 1)
    shown = np.where(
        voices.source == "radio", "sad", np.where(voices.emotion == "surprise", "angry", voices.emotion)
    )
    voices = replace(voices, emotion=shown, score=np.nan_to_num(voices.score))
    one = voices.select((voices.emotion == "sad") | (voices.source == "theatre"))
    report = figures.on_voices(small(), one)
    assert report["ravdess"]["uar"] < 0.7, "random features do not tell one of eight"
    assert report["ravdess"]["n_uar"] == 10
    assert set(figures.emotions(one.select(one.source == "emodb"))) - {"sad"}
    assert report["theatre"]["n_uar"] == 40, "another corpus has the emotions that its labels name"
    assert set(figures.emotions(one.select(one.source == "theatre"))) <= {"sad", "happy", "neutral", "angry"}
    assert "uar" not in report["radio"], "the only emotion of an unknown corpus cannot be missed"
    assert report["all"]["n_uar"] == 60


def test_a_recording_of_no_known_emotion_counts_by_its_score_alone(rated):
    voices = rated["audio"].select(np.isfinite(rated["audio"].score))
    proud = replace(voices, emotion=np.where(np.arange(len(voices)) == 0, "proud", voices.emotion))
    report = figures.on_voices(small(), proud)
    assert report["all"]["n"] == len(voices)
    assert report["all"]["n_uar"] == len(voices) - 1


def test_faces_that_trained_have_figures_of_their_own_names(rated):
    faces = rated["visual"]
    report = figures.evaluate(small(), {"visual": faces.select(faces.score != 2)}, all_faces=faces)["faces"]
    assert (report["n"], report["n_all"]) == (30, 40)
    assert (report["n_scored"], report["n_scored_all"]) == (20, 30), "surprise has a class and no score"
    own = figures.on_faces(small(), faces)
    for name in ("acc", "macro_f1", "ccc", "mae"):
        assert report[f"{name}_all"] == own[name]
