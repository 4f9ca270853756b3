from __future__ import annotations

import pytest
import torch

from model.fusion.baselines import build_network
from model.inference.counterfactual import counterfactual
from tests.model.conftest import WIDTHS, random_clip, small_config
from tests.model.coupled.test_explain import clip, made


def test_an_unknown_modality_is_told_with_those_that_there_are():
    network, (values, presence) = made(), clip(5)
    with pytest.raises(ValueError, match="no modality is called smell: choose from text, audio, visual"):
        counterfactual(network, values, presence, ["smell"])


def test_a_network_in_training_mode_is_not_asked():
    network, (values, presence) = made(), clip(5)
    with pytest.raises(ValueError, match=r"in training mode, .*: call network.eval\(\) first"):
        counterfactual(network.train(), values, presence, "text")


def test_one_modality_is_removed_by_its_name_alone():
    network, (values, presence) = made(), clip(5)
    named, listed = (counterfactual(network, values, presence, w) for w in ("audio", ["audio"]))
    assert torch.equal(named.removed.clip, listed.removed.clip)
    assert torch.equal(named.neutral.clip, listed.neutral.clip)
    with pytest.raises(ValueError, match="no modality is called gaze: choose"):
        counterfactual(network, values, presence, "gaze")


def test_removing_nothing_changes_nothing():
    network, (values, presence) = made(), clip()
    answers = counterfactual(network, values, presence, [])
    for other in (answers.removed, answers.neutral):
        assert torch.equal(other.ticks, answers.whole.ticks)
        assert torch.equal(other.clip, answers.whole.clip)


def test_removed_is_masked_and_neutral_is_the_training_mean():
    network, (values, presence) = made(), clip()
    network.embed.standardise["audio"].fit(torch.randn(50, WIDTHS["audio"]).double() + 2)
    answers = counterfactual(network, values, presence, ["audio"])
    masked = presence.clone()
    masked[..., 1] = 0
    mean = {**values, "audio": torch.zeros_like(values["audio"]) + network.embed.standardise["audio"].mean}
    assert torch.equal(answers.removed.ticks, network(values, masked).ticks)
    assert torch.equal(answers.neutral.ticks, network(mean, presence).ticks)
    clips = (answers.whole.clip, answers.removed.clip, answers.neutral.clip)
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(clips, (clips[1], clips[2], clips[0]), strict=True))


def test_a_modality_is_removed_during_some_ticks_alone():
    network, (values, presence) = made(), clip()
    presence[:] = 1
    answers = counterfactual(network, values, presence, ["text"], during=slice(5, 8))
    for other in (answers.removed, answers.neutral):
        assert torch.equal(other.ticks[:, :5], answers.whole.ticks[:, :5])
        assert (other.ticks[:, 5:] - answers.whole.ticks[:, 5:]).abs().min() > 1e-7
    masked = presence.clone()
    masked[:, 5:8, 0] = 0
    assert torch.equal(answers.removed.clip, network(values, masked).clip)
    assert (values["text"][:, 5:8] != 0).all()


def test_removing_what_was_never_there_changes_nothing():
    network, (values, presence) = made(), clip()
    presence[..., 2] = 0
    answers = counterfactual(network, values, presence, ["visual"])
    assert torch.equal(answers.removed.ticks, answers.whole.ticks)
    assert torch.equal(answers.neutral.ticks, answers.whole.ticks)


@pytest.mark.parametrize("fusion", ["late", "concat", "attention"])
def test_baselines_have_counterfactuals_too(fusion):
    torch.manual_seed(0)
    network, (values, presence) = build_network(small_config(fusion=fusion)).eval(), random_clip(9)
    answers = counterfactual(network, values, presence, ["text"])
    assert not torch.equal(answers.removed.clip, answers.whole.clip)
