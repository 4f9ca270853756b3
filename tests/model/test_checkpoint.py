"""The packaged weights do what the model card says; the figures need the rated data beside the checkout."""

from __future__ import annotations

import csv
import gzip
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from extractors.training.rated import read_rows
from model import load_default, predict
from model.data import corpora, unseen
from model.evaluation import figures
from model.provenance.seen import Seen
from model.provenance.sums import SUMS, WEIGHTS

DATA = Path(os.environ.get("COUPLED_MAMBA_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the rated corpora are not at {DATA}")


def features_of(sentence: str) -> dict[str, np.ndarray]:
    from extractors.words.embeddings import embed_sentences

    return {"text": embed_sentences([sentence.split()])[0]}


def test_the_weights_are_small_and_safe():
    files = [p for p in WEIGHTS.rglob("*") if p.is_file() and p.name != ".gitattributes"]
    assert {p.suffix for p in files if p.name != SUMS} <= {".json", ".safetensors", ".md", ".npz"}
    sizes = [p.stat().st_size for p in files]
    assert max(sizes) < 8e6
    assert sum(sizes) < 13e6


@pytest.mark.parametrize(
    ("sentence", "sign"),
    [
        ("what a wonderful moving film and I loved every minute of it", 1),
        ("this was a terrible boring waste of my time", -1),
    ],
)
def test_plain_sentences_get_their_sign(sentence, sign):
    values = features_of(sentence)
    prediction, _ = predict(load_default(), values, {"text": np.ones(len(values["text"]), np.float32)})
    assert np.sign(prediction.clip) == sign
    assert abs(prediction.clip) > 0.5


def test_removing_a_modality_changes_the_answer():
    network, rng = load_default(), np.random.default_rng(0)
    values = {
        m: network.embed.standardise[m].mean.numpy() + 0.1 * rng.standard_normal((20, w)).astype(np.float32)
        for m, w in network.config.features.items()
    }
    presence = {m: np.ones(20, np.float32) for m in values}
    whole, _ = predict(network, values, presence)
    for left_out in values:
        rest = {m: v for m, v in values.items() if m != left_out}
        less, _ = predict(network, rest, {m: presence[m] for m in rest})
        assert abs(less.clip - whole.clip) > 0.01


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """A part of the rated data, small enough for every run, with some that trained the weights."""
    folder, rng = tmp_path_factory.mktemp("rated"), np.random.default_rng(0)
    rows = read_rows(sorted((DATA / "text").glob("*.csv.gz")))
    held = np.array([corpora.tenth(r["group"]) == corpora.VALIDATION_TENTH for r in rows])
    kept = [*rng.permutation(np.flatnonzero(held))[:500], *np.flatnonzero(~held)[:50]]
    write_rows(folder / "text.csv", [rows[i] for i in kept])
    (folder / "text").mkdir()
    (folder / "text" / "rated.csv.gz").write_bytes(gzip.compress((folder / "text.csv").read_bytes()))
    said = corpora.read_labels(DATA / "speech" / "labels.csv")
    said = [r | {"file": str(DATA / "speech" / r["file"])} for r in said]
    held = np.array([r["speaker"] in corpora.VALIDATION_SPEAKERS for r in said])
    (folder / "speech").mkdir()
    kept = [*rng.permutation(np.flatnonzero(held))[:80], *np.flatnonzero(~held)[::120]]
    write_rows(folder / "speech" / "labels.csv", [said[i] for i in kept])
    (folder / "faces").mkdir()
    for name, count in (("fer2013_train.npz", 100), ("fer2013_valid.npz", 600)):
        arrays = np.load(DATA / "faces" / name)
        some = {k: arrays[k][:count] for k in ("image", "label")}
        np.savez(folder / "faces" / name, label_names=arrays["label_names"], **some)
    return folder


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@needs_data
@pytest.mark.slow
def test_validation_figures_pass_the_bar(sample, monkeypatch):
    monkeypatch.setattr(corpora, "CACHE", sample / "cache")
    for name, count in (("on_streams", 32), ("coverage", 64)):
        monkeypatch.setattr(figures, name, partial(getattr(figures, name), count=count))
    pools = unseen.load_unseen(sample, Seen.load(WEIGHTS))
    assert {m: len(p) for m, p in pools.items()}["visual"] <= 600
    assert not np.isin([corpora.tenth(g) for g in pools["text"].group], range(1, 10)).any()
    assert set(pools["audio"].group) <= corpora.VALIDATION_SPEAKERS
    report = figures.evaluate(load_default(), pools)
    assert report["text"]["sst"]["acc2"] > 0.8
    assert report["speech"]["all"]["balanced_acc2"] > 0.55
    assert report["faces"]["acc"] > 0.63
    assert report["faces"]["ccc"] > 0.76
    alone = max(report["streams"][m]["ccc"] for m in ("text", "audio", "visual"))
    assert report["streams"]["all"]["ccc"] > alone
    assert 0.84 < report["interval"]["coverage"] < 0.96
    assert report["interval"]["widening"] > 1.05
