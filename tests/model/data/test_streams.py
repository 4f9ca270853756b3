from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.data.streams import ALL, STEP, Streams, StreamSettings, spread_words

SETTINGS = StreamSettings(ticks=60)


def test_the_same_seed_draws_the_same_streams(pools):
    one, other = (Streams(pools, SETTINGS, seed=5).batch(4) for _ in range(2))
    assert all((one.values[m] == other.values[m]).all() for m in ALL)
    assert (one.target == other.target).all()
    assert not (Streams(pools, SETTINGS, seed=6).batch(4).target == one.target).all()


def test_what_is_absent_holds_no_values(pools):
    batch = Streams(pools, replace(SETTINGS, face_lost=1.0), seed=0).batch(16)
    for i, m in enumerate(ALL):
        absent = batch.presence[..., i] == 0
        assert absent.any()
        assert (batch.values[m][absent] == 0).all()


@pytest.mark.parametrize("given", [("text",), ("audio", "visual"), ALL])
def test_only_the_given_modalities_are_observed(pools, given):
    batch = Streams(pools, SETTINGS, seed=1).batch(8, given)
    assert {m for i, m in enumerate(ALL) if batch.presence[..., i].any()} == set(given)


def test_agreeing_modalities_carry_about_the_target(pools):
    settings = replace(SETTINGS, disagree=0.0, closeness=0.0, face_lost=0.0, gap_seconds=(0.0, 0.0))
    batch = Streams(pools, settings, seed=2).batch(8, ALL)
    for i, m in enumerate(ALL):
        seen = (batch.presence[..., i] > 0) & (batch.weight > 0)
        assert np.abs(batch.values[m][seen][:, 0] - batch.target[seen]).mean() < 0.8


def test_some_streams_disagree_when_asked_to(pools):
    batch = Streams(pools, replace(SETTINGS, disagree=1.0, face_lost=0.0), seed=2).batch(
        16, ("text", "visual")
    )
    seen = (batch.presence[..., 0] > 0) & (batch.presence[..., 2] > 0)
    assert np.abs(batch.values["text"][seen][:, 0] - batch.values["visual"][seen][:, 0]).mean() > 1


def test_the_clip_is_the_weighted_mean_of_its_ticks(pools):
    batch = Streams(pools, SETTINGS, seed=3).batch(4)
    np.testing.assert_allclose(
        batch.clip, np.average(batch.target, axis=1, weights=batch.weight + 1e-12), rtol=1e-4
    )


def test_faces_follow_their_corpus_or_its_signs_evenly(pools):
    """Of a corpus in which one sign is rare."""
    pool = pools["visual"]
    kept = pool.score < 0
    kept[np.flatnonzero(pool.score > 0)[0]] = True
    scarce = {**pools, "visual": pool.select(kept)}
    share = (scarce["visual"].score > 0).mean()
    assert 0 < share < 0.2
    found = {}
    for natural in (0.0, 1.0):
        streams = Streams(scarce, replace(SETTINGS, natural_faces=natural), seed=8)
        drawn = [streams._draw("visual", np.arange(0)) for _ in range(600)]
        found[natural] = (scarce["visual"].score[drawn] > 0).mean()
    assert found[0.0] == pytest.approx(0.5, abs=0.08)
    assert found[1.0] == pytest.approx(share, abs=0.08)


def test_words_last_as_long_as_they_are_spoken():
    rows = np.ones((20, 3), np.float16)
    values, presence = spread_words(rows, 0.4, np.random.default_rng(0))
    assert len(values) * STEP == pytest.approx(8, abs=2)
    np.testing.assert_allclose(values[presence > 0], 1, rtol=1e-3)
    assert presence.max() <= 1


def test_the_truth_is_that_of_one_modality_where_they_conflict(pools):
    settings = replace(SETTINGS, disagree=1.0, face_lost=0.0, gap_seconds=(0.0, 0.0))
    batch = Streams(pools, settings, seed=4).batch(32, ("text", "visual"))
    apart = (batch.truth != batch.target) & (batch.weight > 0)
    assert apart.mean() > 0.3
    offered = np.unique(pools["text"].score)
    assert np.isin(batch.truth[apart], offered).all()


def test_a_voice_is_moved_for_a_stream_and_shaken_at_every_tick(pools):
    quiet = replace(SETTINGS, voice_shift=0.0, voice_noise=0.0, gap_seconds=(0.0, 0.0))
    plain, moved, shaken = (
        Streams(pools, replace(quiet, **changes), seed=6).batch(1, ("audio",)).values["audio"][0]
        for changes in ({}, {"voice_shift": 0.5}, {"voice_noise": 0.5})
    )
    ends = Streams(pools, quiet, seed=6).batch(1, ("audio",)).ends[0][0]
    shift = (moved - plain)[:ends]
    assert np.abs(shift - shift[0]).max() < 1e-5
    assert np.abs(shift).max() > 0.01
    assert (shaken - plain)[:ends].std(0).min() > 0.01
