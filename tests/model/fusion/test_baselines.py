from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from model.coupled.config import FUSIONS, CoupledMambaConfig
from model.coupled.network import CoupledMamba
from model.fusion.baselines import (
    AttentionFusion,
    ConcatFusion,
    LateFusion,
    build_network,
    load_network,
    match_width,
    mean_of_heard,
    parameters,
)
from model.provenance.sums import DamagedWeightsError
from tests.model.conftest import WIDTHS, random_clip, small_config

every_fusion = pytest.mark.parametrize("fusion", FUSIONS)


def made(fusion: str, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network(small_config(fusion=fusion, **changes)).eval()


@every_fusion
def test_every_fusion_gives_scores_and_scales_of_ticks_and_clip(fusion):
    output = made(fusion)(*random_clip(11))
    assert output.ticks.shape == output.tick_scale.shape == (2, 11)
    assert output.clip.shape == output.clip_scale.shape == (2,)
    assert output.ticks.abs().max() <= 3
    assert output.tick_scale.min() > 0
    assert output.clip_scale.min() > 0


@every_fusion
def test_no_later_tick_changes_an_earlier_score(fusion):
    network, (values, presence) = made(fusion), random_clip(20)
    changed = {m: v.clone() for m, v in values.items()}
    for v in changed.values():
        v[:, 12:] += 1
    seen = presence.clone()
    seen[:, 12:] = 1 - seen[:, 12:]
    before, after = network(values, presence), network(changed, seen)
    for name in ("ticks", "tick_scale"):
        earlier, later = getattr(before, name), getattr(after, name)
        torch.testing.assert_close(earlier[:, :12], later[:, :12], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(earlier[:, 12:], later[:, 12:])


@every_fusion
def test_values_at_absent_ticks_do_not_count(fusion):
    network, (values, presence) = made(fusion), random_clip(15)
    changed = {
        m: v.masked_fill(presence[..., i, None] == 0, torch.nan) for i, (m, v) in enumerate(values.items())
    }
    before, after = network(values, presence), network(changed, presence)
    torch.testing.assert_close(before.ticks, after.ticks)
    torch.testing.assert_close(before.clip, after.clip)


@every_fusion
def test_nan_at_absent_ticks_reaches_no_gradient(fusion):
    network, (values, presence) = made(fusion).train(), random_clip(9)
    presence[:, 6:] = 0
    presence[:, 2:4, 1] = 0
    padded = {
        m: v.masked_fill(presence[..., i, None] == 0, torch.nan) for i, (m, v) in enumerate(values.items())
    }
    assert all(v.isnan().any() for v in padded.values())
    found = []
    for given in (values, padded):
        network.zero_grad()
        output = network(given, presence)
        (output.ticks.sum() + output.clip.sum() + output.clip_scale.sum()).backward()
        found.append({n: p.grad for n, p in network.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        assert torch.equal(gradient, found[1][name]), name


@every_fusion
def test_every_fusion_fits_its_standardisation_in_one_call(fusion):
    network, (values, presence) = made(fusion), random_clip(30)
    raw = {m: 300 + 20 * v for m, v in values.items()}
    with pytest.warns(UserWarning, match="most features of text, audio, visual lie"):
        made(fusion).train()(raw, presence)
    network.fit_standardisation(raw, presence)
    assert all(layer.fitted() for layer in network.embed.standardise.values())
    assert network(raw, presence).ticks.std() > 1e-4


@every_fusion
def test_wrong_training_data_are_told_by_every_fusion(fusion):
    network, (values, presence) = made(fusion), random_clip(9)
    with pytest.raises(ValueError, match="lacks 'audio'"):
        network.fit_standardisation({"text": values["text"]}, presence)


@every_fusion
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_presence_may_come_in_any_precision(fusion, dtype):
    network, (values, presence) = made(fusion), random_clip(9)
    exact, found = network(values, presence), network(values, presence.to(dtype))
    assert torch.equal(found.ticks, exact.ticks)
    assert torch.equal(found.clip, exact.clip)


@every_fusion
def test_every_present_modality_counts(fusion):
    network, (values, presence) = made(fusion), random_clip(15)
    clip = network(values, presence).clip
    for i in range(3):
        fewer = presence.clone()
        fewer[..., i] = 0
        assert (network(values, fewer).clip - clip).abs().min() > 1e-6


@every_fusion
def test_nothing_observed_at_all_is_still_finite(fusion):
    values, presence = random_clip(6)
    output = made(fusion)(values, torch.zeros_like(presence))
    assert all(torch.isfinite(v).all() for v in (output.ticks, output.clip, output.clip_scale))


@every_fusion
def test_padding_behind_a_clip_changes_nothing(fusion):
    network, (values, presence) = made(fusion), random_clip(10)
    padded = {m: torch.nn.functional.pad(v, (0, 0, 0, 7)) for m, v in values.items()}
    longer = network(padded, torch.nn.functional.pad(presence, (0, 0, 0, 7)))
    shorter = network(values, presence)
    torch.testing.assert_close(longer.ticks[:, :10], shorter.ticks, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(longer.clip, shorter.clip, rtol=1e-4, atol=1e-5)


@every_fusion
def test_gradients_reach_every_parameter(fusion):
    network, (values, presence) = made(fusion), random_clip(15)
    presence[:, 3] = 0
    output = network.train()(values, presence)
    loss = output.ticks.sum() + output.clip.sum() + output.tick_scale.sum() + output.clip_scale.sum()
    loss.backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    # A softmax over time is the same whatever is added to all of it: what reaches this bias is rounding.
    assert [name for name in without if not name.endswith("attend.bias")] == []


@every_fusion
def test_features_are_hidden_in_training_alone(fusion):
    network, (values, presence) = made(fusion, feature_dropout=0.5, readouts=(1, 0, 0)), random_clip(9)
    assert torch.equal(network(values, presence).clip, network(values, presence).clip)
    network.train()
    assert not torch.equal(network(values, presence).clip, network(values, presence).clip)


@pytest.mark.parametrize("fusion", ["late", "concat"])
def test_what_was_hidden_once_is_not_hidden_again(fusion):
    network = made(fusion, feature_dropout=0.5, dropout=0.25).train()
    chains = [m for m in network.modules() if isinstance(m, CoupledMamba)]
    assert chains
    for chain in chains:
        ((name, width),) = chain.config.features.items()
        x = torch.ones(8, 5, width)
        assert torch.equal(chain.embed.hide(name, x), x)


@every_fusion
def test_one_modality_is_enough(fusion):
    config = small_config(fusion=fusion, modalities=("text",), widths=(WIDTHS["text"],))
    values, presence = random_clip(9)
    output = build_network(config).eval()({"text": values["text"]}, presence[..., :1])
    assert torch.isfinite(output.ticks).all()


@every_fusion
def test_saved_and_loaded_it_says_the_same(fusion, tmp_path):
    network, (values, presence) = made(fusion), random_clip(8)
    for m in WIDTHS:
        network.embed.standardise[m].fit(values[m].flatten(0, 1))
    network.save_pretrained(tmp_path)
    again = type(network).from_pretrained(tmp_path).eval()
    for loaded in (load_network(tmp_path), again):
        torch.testing.assert_close(
            network(values, presence).clip, loaded(values, presence).clip, rtol=0, atol=0
        )


def saved(fusion: str, folder: Path, **described: object) -> torch.nn.Module:
    """A network, and its folder with another description in its config.json."""
    network = made(fusion)
    network.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **described}))
    return network


@every_fusion
@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"layers": 3}, "Missing key"),
        ({"layers": 1}, "Unexpected key"),
        ({"d_model": 24}, "size mismatch for"),
    ],
)
def test_weights_that_a_config_does_not_describe_are_told(fusion, described, said, tmp_path):
    network = saved(fusion, tmp_path, **described)
    for load in (type(network).from_pretrained, load_network):
        with pytest.raises(
            DamagedWeightsError, match=f"another network's weights .*{said}.*: put there"
        ) as told:
            load(tmp_path)
        assert "\n" not in str(told.value)
        assert len(str(told.value)) < 500


@every_fusion
def test_weights_that_are_cut_off_are_told_in_a_sentence(fusion, tmp_path):
    network = saved(fusion, tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:-7])
    with pytest.raises(DamagedWeightsError, match=r"cannot be read \(.*: save the network anew"):
        type(network).from_pretrained(tmp_path)


@every_fusion
def test_a_folder_without_a_config_is_told(fusion, tmp_path):
    network = saved(fusion, tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no config.json in .*: name a folder"):
        type(network).from_pretrained(tmp_path)


@every_fusion
@pytest.mark.parametrize("target", [150_000, 400_000])
def test_widths_are_matched_by_parameters(fusion, target):
    config = match_width(small_config(fusion=fusion), target)
    assert abs(parameters(build_network(config)) - target) <= 0.05 * target


def test_a_count_that_no_width_reaches_is_refused():
    with pytest.raises(ValueError, match="comes no nearer to 3000"):
        match_width(small_config(fusion="attention", layers=3), 3000)


def test_late_fusion_of_one_heard_modality_is_that_modality_alone():
    network, (values, presence) = made("late"), random_clip(9)
    assert isinstance(network, LateFusion)
    presence[..., 1:] = 0
    alone = network.alone["text"]({"text": network.embed(values, presence > 0)["text"]}, presence[..., :1])
    output = network(values, presence)
    heard = presence[..., 0].cumsum(1) > 0
    torch.testing.assert_close(output.ticks[heard], alone.ticks[heard])
    torch.testing.assert_close(output.clip, alone.clip)


def test_late_fusion_widens_by_the_law_of_total_variance():
    heard = torch.tensor([True, True, False])
    mean, scale = mean_of_heard(torch.tensor([2.0, -2.0, 9.0]), torch.tensor([1.0, 1.0, 7.0]), heard)
    assert mean.item() == 0
    assert scale.item() == pytest.approx(5**0.5)


def test_independent_is_coupled_mamba_without_coupling():
    network = made("independent")
    assert isinstance(network, CoupledMamba)
    assert network.config.coupling == "none"
    assert torch.equal(network.layers[0].coupling(), torch.eye(3))


def test_attention_looks_across_modalities_at_earlier_ticks():
    network, (values, presence) = made("attention"), random_clip(12)
    changed = {**values, "audio": values["audio"].clone()}
    changed["audio"][:, 0] += 1
    presence = torch.ones_like(presence)
    mask = presence > 0
    before, _ = network.layers[0](network.embed(values, mask), mask)
    after, _ = network.layers[0](network.embed(changed, mask), mask)
    assert isinstance(network, AttentionFusion)
    assert (before - after)[:, 5:, 0].abs().amax((-1, -2)).min() > 0


def test_what_was_saved_is_not_read_as_another_fusion(tmp_path):
    saved("coupled", tmp_path)
    with pytest.raises(ValueError, match=r"LateFusion is no 'coupled' fusion: .* model.load_network"):
        LateFusion.from_pretrained(tmp_path)


def test_a_fusion_is_not_built_as_another():
    for kind, fusion in ((CoupledMamba, "late"), (LateFusion, "coupled"), (ConcatFusion, "late")):
        with pytest.raises(
            ValueError, match=f"{kind.__name__} is no '{fusion}' fusion: use model.build_network"
        ):
            kind(small_config(fusion=fusion))
    with pytest.raises(ValueError, match="unknown fusion 'early'"):
        CoupledMambaConfig(fusion="early")
