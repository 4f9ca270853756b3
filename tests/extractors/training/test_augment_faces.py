import torch

from extractors.training.augment_faces import augment, mix, views


def test_augmented_faces_stay_pictures_and_differ() -> None:
    torch.manual_seed(0)
    faces = torch.rand(16, 1, 48, 48)
    seen = augment(faces)
    assert seen.shape == faces.shape
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert ((seen - faces).abs().mean((1, 2, 3)) > 0.01).all()


def test_milder_augmentation_changes_a_face_less_and_none_only_mirrors_it() -> None:
    picture = load_picture()
    change = []
    for hardness in (1.0, 0.5, 0.0):
        torch.manual_seed(0)
        seen = augment(picture, hardness)
        change.append(float(torch.minimum(apart(seen, picture), apart(seen, picture.flip(3))).mean()))
    assert change[0] > 1.2 * change[1]
    assert change[2] < 1e-5


def load_picture() -> torch.Tensor:
    """Sixty-four times the same smooth picture, which is not its own mirror image."""
    place = torch.linspace(0, 1, 48)
    return (0.2 + 0.6 * place[:, None] * (3 * place).sin().abs()).expand(64, 1, 48, 48).clone()


def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (one - other).abs().mean((1, 2, 3))


def test_eight_looks_show_the_same_face_and_none_twice() -> None:
    faces = torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    looks = views(faces)
    assert len(looks) == 8
    torch.testing.assert_close(looks[0], faces)
    for plain, mirrored in zip(looks[::2], looks[1::2], strict=True):
        assert torch.equal(plain.flip(3), mirrored)
    for i, look in enumerate(looks):
        assert all((look - other).abs().max() > 0.01 for other in looks[:i])
    grey = torch.full((1, 1, 48, 48), 0.3)
    assert all(torch.allclose(look, grey) for look in views(grey))


def test_mixed_faces_lie_between_two_and_are_asked_for_both() -> None:
    torch.manual_seed(0)
    n = 64
    faces = torch.arange(n).float()[:, None, None, None].expand(n, 1, 48, 48) / n
    wanted = torch.eye(n)
    mixed, answers = mix(faces, wanted, 0.4)
    torch.testing.assert_close(answers.sum(1), torch.ones(n))
    assert ((answers > 0).sum(1) <= 2).all()
    # What is asked for says which faces were laid over one another, and how much of each is there.
    torch.testing.assert_close(mixed[:, 0, 0, 0], answers @ faces[:, 0, 0, 0], atol=1e-5, rtol=0)
    assert (answers.max(1).values < 0.95).float().mean() > 0.2
