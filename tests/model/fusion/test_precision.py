"""In bfloat16 every fusion says the same to what that precision carries, and is saved the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.coupled.config import FUSIONS
from model.fusion.baselines import build_network
from tests.model.conftest import random_clip, small_config

every_fusion = pytest.mark.parametrize("fusion", FUSIONS)
# bfloat16 carries 8 bits; a score within 3 passes through some ten roundings of 2^-9.
TOLERANCE = 0.04


def made(fusion: str) -> torch.nn.Module:
    torch.manual_seed(0)
    network = build_network(small_config(fusion=fusion)).eval()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            # Heads start near indifference, where any error would be small.
            if ".tell." in name:
                tensor.mul_(6)
    return network


@every_fusion
def test_autocast_agrees_with_float32(fusion):
    network, (values, presence) = made(fusion), random_clip(120)
    exact = network(values, presence)
    with torch.autocast("cpu", torch.bfloat16):
        near = network(values, presence)
    assert exact.ticks.std() > 0.25
    torch.testing.assert_close(near.ticks.float(), exact.ticks, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(near.clip.float(), exact.clip, rtol=0, atol=TOLERANCE)
    assert not torch.equal(near.ticks.float(), exact.ticks)


@every_fusion
def test_autocast_trains(fusion):
    network, (values, presence) = made(fusion), random_clip(20)
    network(values, presence).clip.sum().backward()
    exact = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        network(values, presence).clip.sum().backward()
    found = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    expected = torch.cat([g.flatten() for g in exact.values()])
    assert torch.cosine_similarity(found, expected, dim=0) > 0.995


@every_fusion
def test_weights_in_bfloat16_run_as_well(fusion):
    network, (values, presence) = made(fusion), random_clip(60)
    exact = network(values, presence)
    network.bfloat16()
    near = network({m: v.bfloat16() for m, v in values.items()}, presence.bfloat16())
    assert near.ticks.dtype == torch.bfloat16
    torch.testing.assert_close(near.ticks.float(), exact.ticks, rtol=0, atol=2 * TOLERANCE)


@every_fusion
def test_values_more_exact_than_the_weights_are_told(fusion):
    network, (values, presence) = made(fusion).bfloat16(), random_clip(5)
    with pytest.raises(TypeError, match=r"values\['text'\] are torch.float32 but .* torch.bfloat16"):
        network(values, presence)


@every_fusion
def test_what_is_saved_is_safetensors_json_and_a_card(fusion, tmp_path):
    made(fusion).save_pretrained(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    assert "license" not in (tmp_path / "README.md").read_text(), "that is for whoever trained it to say"


def test_pushing_to_a_hub_uploads_what_is_saved(monkeypatch):
    uploaded = {}

    class Api:
        def __init__(self, **_: object) -> None: ...

        def create_repo(self, repo_id: str, **_: object) -> object:
            return type("Url", (), {"repo_id": repo_id})()

        def upload_folder(self, folder_path: object, **_: object) -> str:
            uploaded.update({p.name: p.stat().st_size for p in Path(str(folder_path)).iterdir()})
            return "done"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    assert made("coupled").push_to_hub("someone/coupled") == "done"
    assert set(uploaded) == {"config.json", "model.safetensors", "README.md"}
    assert min(uploaded.values()) > 0
