from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.coupled.config import CoupledMambaConfig
from model.fusion.baselines import Network, build_network, load_network
from model.inference import loading
from model.inference.loading import load_checked, load_default, load_independent
from model.inference.prediction import predict
from model.provenance.sums import DamagedWeightsError
from tests.model.conftest import WIDTHS
from tests.model.inference.test_prediction import clip


def saved(folder: Path, fusion: str = "independent") -> Network:
    """A small network of the fusion, and what it is made of in the folder."""
    config = CoupledMambaConfig(tuple(WIDTHS), tuple(WIDTHS.values()), d_model=8, d_state=4, fusion=fusion)
    network = build_network(config)
    network.save_pretrained(folder)
    return network


@pytest.mark.parametrize("fusion", ["independent", "late"])
def test_what_is_compared_with_is_read_from_its_folder(
    fusion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "INDEPENDENT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no .*config.json"):
        load_independent()
    network = saved(tmp_path, fusion)
    prediction, dynamics = predict(load_independent(), *clip())
    assert prediction.clip == pytest.approx(predict(network.eval(), *clip())[0].clip, abs=1e-6)
    assert set(prediction.alone) == set(WIDTHS)
    if fusion == "late":
        assert not dynamics.share  # chains that only meet in a mean have no coupled states to show
    else:
        assert np.allclose(dynamics.share["text"]["audio"], 0)


@pytest.mark.parametrize("load", [load_network, load_checked])
def test_a_folder_may_be_named_by_text(load: Callable[[str], Network], tmp_path: Path) -> None:
    saved(tmp_path)
    assert load(str(tmp_path)).config.features == WIDTHS


@pytest.mark.parametrize("load", [load_network, load_checked])
@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_what_is_not_in_a_folder_is_told(
    load: Callable[[str], Network], missing: str, tmp_path: Path
) -> None:
    saved(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"there is no .*{missing}: put a network"):
        load(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"there is no .*config.json: put a network"):
        load(str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("load", [load_network, load_checked])
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", '{"d_model": 16', r"config.json is no network's config \(Expecting"),
        ("config.json", "[]", "config.json is no network's config"),
        ("config.json", '{"architectures": []}', "config.json is no network's config .*architectures"),
        ("config.json", '{"d_model": "16"}', "config.json is no network's config .*whole number, got '16'"),
        ("model.safetensors", "cut off", "model.safetensors cannot be read"),
    ],
)
def test_a_damaged_file_is_told(
    load: Callable[[str], Network], name: str, content: str, said: str, tmp_path: Path
) -> None:
    saved(tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DamagedWeightsError, match=said):
        load(str(tmp_path))


@pytest.mark.skipif(not loading.INDEPENDENT.exists(), reason="the independent network is not installed")
def test_the_packaged_independent_network_reads_what_the_coupled_one_reads() -> None:
    coupled, independent = load_default().config, load_independent().config
    assert independent.features == coupled.features
    assert independent.fusion in ("independent", "late")
    assert set(independent.intervals) == set(coupled.intervals)
