from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.training import rated
from extractors.training.fit_adapter import Schedule, digest_of, loss_of, read, settle, start, train
from extractors.training.rated import Sentence, agreement, held_for_fusion, held_out, training_part
from extractors.training.sentence_batches import batches, tokenise
from extractors.words import adapter

SCHEDULE = Schedule(epochs=2, batch=4, rank=2, alpha=2, rate=5e-3)
SENTENCES = [
    Sentence(text, score, source, str(i))
    for i, (text, score, source) in enumerate(
        [
            ("a wonderful , moving film", 3.0, "sst5-train"),
            ("an awful mess", -3.0, "sst5-train"),
            ("it opens on friday", 0.0, "sst5-dev"),
            ("quite good", 1.5, "sst5-dev"),
            ("rather dull and unbelievably long", -1.5, "sst5-train"),
            ("I love this phone!", 2.4, "amazon"),
            ("It broke after a day.", -2.1, "amazon"),
            ("The minister resigned on Monday.", -0.4, "news"),
            ("so happy today :)", 2.2, "tweet"),
            ("worst morning ever", -2.3, "tweet"),
        ]
    )
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    run = train(SENTENCES, SCHEDULE, tmp_path_factory.mktemp("whole") / "last.pt")
    assert run.epoch == 2
    return run.averaged


def test_an_interrupted_run_ends_in_the_same_weights(
    trained: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "last.pt"
    assert train(SENTENCES, SCHEDULE, checkpoint, epochs=1).epoch == 1
    with pytest.raises(ValueError, match="is of another run"):
        train(SENTENCES[::-1], SCHEDULE, checkpoint)
    run = train(SENTENCES, SCHEDULE, checkpoint)
    assert run.epoch == 2
    assert run.averaged.keys() == trained.keys()
    for name, value in run.averaged.items():
        assert torch.equal(value, trained[name]), name


def test_every_part_of_a_run_is_in_its_name(tmp_path: Path) -> None:
    run = (SENTENCES, SCHEDULE, None)
    turned = [replace(SENTENCES[0], score=-3.0), *SENTENCES[1:]]
    others = [
        (turned, SCHEDULE, None),
        (SENTENCES, replace(SCHEDULE, epochs=3), None),
        (*run[:2], adapter.WEIGHTS),
    ]
    assert digest_of(*run) == digest_of(list(SENTENCES), replace(SCHEDULE), None)
    assert len({digest_of(*given) for given in (run, *others)}) == 4


def test_training_moves_the_adapter_and_the_readout(trained: dict[str, torch.Tensor]) -> None:
    moved = {name for name, value in trained.items() if value.abs().max() > 0}
    assert moved == set(trained)  # what starts at nought, the readout and each second matrix, is no longer


def test_what_is_written_reads_as_what_was_trained(tmp_path: Path) -> None:
    run = train(SENTENCES, SCHEDULE, tmp_path / "last.pt")
    settle(run)
    adapter.write(run.encoder, run.head, tmp_path / "weights", {"seed": 0})
    assert adapter.check(tmp_path / "weights")["trained"] == {"seed": 0}
    assert str(Path.home()) not in (tmp_path / "weights" / adapter.SHAPE).read_text()
    from extractors.words.embeddings import load_base

    encoder = adapter.attach(load_base(), tmp_path / "weights")
    head = adapter.load_head(tmp_path / "weights")
    words = SENTENCES[4].text.split()
    encoded = encoder.tokenizer([words], is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = encoder[0].auto_model(**encoded).last_hidden_state[0].numpy()
    owners = encoded.word_ids(0)
    rows = [hidden[[i for i, o in enumerate(owners) if o == w]].mean(axis=0) for w in range(len(words))]
    by_word = head.read(np.stack(rows)).mean(axis=0)
    # The run's frozen matrices are rounded.
    assert by_word == pytest.approx(read(run, SENTENCES)[4], abs=0.03)


def test_batches_hold_each_sentence_once_and_count_words_alike() -> None:
    run = start(SCHEDULE, len(SENTENCES))
    tokens = tokenise(run.encoder, SENTENCES)
    held = list(batches(SENTENCES, tokens, 4, np.arange(len(SENTENCES))))
    assert sorted(s for b in held for s in b.score.tolist()) == pytest.approx(
        sorted(s.score for s in SENTENCES)
    )
    for batch in held:
        assert batch.weight.sum(1) == pytest.approx(1, abs=1e-6)
        assert (batch.weight[batch.mask == 0] == 0).all()
    ids, shares = tokens[4]
    owners = run.encoder.tokenizer(SENTENCES[4].text.split(), is_split_into_words=True).word_ids()
    assert len(ids) == len(owners)
    assert owners.count(3) > 1  # "unbelievably" is several tokens and counts once
    assert sum(s for s, o in zip(shares, owners, strict=True) if o == 3) == pytest.approx(1 / 5)


def test_the_loss_falls_when_the_readout_is_right() -> None:
    run = start(SCHEDULE, len(SENTENCES))
    tokens = tokenise(run.encoder, SENTENCES)
    (batch,) = batches(SENTENCES, tokens, 16, np.arange(len(SENTENCES)))
    right = torch.zeros(len(SENTENCES), 6)
    right[:, 0] = batch.score
    graded = batch.label >= 0
    right[graded, 1 + batch.label[graded]] = 5.0
    assert graded.sum() == 5
    assert loss_of(right, batch, SCHEDULE) < 0.3 * loss_of(torch.zeros_like(right), batch, SCHEDULE)
    assert loss_of(-right, batch, SCHEDULE) > loss_of(torch.zeros_like(right), batch, SCHEDULE)


def test_the_tenths_are_apart() -> None:
    groups = [str(i) for i in range(2000)]
    sentences = [Sentence("so", 0.0, "news", g) for g in groups]
    kept = {s.group for s in training_part(sentences)}
    valid, fusion = {g for g in groups if held_out(g)}, {g for g in groups if held_for_fusion(g)}
    assert kept | valid | fusion == set(groups)
    assert len(kept) + len(valid) + len(fusion) == len(groups)
    assert len(valid) == pytest.approx(200, abs=50)
    assert len(fusion) == pytest.approx(200, abs=50)


def test_the_tenths_are_those_of_the_network() -> None:
    from model.data import corpora

    for i in range(200):
        assert held_out(str(i)) == (corpora.tenth(str(i)) == corpora.VALIDATION_TENTH)
        assert held_for_fusion(str(i)) == (corpora.tenth(str(i)) == corpora.FUSION_TENTH)


def test_figures_of_scores() -> None:
    scores = np.array([s.score for s in SENTENCES], np.float32)
    right = agreement(scores, SENTENCES)
    assert set(right) == {"sst5", "amazon", "news", "tweet"}
    assert right["sst5"] == {"sentences": 5, "sign": 1.0, "mae": 0.0, "five_nearest": 1.0}
    wrong = agreement(-scores, SENTENCES, np.eye(5, dtype=np.float32)[[2] * len(SENTENCES)])
    assert wrong["tweet"]["sign"] == 0.0
    assert wrong["sst5"]["mae"] == pytest.approx(2 * (3 + 3 + 0 + 1.5 + 1.5) / 5)
    assert wrong["sst5"]["five"] == pytest.approx(0.2)


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="rated_sentences"):
        rated.read_sentences(tmp_path)


def test_tables_are_read(tmp_path: Path) -> None:
    table = 'source,score,text,group\nnews,-0.5,"A flood, again.",7\nnews,1,   ,8\n'
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table.encode()))
    assert rated.read_sentences(tmp_path) == [Sentence("A flood, again.", -0.5, "news", "7")]
