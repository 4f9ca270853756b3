import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors import teach_expression
from extractors.face.expression import (
    EXPRESSIONS,
    WEIGHTS,
    ExpressionNet,
    fusion_split,
    load_expression,
    read_config,
)
from extractors.training import face_answers, face_figures
from extractors.training import fit_expression as training
from extractors.training.concordance import concordance

DATA = Path(os.environ.get("COUPLED_MAMBA_DATA", Path(__file__).parents[4] / "shared" / "data"))
FACES = DATA / "faces"


@pytest.fixture
def faces() -> torch.Tensor:
    return torch.rand(5, 1, 48, 48, generator=torch.Generator().manual_seed(3))


def test_shapes(faces: torch.Tensor) -> None:
    network = ExpressionNet().eval()
    assert network(faces).shape == (5, 7)
    assert network.embed(faces).shape == (5, 64)
    assert network(faces[:0]).shape == (0, 7)
    torch.testing.assert_close(network.logits(network.embed(faces)), network(faces))


@pytest.mark.parametrize("shape", [(5, 48, 48), (5, 3, 48, 48), (5, 1, 64, 64)])
def test_other_shapes_are_refused_with_the_shape_seen(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"got \(5, "):
        ExpressionNet()(torch.zeros(shape))


def test_a_face_is_read_alone_and_the_same_each_time(faces: torch.Tensor) -> None:
    network = load_expression()
    together = network(faces)
    assert torch.equal(together, network(faces))
    for i in range(len(faces)):
        torch.testing.assert_close(network(faces[i : i + 1])[0], together[i], atol=1e-4, rtol=1e-4)


def test_exposure_and_contrast_do_not_decide(faces: torch.Tensor) -> None:
    network = load_expression()
    torch.testing.assert_close(network(0.2 + 0.5 * faces), network(faces), atol=1e-3, rtol=1e-3)


def test_a_flat_crop_gives_finite_numbers() -> None:
    assert torch.isfinite(load_expression()(torch.full((1, 1, 48, 48), 0.5))).all()


def test_the_packaged_weights_are_those_their_json_names() -> None:
    config = read_config()
    assert tuple(config["expressions"]) == EXPRESSIONS
    assert not load_expression().training
    assert WEIGHTS.suffix == ".safetensors"
    assert WEIGHTS.stat().st_size < 4_000_000


def test_other_weights_than_the_json_names_are_refused(tmp_path: Path) -> None:
    copy = tmp_path / WEIGHTS.name
    copy.write_bytes(WEIGHTS.read_bytes()[:-1] + b"\0")
    with pytest.raises(FileNotFoundError):
        load_expression(copy)
    shutil.copy(WEIGHTS.with_suffix(".json"), tmp_path)
    with pytest.raises(ValueError, match="sha256"):
        load_expression(copy)


def test_the_split_keeps_a_face_its_copies_and_its_mirror_image_on_one_side() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (500, 48, 48), np.uint8)
    ours, held = fusion_split(np.concatenate([faces, faces[::-1], faces[:, :, ::-1]]))
    assert 0.05 < len(held) / 1500 < 0.15
    assert sorted([*ours, *held]) == list(range(1500))
    first = set(held[held < 500])
    assert {999 - i for i in held[(held >= 500) & (held < 1000)]} == first
    assert {i - 1000 for i in held[held >= 1000]} == first


def test_a_widened_network_computes_what_the_narrow_one_did(faces: torch.Tensor) -> None:
    torch.manual_seed(4)
    narrow, wide = ExpressionNet((8, 16, 24)), ExpressionNet((12, 16, 40))
    for network in (narrow, wide):
        for block in network.blocks:
            torch.nn.init.normal_(block.second_norm.weight)
    training.widen(narrow, wide)
    torch.testing.assert_close(wide.eval()(faces), narrow.eval()(faces), atol=1e-5, rtol=1e-5)
    # The new channels can learn: they compute something, and what listens to them has a gradient.
    wide(faces).square().sum().backward()
    assert wide.narrow.weight.grad[:, 24:].abs().max() > 0
    assert wide.stem.weight[8:].abs().max() > 0


@pytest.mark.parametrize("widths", [(8, 16, 16), (8, 16), (4, 8, 16, 32)])
def test_widening_to_less_or_to_other_stages_is_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cannot widen"):
        training.widen(ExpressionNet((8, 16, 24)), ExpressionNet(widths))


def test_targets_are_shares_and_lean_towards_the_teacher() -> None:
    labels = np.array([0, 3], np.int8)
    schedule = training.Schedule(smoothing=0.14, taught=0.5)
    plain = training.targets(labels, schedule)
    np.testing.assert_allclose(plain[0], [0.88, *[0.02] * 6], atol=1e-6)
    said = np.full((2, 7), 1 / 7, np.float32)
    np.testing.assert_allclose(training.targets(labels, schedule, said), (plain + 1 / 7) / 2, atol=1e-6)


def test_teachers_speak_together_over_eight_looks() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 48, 48), np.uint8)
    one, other = (face_answers.taught([ExpressionNet((8, 8, 8)).eval()], images) for _ in range(2))
    assert np.abs(one - other).max() > 1e-4
    network = load_expression()
    said = face_answers.taught([network, network], images)
    assert said.shape == (3, 7)
    assert said.sum(1) == pytest.approx(np.ones(3), abs=1e-3)
    assert said == pytest.approx(face_answers.taught([network], images), abs=1e-3)
    assert np.abs(said - face_answers.probabilities(network, images)).max() > 1e-3  # two looks are not eight


def test_teachers_are_asked_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answer(teachers: object, images: np.ndarray) -> np.ndarray:
        asked.append(len(images))
        return np.full((len(images), 7), 1 / 7, np.float32)

    monkeypatch.setattr(face_answers, "taught", answer)
    images, path = np.zeros((2, 48, 48), np.uint8), tmp_path / "runs" / "said.npz"
    first = face_answers.taught_once([], images, path, "one run")
    again = face_answers.taught_once([], images, path, "one run")
    assert asked == [2]
    assert np.array_equal(first, again)
    face_answers.taught_once([], images[:1], path, "another run")  # of other faces or teachers
    assert asked == [2, 1]


def test_the_rate_climbs_stays_and_falls_to_almost_nothing() -> None:
    schedule = training.Schedule(epochs=10, rate=1.0, settling=0.4)
    assert [schedule.rate_at(part) for part in (0.5, 1, 3, 6)] == [0.5, 1, 1, 1]
    assert schedule.rate_at(8) == pytest.approx(0.5)
    assert 0 < schedule.rate_at(10) < 0.01
    assert schedule.hardness(5) > schedule.hardness(6)


def test_agreement_is_one_for_the_same_and_falls_with_a_shift() -> None:
    x = np.array([-2.0, 0.0, 1.0, 3.0])
    assert concordance(x, x) == pytest.approx(1)
    # var 3.25 both: 2 * 3.25 / (3.25 + 3.25 + 1)
    assert concordance(x, x + 1) == pytest.approx(6.5 / 7.5)


def test_a_network_less_sure_than_it_may_be_is_sharpened() -> None:
    images = np.random.default_rng(2).integers(0, 256, (200, 48, 48), np.uint8)
    torch.manual_seed(0)
    network = ExpressionNet((8, 8, 8)).eval()
    before = face_answers.probabilities(network, images)
    # Labels that are right nearly always, though the network, as drawn, hardly prefers one class.
    labels = before.argmax(1).astype(np.int8)
    assert face_answers.sharpen(network, images, labels) == pytest.approx(4, abs=0.05)
    after = face_answers.probabilities(network, images)
    assert (after.argmax(1) == before.argmax(1)).mean() > 0.95
    assert after.max(1).mean() > before.max(1).mean()
    loose = np.random.default_rng(3).integers(0, 7, 200).astype(np.int8)
    assert face_answers.sharpen(network, images, loose) < 0.6


def test_report_counts_by_class() -> None:
    labels = np.array([0, 0, 3, 6], np.int8)
    given = np.eye(7, dtype=np.float32)[[0, 3, 3, 6]]
    measured = face_figures.report(given, labels)
    assert measured["accuracy"] == 0.75
    assert measured["accuracy_by_class"]["angry"] == 0.5
    assert measured["accuracy_by_class"]["happy"] == 1.0


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (32, 48, 48), np.uint8), rng.integers(0, 7, 32).astype(np.int8)
    schedule = training.Schedule(epochs=2, batch=16, widths=(8, 8, 8))
    wanted = training.targets(labels, schedule)
    whole = training.start(schedule)
    for _ in range(2):
        training.train_epoch(whole, images, wanted, schedule)
    part = training.start(schedule)
    training.train_epoch(part, images, wanted, schedule)
    training.save(part, tmp_path / "last.pt")
    again = training.start(schedule)
    training.resume(again, tmp_path / "last.pt")
    training.train_epoch(again, images, wanted, schedule)
    assert again.epoch == whole.epoch == 2
    for name, value in whole.averaged.module.state_dict().items():
        torch.testing.assert_close(again.averaged.module.state_dict()[name], value, msg=name)


def test_a_checkpoint_of_other_faces_or_another_schedule_is_refused(tmp_path: Path) -> None:
    images, labels = np.zeros((4, 48, 48), np.uint8), np.zeros(4, np.int8)
    schedule = training.Schedule(widths=(8, 8, 8))
    given = (images, labels, schedule, ["one"])
    others = [
        (images + 1, *given[1:]),
        (images, labels + 1, *given[2:]),
        (*given[:2], replace(schedule, seed=1), ["one"]),
    ]
    made = [training.digest_of(*g) for g in (given, *others, (*given[:3], ["two"]))]
    assert len(set(made)) == 5
    run = training.start(schedule)
    run.made = made[0]
    training.save(run, tmp_path / "last.pt")
    training.resume(run, tmp_path / "last.pt")
    run.made = made[1]
    with pytest.raises(ValueError, match="is of another run"):
        training.resume(run, tmp_path / "last.pt")


def test_published_weights_load_as_what_was_averaged(tmp_path: Path) -> None:
    run = training.start(training.Schedule(widths=(8, 16, 24)))
    training.publish(run, tmp_path / "expression.safetensors", {}, {})
    loaded = load_expression(tmp_path / "expression.safetensors").state_dict()
    for name, value in run.averaged.module.state_dict().items():
        torch.testing.assert_close(loaded[name].float(), value.half().float(), msg=name)


def test_a_crowd_teaches_a_smaller_network_that_starts_from_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name in ("train", "valid"):
        images, labels = rng.integers(0, 256, (80, 48, 48), np.uint8), rng.integers(0, 7, 80).astype(np.int8)
        np.savez(tmp_path / f"fer2013_{name}.npz", image=images, label=labels)
    short = training.Schedule(epochs=1, batch=16, widths=(8, 8, 16))
    weights = tmp_path / "out" / "expression.safetensors"
    given = (tmp_path, tmp_path / "runs", weights, short, replace(short, widths=(4, 8, 8), seed=9), 2)
    measured = teach_expression.teach(*given)
    trained = read_config(weights)["trained"]
    teachers = [read_config(tmp_path / "runs" / f"teacher-{i}" / weights.name)["sha256"] for i in (0, 1)]
    assert trained["taught_by"] == teachers
    assert teachers[0] != teachers[1]
    assert trained["afresh"]
    assert load_expression(weights).widths == (4, 8, 8)
    # Asked again, it finds everything done and says the same.
    assert teach_expression.teach(*given) == measured


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_faces_train_on_a_gpu() -> None:
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (32, 48, 48), np.uint8), rng.integers(0, 7, 32).astype(np.int8)
    schedule = training.Schedule(epochs=1, batch=16, widths=(8, 8, 8), mixed=0.3)
    torch.set_default_device("cuda")
    try:
        run = training.start(schedule)
        said = face_answers.taught([run.network.eval()], images)
        assert np.isfinite(
            training.train_epoch(run, images, training.targets(labels, schedule, said), schedule)
        )
        assert run.network.stem.weight.is_cuda
        assert face_answers.probabilities(run.averaged.module, images).shape == (32, 7)
    finally:
        torch.set_default_device("cpu")


@pytest.mark.skipif(
    not (FACES / "fer2013_valid.npz").exists(), reason="needs FER2013 in COUPLED_MAMBA_DATA/faces"
)
def test_faces_never_trained_on_are_read() -> None:
    valid = np.load(FACES / "fer2013_valid.npz")
    given = face_answers.probabilities(load_expression(), valid["image"][::12])
    measured = face_figures.report(given, valid["label"][::12])
    assert measured["accuracy"] >= 0.55
    assert measured["valence_ccc"] >= 0.6
