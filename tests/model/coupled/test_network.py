from __future__ import annotations

import pytest
import torch

from model.coupled.config import COUPLINGS
from model.coupled.features import Standardise
from model.coupled.network import CoupledMamba
from model.coupled.timescales import couplings
from tests.model.conftest import WIDTHS, random_clip, small_config


def test_scores_have_the_documented_shapes_and_range(network):
    values, presence = random_clip(11)
    output = network({m: 50 * v for m, v in values.items()}, presence)
    assert output.ticks.shape == (2, 11)
    assert output.clip.shape == (2,)
    assert output.ticks.abs().max() <= 3


def test_a_tick_depends_on_no_later_tick(network):
    values, presence = random_clip(20)
    changed = {m: v.clone() for m, v in values.items()}
    for v in changed.values():
        v[:, 12:] += 1
    before, after = network(values, presence).ticks, network(changed, presence).ticks
    torch.testing.assert_close(before[:, :12], after[:, :12], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before[:, 12:], after[:, 12:])


def test_what_was_not_observed_does_not_count(network):
    values, presence = random_clip(15)
    changed = {
        m: torch.where(presence[..., i, None] > 0, v, v + 9) for i, (m, v) in enumerate(values.items())
    }
    torch.testing.assert_close(network(values, presence).ticks, network(changed, presence).ticks)


def test_padding_behind_a_clip_changes_nothing(network):
    values, presence = random_clip(10)
    padded = {m: torch.nn.functional.pad(v, (0, 0, 0, 7)) for m, v in values.items()}
    longer = network(padded, torch.nn.functional.pad(presence, (0, 0, 0, 7)))
    shorter = network(values, presence)
    torch.testing.assert_close(longer.ticks[:, :10], shorter.ticks, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(longer.clip, shorter.clip, rtol=1e-4, atol=1e-5)


def test_permuting_the_modalities_permutes_nothing_but_their_order(network):
    values, presence = random_clip(9)
    order = [2, 0, 1]
    names, widths = list(WIDTHS), list(WIDTHS.values())
    config = small_config(modalities=[names[i] for i in order], widths=[widths[i] for i in order])
    other = CoupledMamba(config).eval()
    state = {}
    for name, tensor in network.state_dict().items():
        state[name] = permute_modalities(name, tensor, order)
    other.load_state_dict(state)
    torch.testing.assert_close(
        network(values, presence).ticks, other(values, presence[..., order]).ticks, rtol=1e-4, atol=1e-5
    )


def permute_modalities(name: str, tensor: torch.Tensor, order: list[int]) -> torch.Tensor:
    if name.endswith("coupling.logits"):
        return tensor[order][:, order]
    if ".conv." in name:
        return tensor.unflatten(0, (3, -1))[order].flatten(0, 1)
    shared = ("embed.standardise", "embed.project", "head.conflict", "head.prior_scale")
    return tensor if name.startswith(shared) else tensor[order]


def test_saved_and_loaded_it_says_the_same(network, tmp_path):
    network.save_pretrained(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} >= {"config.json", "model.safetensors"}
    assert not list(tmp_path.glob("*.bin"))
    loaded = CoupledMamba.from_pretrained(tmp_path).eval()
    values, presence = random_clip(8)
    torch.testing.assert_close(network(values, presence).clip, loaded(values, presence).clip, rtol=0, atol=0)


def test_a_folder_without_a_config_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no config.json in .*: name a folder"):
        CoupledMamba.from_pretrained(tmp_path)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("assign", [True, False])
def test_a_network_built_on_the_meta_device_says_the_same_with_its_weights(coupling, assign):
    torch.manual_seed(0)
    network, (values, presence) = CoupledMamba(small_config(coupling=coupling)).eval(), random_clip(8)
    with torch.device("meta"):
        empty = CoupledMamba(network.config).eval()
    if not assign:
        empty = empty.to_empty(device="cpu")
        for tensor in empty.buffers():
            tensor.fill_(torch.nan)  # what memory held before
    empty.load_state_dict(network.state_dict(), assign=assign)
    assert torch.equal(network(values, presence).ticks, empty(values, presence).ticks)
    assert torch.equal(couplings(network), couplings(empty))


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_a_coupling_has_the_precision_of_its_network(coupling):
    network = CoupledMamba(small_config(coupling=coupling))
    for dtype in (torch.bfloat16, torch.float64):
        assert couplings(network.to(dtype)).dtype == dtype
    assert [name for name in network.state_dict() if "coupling" in name] == (
        [f"layers.{i}.coupling.logits" for i in range(2)] if coupling == "learned" else []
    )


def test_what_was_saved_in_bfloat16_comes_back_in_float32_with_the_same_numbers(network, tmp_path):
    network.bfloat16().save_pretrained(tmp_path)
    loaded = CoupledMamba.from_pretrained(tmp_path)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    state = loaded.bfloat16().state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())


def test_features_are_hidden_for_a_whole_stream_but_never_the_readouts():
    torch.manual_seed(0)
    embed = CoupledMamba(small_config(feature_dropout=0.5, readouts=(2, 0, 0))).embed
    x = torch.ones(64, 7, WIDTHS["text"])
    hidden = embed.train().hide("text", x)
    assert (hidden[..., -2:] == 1).all()
    assert (hidden[:, :1] == hidden).all()
    assert 0.3 < (hidden[..., :-2] == 0).float().mean() < 0.7
    assert (embed.eval().hide("text", x) == x).all()


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_dropout_takes_single_numbers_but_never_the_readouts(share):
    torch.manual_seed(0)
    sizes = {"feature_dropout": share, "dropout": 0.25, "readouts": (2, 0, 0)}
    embed = CoupledMamba(small_config(**sizes)).embed
    x = torch.ones(64, 7, WIDTHS["text"])
    hidden = embed.train().hide("text", x)
    assert (hidden[..., -2:] == 1).all()
    assert (hidden[:, :1] != hidden).any()
    assert (embed.eval().hide("text", x) == x).all()


def test_a_network_can_read_the_readouts_alone(network):
    alone = CoupledMamba(small_config(feature_dropout=1.0, readouts=(2, 1, 1))).eval()
    values, presence = random_clip(6)
    changed = {m: v.clone() for m, v in values.items()}
    changed["text"][..., :-2] += 1
    assert torch.equal(alone(values, presence).ticks, alone(changed, presence).ticks)
    changed["text"][..., -2:] += 1
    assert not torch.equal(alone(values, presence).ticks, alone(changed, presence).ticks)


def test_standardise_cuts_what_is_far_out():
    layer = Standardise(2)
    layer.fit(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
    assert layer(torch.tensor([[1.0, 1.0], [1e6, -1e6]])).tolist() == [[0.0, 0.0], [5.0, -5.0]]


@pytest.mark.parametrize(("rows", "mean"), [([[3.0, -2.0]], [3.0, -2.0]), ([], [0.0, 0.0])])
def test_standardise_makes_no_nan_of_a_single_row_or_of_none(rows, mean):
    layer = Standardise(2)
    layer.fit(torch.tensor(rows).reshape(-1, 2))
    assert layer.mean.tolist() == mean
    assert layer.deviation.tolist() == [1.0, 1.0]
    assert layer(torch.tensor([mean, [m + 1 for m in mean]])).tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_standardisation_is_fitted_to_what_was_observed():
    network, (values, presence) = CoupledMamba(small_config()), random_clip(40)
    raw = {m: 300 + 20 * v for m, v in values.items()}
    padded = {
        m: v.masked_fill(presence[..., i, None] == 0, torch.nan) for i, (m, v) in enumerate(raw.items())
    }
    network.fit_standardisation(padded, presence)
    for i, (m, rows) in enumerate(raw.items()):
        by_hand = Standardise(WIDTHS[m])
        by_hand.fit(rows[presence[..., i] > 0])
        assert torch.equal(network.embed.standardise[m].mean, by_hand.mean)
        assert torch.equal(network.embed.standardise[m].deviation, by_hand.deviation)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float16, torch.bfloat16])
def test_standardisation_is_fitted_to_whole_numbers_and_half_precision(dtype):
    network, (values, presence) = CoupledMamba(small_config()).eval(), random_clip(400)
    given = {m: (100 + 20 * v).to(dtype) for m, v in values.items()}
    network.fit_standardisation(given, presence)
    for i, (m, rows) in enumerate(given.items()):
        seen = rows[presence[..., i] > 0].double()
        layer = network.embed.standardise[m]
        torch.testing.assert_close(layer.mean.double(), seen.mean(0), rtol=1e-5, atol=0)
        torch.testing.assert_close(layer.deviation.double(), seen.std(0), rtol=1e-5, atol=0)
    assert network(given, presence).clip.isfinite().all()


def test_a_modality_that_was_never_observed_keeps_its_standardisation():
    network, (values, presence) = CoupledMamba(small_config()), random_clip(9)
    presence[..., 1] = 0
    network.fit_standardisation(values, presence)
    fitted = {m: layer.fitted() for m, layer in network.embed.standardise.items()}
    assert fitted == {"text": True, "audio": False, "visual": True}


def test_nothing_is_fitted_to_nan_that_counts_as_observed():
    network, (values, presence) = CoupledMamba(small_config()), random_clip(9)
    presence[:, 3] = 1
    values["visual"][:, 3] = torch.nan
    with pytest.raises(ValueError, match=r"values\['visual'\] holds NaN or infinity"):
        network.fit_standardisation(values, presence)
    assert not any(layer.fitted() for layer in network.embed.standardise.values())


def test_training_warns_once_of_features_that_are_mostly_cut(recwarn):
    network, (values, presence) = CoupledMamba(small_config()), random_clip(9)
    network.train()
    for _ in range(2):
        network({**values, "audio": 300 + values["audio"]}, presence)
    assert ["most features of audio lie" in str(w.message) for w in recwarn] == [True]


def test_training_does_not_warn_of_features_that_were_fitted_to_or_are_absent(recwarn):
    network, (values, presence) = CoupledMamba(small_config()), random_clip(9)
    raw = {**values, "audio": 300 + values["audio"]}
    presence[..., 2] = 0
    network.fit_standardisation(raw, presence)
    network.train()(raw, presence)
    assert not list(recwarn)


def test_padding_before_a_clip_goes_through_the_convolution_alone():
    values, presence = random_clip(10)
    padded = {m: torch.nn.functional.pad(v, (0, 0, 7, 0)) for m, v in values.items()}
    later = torch.nn.functional.pad(presence, (0, 0, 7, 0))
    apart = {}
    for reach in (1, 4):
        torch.manual_seed(0)
        network = CoupledMamba(small_config(d_conv=reach)).eval()
        apart[reach] = (network(padded, later).ticks[:, 7:] - network(values, presence).ticks).abs().max()
    assert apart[1] < 1e-6
    assert apart[4] > 1e-4


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda v, p: (v, p[..., :2]), "M = 3"),
        (lambda v, p: ({m: x[:, :0] for m, x in v.items()}, p[:, :0]), "at least one tick"),
        (lambda v, p: ({"text": v["text"]}, p), "lacks 'audio'"),
        (lambda v, p: ({**v, "audio": v["audio"][..., :3]}, p), "'audio'"),
    ],
)
def test_wrong_input_is_told_with_the_value_seen(network, spoil, said):
    with pytest.raises(ValueError, match=said):
        network(*spoil(*random_clip(5)))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda v, p: (v, dict(zip(v, p.unbind(-1), strict=True))), r"presence as one tensor .*, got dict"),
        (lambda v, p: (v, p.numpy()), r"presence as one tensor .*, got ndarray"),
        (lambda v, p: (torch.cat(list(v.values()), -1), p), "values by name, .*, got Tensor"),
        (lambda v, p: ({**v, "audio": v["audio"].numpy()}, p), r"values\['audio'\] as a tensor, got ndarray"),
        (
            lambda v, p: ({**v, "audio": v["audio"].double()}, p),
            r"values\['audio'\] are torch.float64 but .* torch.float32",
        ),
    ],
)
def test_input_of_another_kind_is_told_with_the_kind_seen(network, spoil, said):
    with pytest.raises(TypeError, match=said):
        network(*spoil(*random_clip(5)))


def test_values_of_less_precision_than_the_weights_are_widened(network):
    values, presence = random_clip(5)
    half = {m: v.bfloat16() for m, v in values.items()}
    assert torch.equal(
        network(half, presence).ticks, network({m: v.float() for m, v in half.items()}, presence).ticks
    )
    assert network.double()(values, presence).ticks.dtype == torch.float64
