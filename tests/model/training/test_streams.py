from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.command_line import CONFIGS
from model.coupled.config import FUSIONS
from model.coupled.network import Output
from model.data.streams import Batch, StreamSettings
from model.evaluation.calibration import calibrate, class_spread
from model.evaluation.reading import sentence_scores
from model.evaluation.streams import coverage, on_streams
from model.fusion.baselines import load_network
from model.training import streams as training
from model.training.streams import TrainSettings, build, read_settings, train

SETTINGS = TrainSettings(
    steps=120,
    batch=8,
    learning_rate=5e-3,
    checkpoint_every=20,
    network={"d_model": 16, "d_state": 4, "layers": 1, "dropout": 0.0},
    streams=StreamSettings(ticks=30),
)


def test_training_learns_what_the_features_say_and_evaluation_sees_it(pools, tmp_path):
    before, after = (
        measured(build(SETTINGS, pools).eval(), pools),
        measured(train(SETTINGS, pools, tmp_path), pools),
    )
    for m in pools:
        assert after[m] > max(0.5, before[m])


def test_the_scales_learn_from_the_likelihood_and_the_scores_do_not():
    score = torch.tensor([0.5, -1.0], requires_grad=True)
    scale = torch.tensor([0.5, 2.0], requires_grad=True)
    training.surprise(score, scale, torch.tensor([1.0, 1.0])).sum().backward()
    assert score.grad is None
    assert scale.grad.tolist() == [0, 0], "a Laplace law is likeliest where its scale is the error"


class Fixed(torch.nn.Module):
    """Says what it was made with, whatever it is given."""

    def __init__(self, ticks, clip):
        super().__init__()
        self.output = Output(ticks, clip, torch.ones_like(ticks), torch.ones_like(clip))

    def forward(self, values, presence):
        return self.output


def test_ticks_count_by_their_weight_and_padding_not_at_all():
    """One stream is a tick and a half, the other is all padding; Huber's loss of an error e >= 1 is e - 1/2."""
    ticks, zeros = torch.tensor([[2.0, 3.0, 9.0], [9.0, 9.0, 9.0]]), np.zeros((2, 3), np.float32)
    weight = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]], np.float32)
    clip = np.zeros(2, np.float32)
    batch = Batch({}, np.ones((2, 3, 0), np.float32), zeros, zeros, weight, clip, clip, [[1], [0]])
    settings = replace(SETTINGS, clip_weight=0.5, scale_weight=0.0)
    loss = training.loss_of(Fixed(ticks, torch.tensor([2.0, 4.0])), batch, settings, torch.device("cpu"))
    assert loss.item() == pytest.approx((1.5 * 1.0 + 2.5 * 0.5) / 1.5 + 0.5 * (1.5 + 3.5) / 2)


def measured(network, pools):
    network.config.intervals = calibrate(network, pools, count=16)
    streams = on_streams(network, pools, seed=3, count=16)
    return {m: streams[m]["ccc"] for m in pools}


def test_calibrated_intervals_hold_nine_truths_in_ten(pools, tmp_path):
    network = train(SETTINGS, pools, tmp_path)
    network.config.intervals = calibrate(network, pools, seed=1, count=64)
    assert set(network.config.intervals) == {
        "text", "audio", "visual", "text+audio", "text+visual", "audio+visual", "text+audio+visual"
    }  # fmt: skip
    figures = coverage(network, pools, seed=2, count=64)
    assert 0.86 < figures["coverage"] < 0.94
    assert 0.84 < figures["clip_coverage"] < 0.96
    assert figures["widening"] > 1.05


def test_classes_are_told_as_wide_as_they_were_rated(pools, tmp_path):
    """Ratings four times as far out as the scores that tell them: by the nearest score nearly all would be neutral."""
    network, told = train(SETTINGS, pools, tmp_path), pools["text"]
    wide = replace(told, score=4 * told.score, source=np.full(len(told), "sst"))
    assert class_spread(network, told) == 1, "no sentence is rated in classes"
    spread = class_spread(network, wide)
    scores = sentence_scores(network, wide, 1)
    assert (spread * scores).std() == pytest.approx(wide.score.std(), rel=0.05)
    assert spread == pytest.approx(4 * class_spread(network, replace(wide, score=told.score)), rel=0.01)


def test_every_fusion_trains_by_the_same_script(pools, tmp_path):
    for fusion in FUSIONS:
        settings = replace(SETTINGS, steps=2, network=SETTINGS.network | {"fusion": fusion})
        network = train(settings, pools, tmp_path / fusion)
        network.save_pretrained(tmp_path / fusion)
        assert load_network(tmp_path / fusion).config.fusion == fusion


def test_a_run_can_go_on_from_a_checkpoint(pools, tmp_path):
    first = train(replace(SETTINGS, steps=3), pools, tmp_path / "first")
    first.save_pretrained(tmp_path / "start")
    further = replace(SETTINGS, steps=1, seed=2, learning_rate=1e-6, start=str(tmp_path / "start"))
    second, fresh = train(further, pools, tmp_path / "second"), build(replace(further, start=""), pools)
    for name, tensor in first.named_parameters():
        torch.testing.assert_close(second.get_parameter(name), tensor, rtol=0, atol=1e-4)
    assert any(not torch.allclose(fresh.get_parameter(n), t, atol=1e-2) for n, t in first.named_parameters())


class StoppedError(Exception):
    pass


def stop_at_first_save(settings, pools, folder, monkeypatch):
    """Train into the folder until the first checkpoint is there."""
    save = training.save

    def stop(*given):
        save(*given)
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(training, "save", stop)
        with pytest.raises(StoppedError):
            train(settings, pools, folder)


def test_a_stopped_run_ends_where_an_uninterrupted_one_does(pools, tmp_path, monkeypatch):
    settings = replace(SETTINGS, steps=20, checkpoint_every=10, network=SETTINGS.network | {"dropout": 0.2})
    whole = train(settings, pools, tmp_path / "a").state_dict()
    steps = [json.loads(line)["step"] for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(20))
    assert list((tmp_path / "a").glob("events.out.tfevents*")), "TensorBoard reads the log too"
    stop_at_first_save(settings, pools, tmp_path / "b", monkeypatch)
    assert torch.load(tmp_path / "b" / "last.pt", weights_only=True)["step"] == 10
    resumed = train(settings, pools, tmp_path / "b").state_dict()
    assert all(torch.equal(v, whole[k]) for k, v in resumed.items())
    steps = [json.loads(line)["step"] for line in (tmp_path / "b" / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(20))


def logged(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_steps_after_the_last_checkpoint_are_not_logged_twice(pools, tmp_path, monkeypatch):
    settings = replace(SETTINGS, steps=6, checkpoint_every=4)
    draw, drawn = training.seeded, []

    def stopped_at_the_sixth(*numbers):
        drawn.append(numbers)
        if len(drawn) == 6:
            raise StoppedError
        return draw(*numbers)

    monkeypatch.setattr(training, "seeded", stopped_at_the_sixth)
    with pytest.raises(StoppedError):
        train(settings, pools, tmp_path)
    assert [line["step"] for line in logged(tmp_path)] == [0, 1, 2, 3, 4]
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "los')  # cut short by whatever stopped it
    before = (tmp_path / "log.jsonl").read_text().splitlines()[:4]
    train(settings, pools, tmp_path)
    assert [line["step"] for line in logged(tmp_path)] == list(range(6))
    assert (tmp_path / "log.jsonl").read_text().splitlines()[:4] == before
    (tmp_path / "last.pt").unlink()
    train(settings, pools, tmp_path)
    assert [line["step"] for line in logged(tmp_path)] == list(range(6)), (
        "one that begins anew does so in its log"
    )


def test_a_run_is_not_resumed_under_another_launch(pools, tmp_path, monkeypatch):
    settings = replace(SETTINGS, steps=3, checkpoint_every=3)
    train(settings, pools, tmp_path)
    digest = training.digest_of
    for processes, precision in ((2, "no"), (1, "fp16")):
        monkeypatch.setattr(
            training, "digest_of", lambda s, p, *now, as_if=(processes, precision): digest(s, p, *as_if)
        )
        with pytest.raises(ValueError, match="launched with other processes or another precision"):
            train(settings, pools, tmp_path)
    monkeypatch.setattr(training, "digest_of", digest)
    train(settings, pools, tmp_path)


def test_steps_gathered_elsewhere_do_not_shrink_the_loss(pools, tmp_path, monkeypatch):
    settings = replace(SETTINGS, steps=2)
    train(settings, pools, tmp_path / "a")
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    train(settings, pools, tmp_path / "b")
    assert logged(tmp_path / "a") == logged(tmp_path / "b")


def test_the_scale_of_a_loss_in_half_precision_goes_on_where_it_was(pools, tmp_path, monkeypatch):
    settings = replace(SETTINGS, steps=8, checkpoint_every=5)
    launch, scales = training.launched, []

    def with_scaler():
        accelerator = launch()
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3)
        scales.append(accelerator.scaler)
        return accelerator

    monkeypatch.setattr(training, "launched", with_scaler)
    whole = train(settings, pools, tmp_path / "a").state_dict()
    stop_at_first_save(settings, pools, tmp_path / "b", monkeypatch)
    resumed = train(settings, pools, tmp_path / "b").state_dict()
    assert [scaler.get_scale() for scaler in scales] == [16.0, 8.0, 16.0]
    assert all(torch.equal(v, whole[k]) for k, v in resumed.items())


def test_a_checkpoint_of_another_run_is_refused(pools, tmp_path):
    settings = replace(SETTINGS, steps=3, checkpoint_every=3)
    train(settings, pools, tmp_path / "run").save_pretrained(tmp_path / "start")
    train(replace(settings, checkpoint_every=1), pools, tmp_path / "run")
    rated = pools | {"text": replace(pools["text"], score=-pools["text"].score)}
    read = pools | {"audio": replace(pools["audio"], rows=pools["audio"].rows + 1)}
    others = [
        (replace(settings, seed=2), pools),
        (replace(settings, steps=6), pools),
        (replace(settings, start=str(tmp_path / "start")), pools),
        (settings, rated),
        (settings, read),
    ]
    for other, data in others:
        with pytest.raises(ValueError, match="is of another run"):
            train(other, data, tmp_path / "run")


@pytest.mark.parametrize("name", ["streams", "independent", "compare"])
def test_every_config_of_streams_reads(name: str):
    assert read_settings(CONFIGS / f"{name}.toml").steps > 0


def test_a_setting_that_does_not_exist_is_refused(tmp_path):
    (tmp_path / "c.toml").write_text("stpes = 3\n")
    with pytest.raises(TypeError, match="stpes"):
        read_settings(tmp_path / "c.toml")
