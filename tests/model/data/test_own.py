from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from extractors.face.expression import EXPRESSIONS
from extractors.words.embeddings import EMBEDDING
from model.data.own import own_scores
from model.data.pool import Pool
from model.data.streams import ALL, Streams, StreamSettings

PLAIN = {"text": EMBEDDING, "audio": 139, "visual": 64}
WIDTHS = {"text": EMBEDDING + 6, "audio": 140, "visual": 71}
SETTINGS = StreamSettings(ticks=60, face_jitter=0.0, face_lost=0.0, voice_shift=0.0)
HAPPY, SURPRISE = EXPRESSIONS.index("happy"), EXPRESSIONS.index("surprise")


def readouts(modality: str, count: int) -> np.ndarray:
    """Rows of an extractor that says 1.5 of every word and voice; of every face that it is happy, which is 2."""
    rows = np.zeros((count, WIDTHS[modality]), np.float32)
    rows[:, PLAIN[modality] if modality == "text" else -1] = 1.5
    if modality == "visual":
        rows[:, -len(EXPRESSIONS) :] = np.eye(len(EXPRESSIONS))[HAPPY]
    return rows


@pytest.fixture
def read(pools) -> dict[str, Pool]:
    """The same utterances with an extractor's columns, which say nothing of their ratings."""
    return {m: replace(p, rows=readouts(m, len(p.rows)).astype(np.float16)) for m, p in pools.items()}


@pytest.mark.parametrize(("modality", "score"), [("text", 1.5), ("audio", 1.5), ("visual", 2.0)])
def test_an_extractors_score_is_read_from_its_columns(modality, score):
    np.testing.assert_allclose(own_scores(modality, readouts(modality, 4)), score, rtol=1e-6)


def test_surprise_has_no_part_in_a_faces_score():
    rows = readouts("visual", 2)
    rows[:, -len(EXPRESSIONS) :] *= 0.25
    rows[:, -len(EXPRESSIONS) + SURPRISE] = 0.75
    np.testing.assert_allclose(own_scores("visual", rows), 2.0, rtol=1e-6)


def test_a_modality_without_an_extractor_is_refused():
    with pytest.raises(ValueError, match="'touch'"):
        own_scores("touch", np.zeros((1, 3)))


@pytest.mark.parametrize("modality", ALL)
def test_a_stream_of_one_modality_aims_at_its_extractors_score(read, modality):
    rated = Streams(read, SETTINGS, seed=3).batch(8, (modality,))
    own = Streams(read, replace(SETTINGS, own=(1.0, 1.0, 1.0)), seed=3).batch(8, (modality,))
    half = Streams(read, replace(SETTINGS, own=(0.5, 0.5, 0.5)), seed=3).batch(8, (modality,))
    told = own.weight > 0
    np.testing.assert_allclose(own.target[told], 2.0 if modality == "visual" else 1.5, rtol=1e-3)
    assert (own.target != rated.target).any()
    np.testing.assert_allclose(half.target, (own.target + rated.target) / 2, atol=1e-3)
    assert (own.truth == rated.truth).all(), "an interval has to hold what was rated"


def test_where_several_are_given_their_ratings_are_the_aim(read):
    for given in (("text", "visual"), ALL):
        rated = Streams(read, SETTINGS, seed=3).batch(4, given)
        own = Streams(read, replace(SETTINGS, own=(1.0, 1.0, 1.0)), seed=3).batch(4, given)
        assert (own.target == rated.target).all()


def test_a_face_never_seen_aims_at_its_rating(read):
    """Nothing is there that the extractor could have read."""
    settings = replace(SETTINGS, face_lost=1.0, utterances=(1, 1), silent_seconds=(0.4, 0.4))
    rated, own = (
        Streams(read, replace(settings, own=(0.0, 0.0, share)), seed=5).batch(32, ("visual",))
        for share in (0.0, 1.0)
    )
    unseen = ~own.presence[..., 2].any(1)
    assert unseen.any()
    assert (own.target[unseen] == rated.target[unseen]).all()
