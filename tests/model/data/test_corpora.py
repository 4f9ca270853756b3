from __future__ import annotations

import gzip

import numpy as np
import pytest

from extractors.training.rated import read_rows
from model.data import corpora, unseen
from model.provenance.seen import Seen
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


def test_nothing_that_trained_is_reported_on(data):
    records = read_rows([data / "text" / "rated.csv.gz"])
    seen = Seen.of([r["text"].upper() for r in records[:30]], [], np.zeros((0, 48, 48), np.uint8))
    pool = unseen.load_unseen(data, seen)["text"]
    assert list(pool.group) == [r["group"] for r in records[30:]]
    assert pool.features(0).shape[0] == 6
    assert set(pool.score) == {-1.5, 1.5}


def test_parts_that_are_missing_are_left_out(data):
    assert set(unseen.load_unseen(data, Seen.nothing())) == {"text"}


def test_the_split_of_groups_is_the_same_on_every_machine():
    assert [corpora.tenth(g) for g in ("g0", "g1", "g2", "a longer name")] == [9, 9, 7, 3]


def test_of_other_speakers_every_sixth_is_kept_from_training():
    known = {"rav01", "rav15", "emo12", "emo03"}
    assert corpora.development_speakers(known) == {"rav15", "emo12"}
    assert corpora.development_speakers(["cleo", "anna", "bert", "anna"]) == {"anna"}
    assert corpora.development_speakers(f"s{i:02}" for i in range(13)) == {"s00", "s06", "s12"}
    assert not corpora.development_speakers([])


def test_features_are_made_once_and_again_when_the_data_changes(data, monkeypatch):
    first = unseen.load_unseen(data, Seen.nothing())["text"]
    made = []
    embed = corpora._embed_sentences
    monkeypatch.setattr(corpora, "_embed_sentences", lambda records: made.append(records) or embed(records))
    again = unseen.load_unseen(data, Seen.nothing())["text"]
    assert not made
    np.testing.assert_array_equal(again.rows, first.rows)
    path = data / "text" / "rated.csv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"tweet,3,great,g99\n"))
    again = unseen.load_unseen(data, Seen.nothing())["text"]
    assert made
    assert len(again) == 41


def test_a_rating_that_was_changed_counts_though_its_features_are_kept(data, monkeypatch):
    unseen.load_unseen(data, Seen.nothing())
    monkeypatch.setattr(corpora, "_embed_sentences", None)
    path = data / "text" / "rated.csv.gz"
    changed = (
        gzip.decompress(path.read_bytes()).replace(b"sst5-train,1.5", b"movie,-3").replace(b'",g', b'",h')
    )
    path.write_bytes(gzip.compress(changed))
    pool = unseen.load_unseen(data, Seen.nothing())["text"]
    assert set(pool.score) == {-1.5, -3}
    assert set(pool.source) == {"sst5-train", "movie"}
    assert all(group.startswith("h") for group in pool.group)


def test_a_class_that_was_changed_counts_though_its_features_are_kept(data, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48)).astype(np.uint8)
    described = ([np.ones((1, 71), np.float32)] * 4, [np.ones(1, np.float32)] * 4)
    monkeypatch.setattr(corpora, "_describe_faces", lambda _: described)
    (data / "faces").mkdir()
    for names, scores in ((["sad", "happy"], [-1.5, 2]), (["happy", "neutral"], [2, 0])):
        np.savez(
            data / "faces" / "a.npz", image=images, label=np.array([0, 1, 0, 1]), label_names=np.array(names)
        )
        pool = unseen.load_unseen(data, Seen.nothing())["visual"]
        assert pool.score.tolist() == scores * 2
        assert pool.emotion.tolist() == names * 2


@pytest.mark.parametrize("part", ["text", "speech", "faces"])
def test_a_part_without_tables_is_left_out(tmp_path, part):
    (tmp_path / part).mkdir()
    assert unseen.load_unseen(tmp_path, Seen.nothing()) == {}


def test_a_part_that_was_all_seen_is_left_out(data, voices):
    images = np.zeros((2, 48, 48), np.uint8)
    (data / "faces").mkdir()
    np.savez(data / "faces" / "a.npz", image=images, label=np.array([0, 0]), label_names=np.array(["sad"]))
    said = [r["text"] for r in read_rows([data / "text" / "rated.csv.gz"])]
    assert unseen.load_unseen(data, Seen.of(said, ["rav01", "rav17"], images)) == {}


def test_training_tells_what_it_lacks(data):
    with pytest.raises(ValueError, match="utterances of modality text to train on and 0"):
        corpora.load_training(data)


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


@pytest.fixture
def voices(data, monkeypatch):
    """Two recordings by a speaker who trains and one by a speaker held out; heads that answer with a constant."""
    import soundfile

    from extractors.voice.encoder import EMOTIONS
    from tests.clips import RATE, speech
    from tests.extractors.voice.heads import plain_head

    def head(emotion):
        return plain_head(bias=np.where(np.array(EMOTIONS) == emotion, 9, 0))

    (data / "speech").mkdir()
    rows = ["file,corpus,speaker,emotion,intensity,said,score"]
    for i, speaker in enumerate(["rav01", "rav01", "rav17"]):
        soundfile.write(data / "speech" / f"{i}.flac", speech()[: 2 * RATE], RATE)
        rows.append(f"{i}.flac,ravdess,{speaker},happy,normal,x,2.0")
    (data / "speech" / "labels.csv").write_text("\n".join(rows))
    monkeypatch.setattr(corpora, "fold_heads", lambda _: {"rav01": head("sad")})
    monkeypatch.setattr(corpora, "fold_files", lambda _: {"rav01": data / "speech" / "labels.csv"})
    monkeypatch.setattr(corpora.voice_extractor, "load_head", lambda: head("happy"))
    return data


def test_a_voice_that_trained_the_encoder_is_read_by_a_head_that_did_not_hear_it(voices, monkeypatch):
    trains = corpora.voices(voices, lambda r: r["speaker"] == "rav01", heard=True)[0]
    held = corpora.voices(voices, lambda r: r["speaker"] == "rav17", heard=False)[0]
    assert trains.rows.shape[1] == held.rows.shape[1] == 140
    assert (trains.rows[:, -1] < 0).any()
    assert (held.rows[:, -1] > 0).any()
    assert not (trains.rows[:, -1] > 0).any()


@pytest.fixture
def by_bytes(voices, monkeypatch):
    """Each recording described by how many bytes it has: quick, and another one's features tell themselves."""

    def describe(folder, records, heads):
        there = [folder / r["file"] for r in records]
        rows = [
            np.full((int(p.is_file()), 3), p.stat().st_size if p.is_file() else 0, np.float32) for p in there
        ]
        return rows, [np.ones(len(r), np.float32) for r in rows]

    monkeypatch.setattr(corpora, "_describe_speech", describe)
    return voices


def test_other_sounds_under_the_same_names_have_other_features(by_bytes):
    first, _ = corpora.voices(by_bytes, lambda _: True, heard=False)
    (by_bytes / "speech" / "1.flac").write_bytes(b"other")
    again, _ = corpora.voices(by_bytes, lambda _: True, heard=False)
    assert again.rows[1].tolist() == [5, 5, 5]
    np.testing.assert_array_equal(again.rows[[0, 2]], first.rows[[0, 2]])


def test_recordings_that_cannot_be_read_are_left_out_and_named(by_bytes):
    (by_bytes / "speech" / "1.flac").unlink()
    for _ in range(2):  # the second time from what was kept
        pool, unreadable = corpora.voices(by_bytes, lambda _: True, heard=False)
        assert unreadable == ("1.flac",)
        assert pool.group.tolist() == ["rav01", "rav17"]


def test_a_rating_in_the_table_counts_before_that_of_the_emotion(by_bytes):
    labels = by_bytes / "speech" / "labels.csv"
    said = labels.read_text().splitlines()
    labels.write_text(
        "\n".join([said[0], said[1].replace("2.0", "0.5"), said[2].replace("2.0", ""), said[3]])
    )
    assert corpora.voices(by_bytes, lambda _: True, heard=False)[0].score.tolist() == [0.5, 2.0, 2.0]
    labels.write_text("\n".join([said[0], said[1].replace("2.0", "3.5")]))
    with pytest.raises(ValueError, match=r"'3\.5'.*expected -3 to 3"):
        corpora.voices(by_bytes, lambda _: True, heard=False)


def test_features_that_cannot_be_kept_are_used_all_the_same(data, monkeypatch):
    kept = unseen.load_unseen(data, Seen.nothing())["text"]
    file = next((data / "cache").iterdir())
    file.write_bytes(file.read_bytes()[:-100])
    np.testing.assert_array_equal(unseen.load_unseen(data, Seen.nothing())["text"].rows, kept.rows)
    (data / "file").touch()
    monkeypatch.setattr(corpora, "CACHE", data / "file" / "features")
    np.testing.assert_array_equal(unseen.load_unseen(data, Seen.nothing())["text"].rows, kept.rows)
