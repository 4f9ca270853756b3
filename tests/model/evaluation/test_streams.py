from __future__ import annotations

import json

import numpy as np
import pytest

from model.data.streams import Batch
from model.evaluation.streams import lags, lateness, on_streams


def stream(*utterances: tuple[float, int]) -> Batch:
    """One stream of (score, ticks) in a row, each utterance ending two ticks before the next begins."""
    target = np.concatenate([np.full(ticks, score, np.float32) for score, ticks in utterances])[None]
    ends = (np.cumsum([ticks for _, ticks in utterances]) - 3).tolist()
    nothing = np.zeros((1, target.shape[1]), np.float32)
    return Batch({}, nothing, target, target, nothing + 1, nothing[:, 0], nothing[:, 0], [ends])


def test_a_flip_after_several_utterances_of_one_sign_counts_once():
    batch = stream((1.0, 10), (2.0, 10), (0.5, 10), (-1.0, 10))
    late = np.where(np.arange(40) < 33, 1, -1)[None].astype(np.float32)
    held, first = lags(late, batch)
    assert first.tolist() == pytest.approx([0.6])
    assert held.tolist() == pytest.approx([1.0]), "the pause of two ticks before the utterance counts too"


def test_every_flip_counts_and_one_never_followed_is_infinite():
    batch = stream((1.0, 10), (-1.0, 10), (-2.0, 10), (1.0, 10))
    ticks = np.ones((1, 40), np.float32)
    assert [late.tolist() for late in lags(ticks, batch)] == [[np.inf, pytest.approx(0.4)], [np.inf, 0]]
    ticks[0, 12:20] = -1
    assert [late.tolist() for late in lags(ticks, batch)] == [
        pytest.approx([0.8, 0.4]),
        pytest.approx([0.4, 0]),
    ]


def test_a_sign_that_does_not_hold_has_not_flipped():
    batch = stream((1.0, 10), (-1.0, 20))
    ticks = np.where(np.arange(30) % 2, 1, -1)[None].astype(np.float32)
    held, first = lags(ticks, batch)
    assert first.tolist() == [0]
    assert held.tolist() == [np.inf]
    ticks[0, 15:20] = -1
    assert lags(ticks, batch)[0].tolist() == pytest.approx([1.2]), "from tick 14 on it holds, 6 after the end"
    ticks[0, :] = 1
    ticks[0, 25:] = -1
    assert lags(ticks, batch)[0].tolist() == [np.inf], "the utterance ends at tick 27, before a second of it"


def test_a_short_utterance_holds_its_sign_throughout():
    batch = stream((1.0, 10), (-1.0, 6))
    ticks = np.where(np.arange(16) < 10, 1, -1)[None].astype(np.float32)
    assert lags(ticks, batch)[0].tolist() == pytest.approx([0.4])
    ticks[0, 11] = 1
    assert lags(ticks, batch)[0].tolist() == [np.inf]


def test_neither_the_same_score_again_nor_neutral_is_a_flip():
    batch = stream((1.0, 10), (1.0, 10), (0.0, 10), (2.0, 10))
    assert [len(late) for late in lags(np.ones((1, 40), np.float32), batch)] == [0, 0]


def test_what_cannot_be_told_is_left_out_and_never_is_not_infinite_in_json():
    none, never = np.zeros(0, np.float32), np.array([np.inf, np.inf, 1.0], np.float32)
    assert lateness(none, none) == {"flips": 0}
    assert lateness(never, np.array([0.4, 0.6, 3.0], np.float32)) == {
        "flips": 3,
        "flips_within_2s": pytest.approx(1 / 3),
        "first_lag_s": pytest.approx(0.6),
        "first_within_2s": pytest.approx(2 / 3),
    }


def test_streams_say_how_many_utterances_they_hold(network, pools):
    report = on_streams(network, pools, seed=1, count=6)
    for figures in report.values():
        assert figures["utterances"] <= figures["utterances_most"] <= 12
        assert figures["utterances"] >= 3
    json.dumps(report, allow_nan=False)
