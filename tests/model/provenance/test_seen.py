from __future__ import annotations

import numpy as np
import pytest

from extractors.face.expression import HELD_TENTHS, fusion_split
from model.provenance.seen import Seen, face_marks

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 48, 48)).astype(np.uint8)


def test_it_knows_what_it_saw_and_nothing_else():
    seen = Seen.of(["A fine  film .", "bad"], ["rav01"], IMAGES[:10])
    assert seen.sentence("a fine film.")
    assert not seen.sentence("a finer film.")
    assert seen.speaker("rav01")
    assert not seen.speaker("rav02")
    assert seen.faces(IMAGES).tolist() == [True] * 10 + [False] * 10


def test_a_mirror_image_is_the_same_face():
    assert Seen.of([], [], IMAGES[:1]).faces(IMAGES[:1, :, ::-1]).all()


def test_a_face_has_the_mark_by_which_the_expression_network_splits_faces():
    """Both rooms count for themselves, since neither knows of the other: they must agree."""
    own, held = fusion_split(IMAGES)
    sides = face_marks(IMAGES) % 10 < HELD_TENTHS
    assert held.tolist() == np.flatnonzero(sides).tolist()
    assert len(own)
    assert len(held)


def test_saved_and_loaded_it_says_the_same(tmp_path):
    seen = Seen.of(["bad"], ["rav01"], IMAGES)
    seen.save(tmp_path)
    loaded = Seen.load(tmp_path)
    assert loaded.sentence("bad")
    assert loaded.speaker("rav01")
    assert loaded.faces(IMAGES).all()


def test_a_checkpoint_without_its_mark_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="train again"):
        Seen.load(tmp_path)


def test_nothing_was_seen():
    assert not Seen.nothing().sentence("bad")
    assert not Seen.nothing().faces(IMAGES).any()


def test_a_checkpoint_inside_another_learnt_what_that_one_did(tmp_path):
    Seen.of(["bad"], [], IMAGES[:1]).save(tmp_path)
    (tmp_path / "inner").mkdir()
    with pytest.warns(UserWarning, match="no seen.npz of its own"):
        assert Seen.load(tmp_path / "inner").sentence("bad")
    Seen.nothing().save(tmp_path / "inner")
    assert not Seen.load(tmp_path / "inner").sentence("bad")
