from __future__ import annotations

import numpy as np
import pytest
import torch

from model.coupled.config import FUSIONS
from model.coupled.stretches import STRETCH
from model.fusion.baselines import build_network
from model.inference.answers import memory, paths, why
from model.inference.prediction import as_batch, interval, predict, scores
from tests.model.conftest import WIDTHS, small_config

EVERY_QUESTION = [predict, scores, memory, paths, lambda *given: why(*given, 3)]


def clip(length: int = 12) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(3)
    values = {m: rng.standard_normal((length, w)).astype(np.float32) for m, w in WIDTHS.items()}
    return values, {m: np.ones(length, np.float32) for m in WIDTHS}


def renamed(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with one name misspelt."""
    return {"Audio" if m == "audio" else m: line for m, line in given.items()}


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


def test_a_clips_interval_is_of_all_that_was_heard_in_it(network):
    """Words from the first tick on, the voice from the seventh: the ticks' q change there, the clip's is the last."""
    values, presence = clip()
    presence["audio"][:6] = 0
    given = {m: presence[m] for m in ("text", "audio")}
    values = {m: values[m] for m in given}
    network.config.intervals = {"text": [0.1, 0.2], "audio": [0.3, 0.4], "text+audio": [0.5, 0.6]}
    batch, observed = as_batch(network, values, given)
    with torch.no_grad():
        output = network(batch, observed)
    found = interval(network, output, 0, observed[0] > 0)
    half = 0.6 * output.clip_scale.item()
    assert found.clip == pytest.approx((output.clip.item() - half, output.clip.item() + half), abs=1e-5)
    q = np.where(presence["audio"] > 0, 0.5, 0.1)
    np.testing.assert_allclose(
        found.high - found.low, 2 * q * output.tick_scale[0].numpy(), rtol=0, atol=1e-5
    )


def test_nothing_observed_is_an_error(network):
    values, presence = clip()
    with pytest.raises(ValueError, match="no modality was observed"):
        predict(network, values, {m: 0 * p for m, p in presence.items()})
    with pytest.raises(ValueError, match="names no modality"):
        predict(network, {}, {})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda v, p: (v, {**p, "audio": p["audio"][:7]}),
            r"presence\['audio'\] of shape \(12,\), got \(7,\)",
        ),
        (
            lambda v, p: ({**v, "audio": v["audio"][:7]}, p),
            r"values\['audio'\] of shape \(12, 5\), got \(7, 5\)",
        ),
        (
            lambda v, p: ({**v, "text": v["text"][:, :2]}, p),
            r"values\['text'\] of shape \(12, 6\), got \(12, 2\)",
        ),
        (
            lambda v, p: (renamed(v), renamed(p)),
            "no modality is called Audio, as values has it: choose from text, audio, visual",
        ),
        (
            lambda v, p: ({m: v[m] for m in ("text", "visual")}, renamed(p)),
            "called Audio, as presence has it",
        ),
        (lambda v, p: (v, {m: p[m] for m in ("text", "visual")}), "presence lacks 'audio', which values has"),
        (
            lambda v, p: ({m: v[m] for m in ("text", "visual")}, p),
            "values lacks 'audio', which presence says",
        ),
    ],
)
def test_modalities_off_the_common_grid_or_by_other_names_are_told(network, spoil, said):
    with pytest.raises(ValueError, match=said):
        predict(network, *spoil(*clip()))


def test_a_modality_may_be_left_out_or_be_present_nowhere(network):
    values, presence = clip()
    fewer = {m: v for m, v in values.items() if m != "audio"}
    left_out = predict(network, fewer, {m: presence[m] for m in fewer})[0]
    nowhere = {**presence, "audio": np.zeros(12, np.float32)}
    assert (
        left_out.clip == predict(network, values, nowhere)[0].clip == predict(network, fewer, nowhere)[0].clip
    )


def test_a_clip_that_is_not_given_by_name_is_told(network):
    values, presence = clip()
    with pytest.raises(TypeError, match=r"expected presence by name, .* got ndarray"):
        predict(network, values, np.stack(list(presence.values()), -1))
    with pytest.raises(TypeError, match=r"expected values by name, .* got list"):
        predict(network, list(values.values()), presence)


@pytest.mark.parametrize("ask", EVERY_QUESTION)
def test_nan_that_counts_as_observed_is_told_with_its_place(network, ask):
    values, presence = clip()
    values["audio"][4:7, 2] = np.nan
    presence["audio"][4] = 0
    with pytest.raises(
        ValueError, match=r"\['audio'\] holds NaN at tick 5, where presence is 1: .* presence 0"
    ):
        ask(network, values, presence)
    presence["audio"][4:7] = 0
    ask(network, values, presence)


@pytest.mark.parametrize("ask", EVERY_QUESTION)
def test_a_network_in_training_mode_is_not_asked(network, ask):
    with pytest.raises(ValueError, match=r"in training mode, .*: call network.eval\(\) first"):
        ask(network.train(), *clip())


def test_values_in_float64_are_read_in_the_networks_own_precision(network):
    values, presence = clip()
    found, _ = predict(network, {m: v.astype(np.float64) for m, v in values.items()}, presence)
    assert found.clip == predict(network, values, presence)[0].clip


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("length", [12, STRETCH + 5])
def test_a_network_in_bfloat16_predicts(fusion, length):
    network = build_network(small_config(fusion=fusion)).eval()
    exact = scores(network, *clip(length))
    found, dynamics = predict(network.bfloat16(), *clip(length))
    assert found.ticks.dtype == np.float32
    assert found.clip == pytest.approx(exact[0], abs=0.08)
    np.testing.assert_allclose(found.ticks, exact[1], atol=0.08)
    assert all(np.isfinite(norm).all() for norm in dynamics.state_norm.values())
