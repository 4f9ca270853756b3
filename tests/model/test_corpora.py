from __future__ import annotations

import gzip

import numpy as np
import pytest

from model import corpora
from tests.model.conftest import signed_pool


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "CACHE", tmp_path / "cache")
    (tmp_path / "text").mkdir()
    rows = [
        f'sst5-train,{score},"a {word} , {word} film {i}",g{i % 20}'
        for i, (word, score) in enumerate([("dull", -1.5), ("lovely", 1.5)] * 20)
    ]
    text = "source,score,text,group\n" + "\n".join(rows) + "\n"
    (tmp_path / "text" / "rated.csv.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


def test_sentences_are_split_by_group_and_have_a_row_a_word(data):
    split = corpora.load_text(data)
    assert len(split.train) + len(split.valid) == 40
    assert len(split.valid) > 0
    assert not set(split.train.group) & set(split.valid.group)
    assert split.train.features(0).shape == (6, 384)


def test_features_are_made_once_and_again_when_the_data_changes(data, monkeypatch):
    first = corpora.load_text(data)
    made = []
    embed = corpora._embed_sentences
    monkeypatch.setattr(corpora, "_embed_sentences", lambda files: made.append(files) or embed(files))
    again = corpora.load_text(data)
    assert not made
    np.testing.assert_array_equal(again.train.rows, first.train.rows)
    path = data / "text" / "rated.csv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"tweet,3,great,g99\n"))
    again = corpora.load_text(data)
    assert made
    assert len(again.train) + len(again.valid) == 41


def test_select_keeps_each_utterance_whole():
    pool = signed_pool("text")
    keep = pool.score > 0
    picked = pool.select(keep)
    assert len(picked) == keep.sum()
    for i, source in enumerate(np.flatnonzero(keep)):
        np.testing.assert_array_equal(picked.features(i), pool.features(source))
        assert picked.group[i] == pool.group[source]


def test_selecting_nothing_gives_an_empty_pool():
    pool = signed_pool("audio")
    assert len(pool.select(np.zeros(len(pool), bool))) == 0
