import os
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from extractors.face.features import FaceTrack, find_faces
from extractors.face.follow import FaceFollower, Mouths, Sightings
from extractors.face.speaker import QUIET, STEP, loudness, main_face, several, speaking, syllables
from extractors.media.reading import read_looks, read_sound
from extractors.records import Frame, Glance, Sound

MEDIA = Path(os.environ.get("COUPLED_MAMBA_MEDIA", Path(__file__).parents[4] / "shared" / "media"))
CLIPS = sorted(MEDIA.glob("*.mpg"))
TIMES = np.arange(40) * 0.2
FINE = np.arange(0, 8, 0.01)
Looks = list[Frame | Glance]


def rhythm(seed: int) -> NDArray[np.float64]:
    """How far a mouth is open every 10 ms for 8 s, -1 to 1: two to six syllables a second."""
    pace = np.random.default_rng(seed).uniform(2, 6, 80).repeat(10)
    return np.sin(2 * np.pi * np.cumsum(pace) * 0.01)


def voice(opening: NDArray[np.float64], start: float = 0.0) -> Sound:
    """Noise at 16 kHz, louder by up to 20 dB the further the mouth is open."""
    noise = np.random.default_rng(2).normal(size=(len(opening), 160))
    return Sound((0.1 * noise * 10 ** (opening[:, None] / 2 - 0.5)).ravel().astype(np.float32), start=start)


def two_faces(
    openings: tuple[NDArray[np.float64], NDArray[np.float64]],
    sizes: tuple[float, float] = (50, 50),
    every: float = 0.08,
) -> Sightings:
    """Two faces side by side at 40 looks, their mouths seen `every` so many seconds, sizes in pixels."""
    look, face = np.repeat(np.arange(40), 2), np.tile([1, 2], 40)
    n, none = len(look), np.zeros(80, np.float32)
    when = np.arange(0, 8, every)
    contrast = np.concatenate([20 + 5 * np.interp(when, FINE, opening) for opening in openings])
    mouths = Mouths(np.tile(when, 2), np.repeat([1, 2], len(when)), contrast.astype(np.float32))
    return Sightings(
        look, face, np.zeros((n, 4), np.float32), none + 8, none > 0, np.tile(sizes, 40).astype(np.float32),
        none, np.zeros((n, 48, 48), np.uint8), mouths,
    )  # fmt: skip


def main(seen: Sightings, sound: Sound | None) -> NDArray[np.int64]:
    """The number of the main face at each of the 40 looks."""
    return seen.face[main_face(seen, np.ones(80, bool), TIMES, sound)]


def test_loudness_follows_the_voice_and_a_gain_only_shifts_it() -> None:
    sound = voice(rhythm(0))
    level = loudness(sound, FINE + 0.005)
    assert np.corrcoef(level, rhythm(0))[0, 1] > 0.95
    half = Sound(sound.samples * 0.5, start=sound.start)
    np.testing.assert_allclose(loudness(half, FINE + 0.005), level - 6.02, atol=0.01)
    later = Sound(sound.samples, start=1.0)
    np.testing.assert_allclose(loudness(later, FINE + 1.005), level, atol=1e-6)


def test_what_is_faint_is_no_voice() -> None:
    hum = voice(rhythm(1)).samples * 1e-3
    loud = np.repeat(np.arange(8) % 2 == 1, 16_000)
    level = loudness(Sound(np.where(loud, voice(rhythm(0)).samples, hum).astype(np.float32)), FINE)
    assert np.ptp(level[5:95]) == 0
    assert np.ptp(level[105:195]) > 10
    assert (loudness(Sound(np.zeros(16_000, np.float32)), FINE) == QUIET).all()
    assert (loudness(Sound(np.zeros(0, np.float32)), FINE) == QUIET).all()


@pytest.mark.parametrize(("pace", "least", "most"), [(0.0, 0, 1e-9), (0.5, 0, 0.1), (4.0, 0.4, 1.0)])
def test_the_pace_of_syllables_is_what_is_left(pace: float, least: float, most: float) -> None:
    left = syllables(np.cos(2 * np.pi * pace * np.arange(0, 8, STEP)))
    assert least <= np.abs(left[25:-25]).max() <= most
    assert len(syllables(np.ones(1))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_of_two_mouths_in_motion_the_one_that_goes_with_the_voice_speaks(seed: int) -> None:
    mine, other = rhythm(2 * seed), rhythm(2 * seed + 1)
    seen = two_faces((mine, other))
    share = speaking(seen, np.ones(80, bool), TIMES, voice(mine))
    assert share[seen.face == 1].min() > 0.5
    assert share[seen.face == 2].mean() < 0.1
    assert (main(seen, voice(mine)) == 1).all()
    assert (main(seen, voice(other)) == 2).all()


def test_a_livelier_mouth_does_not_speak_for_that() -> None:
    seen = two_faces((3 * rhythm(1), rhythm(0)))
    assert (main(seen, voice(rhythm(0))) == 2).all()
    still = two_faces((0.01 * rhythm(1), rhythm(0)))
    assert (main(still, voice(rhythm(0))) == 2).all()


def test_pictures_and_sound_may_be_a_little_out_of_step() -> None:
    seen = two_faces((rhythm(0), rhythm(1)))
    for late in (-0.06, 0.06):
        assert (main(seen, voice(rhythm(0), start=late)) == 1).all()


def test_they_take_turns_and_the_main_face_with_them() -> None:
    mine, other = rhythm(0), rhythm(1)
    seen = two_faces((mine, other))
    both = voice(np.where(FINE < 4, mine, other))
    assert (main(seen, both)[:18] == 1).all()
    assert (main(seen, both)[26:] == 2).all()
    assert len(set(main(seen, None))) == 1


def test_in_silence_and_with_a_voice_of_neither_nobody_is_sure_to_speak() -> None:
    seen, every = two_faces((rhythm(0), rhythm(1))), np.ones(80, bool)
    assert speaking(seen, every, TIMES, Sound(np.zeros(128_000, np.float32))).max() < 0.2
    unseen = np.mean([speaking(seen, every, TIMES, voice(rhythm(seed))).mean() for seed in range(10, 20)])
    assert unseen < 1 / 3  # as if the two and somebody unseen were as likely


def test_mouths_seen_five_times_a_second_tell_nothing() -> None:
    seen = two_faces((rhythm(0), rhythm(1)), every=0.2)
    assert not speaking(seen, np.ones(80, bool), TIMES, voice(rhythm(0))).any()
    none = two_faces((rhythm(0), rhythm(1)), every=9)
    assert not speaking(none, np.ones(80, bool), TIMES, voice(rhythm(0))).any()


def test_a_much_larger_face_stays_the_main_one_though_the_other_speaks() -> None:
    seen = two_faces((rhythm(0), rhythm(1)), (20, 100))
    assert set(main(seen, voice(rhythm(0)))) == {2}


def test_only_rows_that_count_are_chosen() -> None:
    seen, kept = two_faces((rhythm(0), rhythm(1))), np.zeros(80, bool)
    assert not several(seen, kept)
    assert (main_face(seen, kept, TIMES) == -1).all()
    assert (main_face(seen, kept, TIMES, voice(rhythm(0))) == -1).all()
    kept[10:16] = True
    kept[14] = False
    assert several(seen, kept)
    chosen = main_face(seen, kept, TIMES, voice(rhythm(0)))
    assert np.flatnonzero(chosen >= 0).tolist() == [5, 6, 7]
    assert kept[chosen[5:8]].all()


def passers_by(faces: int, looks: int = 9000) -> Sightings:
    """Half an hour of faces that come and go, one after another, each at twenty looks."""
    rng = np.random.default_rng(0)
    begins = np.linspace(0, looks - 20, faces).astype(int)
    look = (begins[:, None] + np.arange(20)).ravel()
    order = np.argsort(look, kind="stable")
    face = np.repeat(np.arange(faces), 20)
    when = (begins[:, None] * 0.2 + np.arange(48) * 0.08).ravel()
    moving = rng.uniform(10, 30, len(when)).astype(np.float32)
    mouths = Mouths(when, np.repeat(np.arange(faces), 48), moving)
    none = np.zeros(len(look), np.float32)
    return Sightings(
        look[order], face[order], np.zeros((len(look), 4), np.float32), none + 8, none > 0, none + 50,
        none, np.zeros((len(look), 1, 1), np.uint8), mouths,
    )  # fmt: skip


def test_many_faces_in_a_long_clip_take_no_time_by_their_product() -> None:
    seen, times = passers_by(900), np.arange(9000) * 0.2
    kept, noise = np.ones(len(seen.look), bool), np.random.default_rng(1).normal(0, 0.1, 1800 * 16_000)
    sound = Sound(noise.astype(np.float32))
    begin = time.process_time()
    assert (main_face(seen, kept, times, sound) >= 0).sum() == len(np.unique(seen.look))
    assert time.process_time() - begin < 6  # 15 where each face is looked for in all of the clip


def portraits(openings: tuple[float, ...], right: int = 330) -> NDArray[np.uint8]:
    """The astronaut once for each opening (0..1), a dark mouth so far open drawn on, `right` pixels apart."""
    astronaut = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)[:330, 60:390]
    picture = np.full((330, right * len(openings), 3), 120, np.uint8)
    for i, opening in enumerate(openings):
        face = astronaut.copy()
        cv2.ellipse(face, (165, 160), (18, round(2 + 12 * opening)), 0, 0, 360, (20, 20, 30), -1)
        picture[:, i * right : i * right + 330] = face
    return picture


def drawn(openings: Iterable[tuple[float, ...]]) -> Looks:
    """Portraits at 25 pictures a second, every fifth a look and every second of the rest a glance."""
    shown = [(i * 0.04, portraits(opening)) for i, opening in enumerate(openings)]
    return [
        Glance(time, lambda picture=picture: picture) if i % 5 else Frame(time, picture)
        for i, (time, picture) in enumerate(shown)
        if i % 5 == 0 or i % 2 == 0
    ]


def test_of_two_portraits_the_one_whose_drawn_mouth_speaks_is_the_main_one() -> None:
    mouths = [(rhythm(seed)[:240:4] + 1) / 2 for seed in (0, 1)]
    looks = drawn(zip(*mouths, strict=True))
    for speaker in (0, 1):
        faces = find_faces(looks, lambda speaker=speaker: voice(rhythm(speaker)[:240]))
        assert (faces.count == 2).all()
        assert len(faces.time) == 12
        assert on_the_right(faces)[2:].tolist() == [speaker == 1] * 10


def test_a_mouth_that_opens_has_more_contrast_and_one_alone_is_not_looked_at() -> None:
    follower = FaceFollower()
    for look in drawn([(i / 20, 0.0) for i in range(21)]):
        follower.glance(look) if isinstance(look, Glance) else follower.look(look)
    mouths = follower.sightings().mouths
    assert set(mouths.face) == {1, 2}
    ranges = sorted(np.ptp(mouths.contrast[mouths.face == face]) for face in (1, 2))
    # The box of the one that only stands there is never quite still.
    assert ranges[1] > 2 * ranges[0]
    assert ranges[1] > 10
    for face in (1, 2):
        assert (np.diff(mouths.time[mouths.face == face]) > 0).all()
        assert len(mouths.time[mouths.face == face]) == 13


def test_with_one_face_no_glance_is_made() -> None:
    def make() -> NDArray[np.uint8]:
        raise AssertionError("a picture that nobody needs was made")

    faces = find_faces([Frame(0, portraits((0.5,))), Glance(0.1, make), Frame(0.2, portraits((0.5,)))])
    assert (faces.count == 1).all()


def on_the_right(faces: FaceTrack) -> NDArray[np.bool_]:
    return faces.boxes[:, 0] + faces.boxes[:, 2] / 2 > 0.5


def beside(left: Path, right: Path, frozen: int | None = None) -> Iterator[Frame | Glance]:
    """Two clips side by side; of the one that is frozen (0 or 1) the first picture stays."""
    first: dict[int, NDArray[np.uint8]] = {}
    for pair in zip(*(read_looks(path, 5, 12.5) for path in (left, right)), strict=False):
        images = [part.image if isinstance(part, Frame) else part.make() for part in pair]
        if frozen is not None:
            images[frozen] = first.setdefault(frozen, images[frozen])
        picture = cv2.resize(np.concatenate(images, 1), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
        look = isinstance(pair[0], Frame)
        yield Frame(pair[0].time, picture) if look else Glance(pair[0].time, lambda picture=picture: picture)


@pytest.mark.skipif(len(CLIPS) < 2, reason="needs talking heads (*.mpg) in COUPLED_MAMBA_MEDIA")
@pytest.mark.parametrize(("one", "other"), pairwise(CLIPS), ids=lambda path: path.stem)
def test_of_two_talking_heads_the_one_that_is_not_frozen_is_the_main_one(one: Path, other: Path) -> None:
    for frozen, source in ((1, one), (0, other)):
        faces = find_faces(beside(one, other, frozen), lambda source=source: read_sound(source))
        assert (faces.count == 2).mean() > 0.8
        assert np.mean(on_the_right(faces) == (frozen == 0)) > 0.8


@pytest.mark.skipif(len(CLIPS) < 6, reason="needs six talking heads (*.mpg) in COUPLED_MAMBA_MEDIA")
def test_of_two_talking_heads_in_motion_the_one_that_is_heard_is_the_main_one() -> None:
    right = 0
    for pair in pairwise(CLIPS[:6]):
        for place, source in enumerate(pair):
            faces = find_faces(beside(*pair), lambda source=source: read_sound(source))
            right += np.mean(on_the_right(faces) == place) > 0.5
    assert right >= 8
