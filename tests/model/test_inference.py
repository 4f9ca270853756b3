from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model import inference
from model.coupled.config import CoupledMambaConfig
from model.fusion.baselines import build_network
from model.inference import load_default, load_independent, predict
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


@pytest.mark.parametrize("fusion", ["independent", "late"])
def test_what_is_compared_with_is_read_from_its_folder(
    fusion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "INDEPENDENT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no .*config.json"):
        load_independent()
    config = CoupledMambaConfig(tuple(WIDTHS), tuple(WIDTHS.values()), d_model=8, d_state=4, fusion=fusion)
    saved = build_network(config)
    saved.save_pretrained(tmp_path)
    prediction, dynamics = predict(load_independent(), *clip())
    assert prediction.clip == pytest.approx(predict(saved.eval(), *clip())[0].clip, abs=1e-6)
    assert set(prediction.alone) == set(WIDTHS)
    if fusion == "late":
        assert not dynamics.share  # chains that only meet in a mean have no coupled states to show
    else:
        assert np.allclose(dynamics.share["text"]["audio"], 0)


@pytest.mark.skipif(not inference.INDEPENDENT.exists(), reason="the independent network is not installed")
def test_the_packaged_independent_network_reads_what_the_coupled_one_reads() -> None:
    coupled, independent = load_default().config, load_independent().config
    assert independent.features == coupled.features
    assert independent.fusion in ("independent", "late")
    assert set(independent.intervals) == set(coupled.intervals)
