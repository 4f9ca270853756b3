import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from extractors.face import find_faces
from extractors.follow import Sightings
from extractors.media import read_frames, read_sound
from extractors.records import Frame, Sound
from extractors.speaker import main_face, several, speaking, voice_level

MEDIA = Path(os.environ.get("COUPLED_MAMBA_MEDIA", Path(__file__).parents[2].parent / "shared" / "media"))
CLIPS = sorted(MEDIA.glob("*.mpg"))
TIMES = np.arange(40) * 0.2


def voice(loud: np.ndarray) -> Sound:
    """Noise at 16 kHz, loud in the looks where `loud` [40] says so and faint elsewhere."""
    noise = np.random.default_rng(2).normal(size=(40, 3200)) * np.where(loud, 0.2, 0.002)[:, None]
    return Sound(noise.ravel().astype(np.float32), start=-0.2)


def two_faces(mouths: np.ndarray, sizes: tuple[float, float] = (50, 50)) -> Sightings:
    """Two faces side by side at 40 looks; mouths [2, 40] in grey levels, sizes in pixels."""
    look, face = np.repeat(np.arange(40), 2), np.tile([1, 2], 40)
    n, none = len(look), np.zeros(80, np.float32)
    return Sightings(
        look, face, np.zeros((n, 4), np.float32), none + 8, none > 0, np.tile(sizes, 40).astype(np.float32),
        none, mouths.T.ravel().astype(np.float32), np.zeros((n, 48, 48), np.uint8),
    )  # fmt: skip


def test_level_follows_the_voice_and_not_the_gain() -> None:
    loud = (np.arange(40) // 5) % 2 == 1
    level = voice_level(voice(loud), TIMES)
    assert level[loud].min() > 0.8
    assert level[~loud].max() < 0.2
    half = Sound(voice(loud).samples * 0.5, start=-0.2)
    np.testing.assert_allclose(voice_level(half, TIMES), level, atol=0.15)


def test_silence_is_no_voice_and_steady_sound_is() -> None:
    assert not voice_level(Sound(np.zeros(16_000 * 8, np.float32)), TIMES).any()
    assert (voice_level(voice(np.ones(40, bool)), TIMES) == 1).all()
    assert not voice_level(Sound(np.zeros(0, np.float32)), TIMES).any()
    assert voice_level(voice(np.ones(40, bool)), TIMES[:0]).shape == (0,)


def test_they_take_turns_and_the_main_face_with_them() -> None:
    turn, every = np.arange(40) < 20, np.ones(80, bool)
    seen = two_faces(np.stack([turn * 6.0, ~turn * 6.0]))
    main = seen.face[main_face(seen, every, TIMES, voice(np.ones(40, bool)))]
    assert (main[:20] == 1).all()
    assert (main[26:] == 2).all()
    assert len(set(seen.face[main_face(seen, every, TIMES)])) == 1


def test_a_mouth_that_moves_without_voice_does_not_speak() -> None:
    loud = (np.arange(40) // 5) % 2 == 1
    seen = two_faces(np.stack([~loud * 8.0, loud * 4.0]))
    share = speaking(seen, np.ones(80, bool), TIMES, voice(loud))
    assert share[seen.face == 1].max() == 0
    assert share[seen.face == 2].min() > 0.5


def test_a_much_larger_face_stays_the_main_one_though_the_other_speaks() -> None:
    seen = two_faces(np.stack([np.full(40, 6.0), np.zeros(40)]), (20, 100))
    main = main_face(seen, np.ones(80, bool), TIMES, voice(np.ones(40, bool)))
    assert set(seen.face[main]) == {2}


def test_only_rows_that_count_are_chosen() -> None:
    seen, kept = two_faces(np.zeros((2, 40))), np.zeros(80, bool)
    assert not several(seen, kept)
    assert (main_face(seen, kept, TIMES) == -1).all()
    kept[10:16] = True
    kept[14] = False
    assert several(seen, kept)
    main = main_face(seen, kept, TIMES)
    assert np.flatnonzero(main >= 0).tolist() == [5, 6, 7]
    assert kept[main[5:8]].all()


def beside(left: list[Frame], right: list[Frame]) -> list[Frame]:
    pairs = zip(left, right, strict=False)
    return [Frame(a.time, np.concatenate([a.image, b.image], 1)) for a, b in pairs]


def still(frames: list[Frame]) -> list[Frame]:
    return [Frame(frame.time, frames[0].image) for frame in frames]


@pytest.mark.skipif(len(CLIPS) < 2, reason="needs talking heads (*.mpg) in COUPLED_MAMBA_MEDIA")
@pytest.mark.parametrize(("one", "other"), pairwise(CLIPS), ids=lambda path: path.stem)
def test_of_two_talking_heads_the_one_that_is_not_frozen_is_the_main_one(one: Path, other: Path) -> None:
    left, right = (list(read_frames(path, per_second=5)) for path in (one, other))
    for frames, source, on_the_right in (
        (beside(left, still(right)), one, False),
        (beside(still(left), right), other, True),
    ):
        faces = find_faces(frames, lambda source=source: read_sound(source))
        assert (faces.count == 2).mean() > 0.8
        assert np.mean((faces.boxes[:, 0] + faces.boxes[:, 2] / 2 > 0.5) == on_the_right) > 0.8
