from __future__ import annotations

import numpy as np
import pytest

from model.inference.prediction import predict
from tests.model.conftest import WIDTHS


def clip(length: int = 12) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(3)
    values = {m: rng.standard_normal((length, w)).astype(np.float32) for m, w in WIDTHS.items()}
    return values, {m: np.ones(length, np.float32) for m in WIDTHS}


def test_every_observed_modality_is_also_read_alone(network):
    prediction, dynamics = predict(network, *clip())
    assert set(prediction.alone) == set(WIDTHS)
    assert all(a.ticks.shape == (12,) for a in prediction.alone.values())
    assert set(dynamics.state_norm) == set(dynamics.share) == set(WIDTHS)


def test_shares_of_a_target_sum_to_one(network):
    _, dynamics = predict(network, *clip())
    for target in WIDTHS:
        total = np.sum(list(dynamics.share[target].values()), axis=0)
        np.testing.assert_allclose(total, 1, atol=1e-4)


def test_alone_is_what_the_network_says_without_the_others(network):
    values, presence = clip()
    whole, _ = predict(network, values, presence)
    only, _ = predict(network, {"audio": values["audio"]}, {"audio": presence["audio"]})
    assert only.clip == pytest.approx(whole.alone["audio"].score, abs=1e-5)
    assert set(only.alone) == {"audio"}
    assert whole.clip != pytest.approx(only.clip, abs=1e-5)


def test_nothing_observed_is_an_error(network):
    values, presence = clip()
    with pytest.raises(ValueError, match="no modality was observed"):
        predict(network, values, {m: 0 * p for m, p in presence.items()})
    with pytest.raises(ValueError, match="names no modality"):
        predict(network, {}, {})
