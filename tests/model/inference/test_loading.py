from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.coupled.config import CoupledMambaConfig
from model.fusion.baselines import build_network
from model.inference import loading
from model.inference.loading import load_default, load_independent
from model.inference.prediction import predict
from tests.model.conftest import WIDTHS
from tests.model.inference.test_prediction import clip


@pytest.mark.parametrize("fusion", ["independent", "late"])
def test_what_is_compared_with_is_read_from_its_folder(
    fusion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "INDEPENDENT", tmp_path)
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


@pytest.mark.skipif(not loading.INDEPENDENT.exists(), reason="the independent network is not installed")
def test_the_packaged_independent_network_reads_what_the_coupled_one_reads() -> None:
    coupled, independent = load_default().config, load_independent().config
    assert independent.features == coupled.features
    assert independent.fusion in ("independent", "late")
    assert set(independent.intervals) == set(coupled.intervals)
