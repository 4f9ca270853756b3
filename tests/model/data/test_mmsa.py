from __future__ import annotations

import os
import tracemalloc

import numpy as np
import pytest

from model.data.mmsa import CORPORA, read, read_split, segment_means
from model.data.unpickle import RefusedPickleError
from tests.model.mmsa_files import WIDTHS, corpus, split, write


@pytest.fixture
def unaligned() -> dict:
    return split(5, 0, aligned=False)


@pytest.fixture
def aligned() -> dict:
    return split(5, 0, aligned=True)


@pytest.mark.parametrize("name", ["mosi", "mosei", "sims", "simsv2"])
@pytest.mark.parametrize("is_aligned", [True, False])
def test_every_corpus_is_read(tmp_path, name, is_aligned):
    data = corpus(is_aligned, CORPORA[name])
    found = read(write(tmp_path / "f.pkl", data), name, is_aligned, ticks=6)
    length = 8 if is_aligned else 6
    for part, n in (("train", 24), ("valid", 8), ("test", 8)):
        assert found[part].presence.shape == (n, length, 3)
        assert found[part].widths == {"text": 6, "audio": 3, "visual": 4}
        assert {v.shape[:2] for v in found[part].values.values()} == {(n, length)}
        np.testing.assert_allclose(found[part].score, data[part]["regression_labels"], atol=1e-6)
    assert found["train"].repairs == ()


def test_aligned_ticks_are_the_files_rows(aligned):
    found = read_split(aligned, "train", CORPORA["mosi"], aligned=True)
    np.testing.assert_array_equal(found.presence[:, :, 0], aligned["text_bert"][:, 1])
    np.testing.assert_array_equal(found.presence[:, :, 2], aligned["text_bert"][:, 1])
    np.testing.assert_allclose(found.values["audio"], aligned["audio"], atol=1e-6)


def test_segments_are_means_of_the_utterances_own_length():
    rows = np.arange(12, dtype=np.float32).reshape(1, 12, 1)
    observed = np.arange(12)[None] < 6
    means, seen = segment_means(rows, observed, 3)
    np.testing.assert_allclose(means[0, :, 0], [0.5, 2.5, 4.5])
    assert seen.all()


def test_few_rows_serve_several_ticks():
    rows = np.array([[[1.0], [2.0], [9.0]]], np.float32)
    means, seen = segment_means(rows, np.array([[True, True, False]]), 4)
    np.testing.assert_allclose(means[0, :, 0], [1, 1, 2, 2])
    assert seen.all()


def test_uneven_segments_use_every_row_once():
    rows = np.arange(7, dtype=np.float32).reshape(1, 7, 1)
    means, _ = segment_means(rows, np.ones((1, 7), bool), 3)
    np.testing.assert_allclose(means[0, :, 0], [0.5, 2.5, 5.0])


def test_nothing_observed_stays_unobserved():
    means, seen = segment_means(np.ones((2, 5, 3), np.float32), np.zeros((2, 5), bool), 4)
    assert not seen.any()
    assert not means.any()


def test_a_gap_is_left_out_of_the_mean():
    rows = np.array([[[2.0], [100.0], [4.0], [100.0]]], np.float32)
    means, seen = segment_means(rows, np.array([[True, False, True, False]]), 3)
    np.testing.assert_allclose(means[0, :, 0], [2, 0, 4])
    np.testing.assert_array_equal(seen[0], [True, False, True])


def test_ticks_below_one_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        segment_means(np.ones((1, 2, 1), np.float32), np.ones((1, 2), bool), 0)


def test_without_text_bert_the_padding_tells_the_length(aligned):
    expected = aligned.pop("text_bert")[:, 1]
    found = read_split(aligned, "train", CORPORA["mosi"], aligned=True)
    np.testing.assert_array_equal(found.presence[:, :, 0], expected)


@pytest.mark.parametrize("key", ["text", "audio", "vision", "regression_labels", "audio_lengths"])
def test_missing_keys_are_named(unaligned, key):
    del unaligned[key]
    with pytest.raises(ValueError, match=f"train lacks {key}"):
        read_split(unaligned, "train", CORPORA["mosi"], aligned=False)


def test_token_ids_alone_are_told_from_features(unaligned):
    del unaligned["text"]
    with pytest.raises(ValueError, match="need a BERT"):
        read_split(unaligned, "train", CORPORA["mosi"], aligned=False)


def test_an_aligned_file_taken_for_another_is_told(aligned):
    with pytest.raises(ValueError, match="of an aligned file, set aligned = true in the config"):
        read_split(aligned, "train", CORPORA["mosi"], aligned=False)


def test_what_is_not_read_may_be_missing(unaligned):
    for key in ("id", "raw_text", "classification_labels", "annotations"):
        del unaligned[key]
    assert len(read_split(unaligned, "train", CORPORA["mosi"], aligned=False)) == 5


def test_minus_infinity_in_audio_becomes_zero(unaligned):
    unaligned["audio"][1, 2, 1] = -np.inf
    clean = {**unaligned, "audio": np.where(np.isneginf(unaligned["audio"]), 0, unaligned["audio"])}
    found, expected = (read_split(d, "test", CORPORA["mosi"], aligned=False) for d in (unaligned, clean))
    np.testing.assert_allclose(found.values["audio"], expected.values["audio"])
    assert "1 minus infinities in audio" in found.repairs[0]


@pytest.mark.parametrize("key", ["text", "audio", "vision"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_other_broken_numbers_are_an_error_or_unobserved(aligned, key, bad):
    aligned[key] = aligned[key].astype(np.float64)
    aligned[key][3, 1, 0] = bad
    with pytest.raises(ValueError, match=f"1 rows of {key}.*utterance 3, row 1.*repair = true in the config"):
        read_split(aligned, "valid", CORPORA["mosi"], aligned=True)
    found = read_split(aligned, "valid", CORPORA["mosi"], aligned=True, repair=True)
    m = ["text", "audio", "vision"].index(key)
    assert found.presence[3, 1, m] == 0
    assert found.presence[3, 0, m] == 1
    assert all(np.isfinite(v).all() for v in found.values.values())
    assert key in found.repairs[0]


def test_broken_numbers_in_the_padding_do_not_matter(unaligned):
    unaligned["vision"][np.arange(15) >= np.array(unaligned["vision_lengths"])[:, None]] = np.nan
    found = read_split(unaligned, "train", CORPORA["mosi"], aligned=False)
    assert np.isfinite(found.values["visual"]).all()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("audio", np.zeros((4, 20, 3)), r"expected numbers \[n = 5"),
        ("audio", np.zeros((5, 20)), "audio has shape"),
        ("vision", np.full((5, 15, 4), "x"), "vision has shape"),
        ("audio_lengths", [1, 2, 3], "audio_lengths has shape"),
        ("audio_lengths", [1, 2, 3, 4, 21], "to 21"),
        ("vision_lengths", [-1, 2, 3, 4, 5], "from -1"),
        ("vision_lengths", [1.5, 2, 3, 4, 5], "rows are 15"),
        ("text_bert", np.zeros((5, 2, 8)), "text_bert has shape"),
        ("regression_labels", np.array([0, 1, 2, 3, 4.0]), "to 4"),
        ("regression_labels", np.array([0, 1, 2, 3, np.nan]), "all finite"),
        ("regression_labels", np.array([]), "at least 1"),
    ],
)
def test_wrong_lengths_and_labels_are_refused(unaligned, key, value, says):
    unaligned[key] = value
    with pytest.raises(ValueError, match=says):
        read_split(unaligned, "train", CORPORA["mosi"], aligned=False)


def shared(levels: int) -> list:
    """A list of two lists that are one, of two that are one ...: 2**levels zeros when written out."""
    found: list = [0.0, 0.0]
    for _ in range(levels - 1):
        found = [found, found]
    return found


@pytest.mark.parametrize(
    "key",
    ["text", "audio", "vision", "regression_labels", "text_bert", "audio_lengths", "vision_lengths"],
)
@pytest.mark.parametrize("form", ["list", "in a list", "in an array", "dict"])
def test_lists_within_lists_are_never_written_out(unaligned, key, form):
    nested = shared(20)
    objects = np.empty(5, object)
    objects[:] = [nested] * 5
    unaligned[key] = {
        "list": nested,
        "in a list": [nested] * 5,
        "in an array": objects,
        "dict": {"a": nested},
    }[form]
    tracemalloc.start()
    with pytest.raises(ValueError, match=key) as refused:
        read_split(unaligned, "train", CORPORA["mosi"], aligned=False)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20
    assert len(str(refused.value)) < 1000


def test_a_split_that_is_no_dict_is_told(tmp_path):
    with pytest.raises(ValueError, match="valid holds a list: expected a dict"):
        read(write(tmp_path / "f.pkl", corpus(True) | {"valid": shared(20)}), "mosi", True)


@pytest.mark.parametrize("key", ["regression_labels", "audio_lengths"])
def test_a_flat_list_of_numbers_is_as_good_as_an_array(unaligned, key):
    expected = read_split(unaligned, "train", CORPORA["mosi"], aligned=False)
    plain = np.asarray(unaligned[key]).tolist()
    for given in (plain, tuple(plain), np.array(plain, object), [np.float32(x) for x in plain]):
        found = read_split(unaligned | {key: given}, "train", CORPORA["mosi"], aligned=False)
        np.testing.assert_array_equal(found.score, expected.score)
        np.testing.assert_array_equal(found.presence, expected.presence)


def test_a_number_beyond_all_floats_is_refused(unaligned):
    unaligned["regression_labels"] = [10**400, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="regression_labels holds an integer"):
        read_split(unaligned, "train", CORPORA["mosi"], aligned=False)


def test_an_unaligned_file_is_not_taken_for_aligned(unaligned):
    with pytest.raises(ValueError, match="aligned=False"):
        read_split(unaligned, "train", CORPORA["mosi"], aligned=True)


def test_splits_have_one_width(tmp_path):
    data = corpus(True)
    data["test"]["audio"] = data["test"]["audio"][:, :, :2]
    with pytest.raises(ValueError, match="differ in width"):
        read(write(tmp_path / "f.pkl", data), "mosi", True)


@pytest.mark.parametrize("data", [{"train": {}, "test": {}}, [1, 2]])
def test_other_pickles_are_told_apart(tmp_path, data):
    with pytest.raises(ValueError, match="expected a dict of train, valid, test"):
        read(write(tmp_path / "f.pkl", data), "mosi", True)


def test_an_unknown_corpus_is_named(tmp_path):
    with pytest.raises(ValueError, match="unknown corpus 'iemocap'"):
        read(tmp_path / "f.pkl", "iemocap", True)


class Attack:
    def __reduce__(self):
        return os.system, ("touch owned",)


def test_an_attack_in_a_corpus_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = corpus(True)
    data["train"]["annotations"] = Attack()
    with pytest.raises(RefusedPickleError, match="system"):
        read(write(tmp_path / "f.pkl", data), "mosi", True)
    assert not (tmp_path / "owned").exists()


def test_the_made_files_have_the_documented_widths():
    assert {k: split(2, 0, True)[k].shape[2] for k in WIDTHS} == WIDTHS
