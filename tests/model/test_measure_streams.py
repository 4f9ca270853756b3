from __future__ import annotations

import json

import numpy as np
import pytest

from model.measure_streams import lags, lateness, on_streams
from model.streams import Batch


def stream(*utterances: tuple[float, int]) -> Batch:
    """One stream of (score, ticks) in a row, each utterance ending two ticks before the next begins."""
    target = np.concatenate([np.full(ticks, score, np.float32) for score, ticks in utterances])[None]
    ends = (np.cumsum([ticks for _, ticks in utterances]) - 3).tolist()
    nothing = np.zeros((1, target.shape[1]), np.float32)
    return Batch({}, nothing, target, target, nothing + 1, nothing[:, 0], nothing[:, 0], [ends])


def test_a_flip_after_several_utterances_of_one_sign_counts_once():
    batch = stream((1.0, 10), (2.0, 10), (0.5, 10), (-1.0, 10))
    late = np.where(np.arange(40) < 33, 1, -1)[None].astype(np.float32)
    assert lags(late, batch).tolist() == pytest.approx([0.6])


def test_every_flip_counts_and_one_never_followed_is_infinite():
    batch = stream((1.0, 10), (-1.0, 10), (-2.0, 10), (1.0, 10))
    ticks = np.ones((1, 40), np.float32)
    assert lags(ticks, batch).tolist() == [np.inf, 0]
    ticks[0, 12:20] = -1
    assert lags(ticks, batch).tolist() == pytest.approx([0.4, 0])


def test_neither_the_same_score_again_nor_neutral_is_a_flip():
    assert not len(lags(np.ones((1, 40), np.float32), stream((1.0, 10), (1.0, 10), (0.0, 10), (2.0, 10))))


def test_no_flip_is_none_and_never_is_not_infinite_in_json():
    assert lateness(np.zeros(0, np.float32)) == {"flips": 0, "lag_s": None, "flips_within_2s": None}
    assert lateness(np.array([np.inf, np.inf, 1.0], np.float32)) == {
        "flips": 3,
        "lag_s": None,
        "flips_within_2s": pytest.approx(1 / 3),
    }
    assert lateness(np.array([0.4, 3.0], np.float32))["flips_within_2s"] == 0.5


def test_streams_say_how_many_utterances_they_hold(network, pools):
    report = on_streams(network, pools, seed=1, count=6)
    for figures in report.values():
        assert figures["utterances"] <= figures["utterances_most"] <= 12
        assert figures["utterances"] >= 3
    json.dumps(report, allow_nan=False)
