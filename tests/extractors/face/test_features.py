from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from extractors.face.detect import Box, nearest
from extractors.face.expression import EXPRESSIONS
from extractors.face.features import COLUMNS, OPENCV, describe_faces, face_features, find_faces, steady
from extractors.face.follow import FaceFollower, Sightings
from extractors.records import Frame

Picture = NDArray[np.uint8]
# The astronaut's face in the 512 x 512 portrait: left, top, right, bottom, by eye.
FACE = (170, 60, 285, 185)


@pytest.fixture(scope="module")
def portrait() -> Picture:
    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="module")
def coffee() -> Picture:
    return cv2.cvtColor(skimage.data.coffee(), cv2.COLOR_RGB2BGR)


def clip(*pictures: Picture, step: float = 0.2) -> list[Frame]:
    return [Frame(i * step, picture) for i, picture in enumerate(pictures)]


def scene(background: Picture, portrait: Picture, side: int, left: int) -> Picture:
    """The portrait, `side` pixels wide, standing in the background."""
    picture = background.copy()
    picture[-side:, left : left + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    return picture


def test_a_face_is_found_where_it_is(portrait: Picture) -> None:
    faces = find_faces(clip(*[portrait] * 6))
    assert (faces.confidence > 0.3).all()
    assert (faces.confidence <= 1).all()
    for box in faces.boxes:
        x, y, width, height = box * 512
        assert FACE[0] < x + width / 2 < FACE[2]
        assert FACE[1] < y + height / 2 < FACE[3]
        assert 70 < width < 160
    assert (faces.crops.std((1, 2)) > 20).all()


def test_one_frame_is_enough(portrait: Picture) -> None:
    assert find_faces(clip(portrait)).confidence[0] > 0


def test_a_dark_picture_is_searched_all_the_same(portrait: Picture) -> None:
    assert find_faces(clip((portrait * 0.12).astype(np.uint8))).confidence[0] > 0


def test_a_crop_is_the_picture_inside_its_box(portrait: Picture) -> None:
    faces = find_faces(clip(portrait))
    x, y, width, height = np.round(faces.boxes[0] * 512).astype(int)
    inside = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)[y : y + height, x : x + width]
    wanted = cv2.resize(inside, (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(wanted.astype(int) - faces.crops[0]).mean() < 5


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "coins", "page", "brick", "clock"])
def test_no_face_where_there_is_none(name: str) -> None:
    picture = getattr(skimage.data, name)()
    code = cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR
    faces = find_faces(clip(*[cv2.cvtColor(picture, code)] * 4))
    assert not faces.confidence.any()
    assert not faces.boxes.any()
    assert not faces.crops.any()


@pytest.mark.parametrize("blur", [0, 3, 9])
def test_no_face_in_noise(blur: int) -> None:
    noise = np.random.default_rng(blur).normal(size=(360, 640)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), blur) if blur else noise
    grey = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    assert not find_faces(clip(*[cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)] * 3)).confidence.any()


def test_a_face_that_leaves_and_returns(portrait: Picture, coffee: Picture) -> None:
    there, gone = scene(coffee, portrait, 360, 100), coffee
    track = describe_faces(clip(*[there] * 5, *[gone] * 5, *[there] * 5))
    seen = track.confidence > 0
    assert seen.tolist() == [True] * 5 + [False] * 5 + [True] * 5
    assert not track.values[~seen].any()
    np.testing.assert_allclose(track.values[seen][:, 64:].sum(1), 1, atol=1e-4)


def test_a_moving_face_is_followed(portrait: Picture, coffee: Picture) -> None:
    pictures = [scene(coffee, portrait, 380, 20 + 12 * i) for i in range(15)]
    faces = find_faces(clip(*pictures))
    assert (faces.confidence > 0).all()
    assert (np.diff(faces.boxes[:, 0]) > 0).all()


def test_a_turned_away_moment_is_bridged(portrait: Picture) -> None:
    # Eyes covered: the cascades find nothing, but the rest still matches the last view.
    covered = portrait.copy()
    covered[100:125, 190:270] = covered[125:150, 190:270].mean((0, 1))
    assert not find_faces(clip(covered)).confidence.any()
    faces = find_faces(clip(portrait, portrait, covered, covered, portrait, portrait))
    assert (faces.confidence > 0).all()
    assert faces.confidence[2:4].max() < faces.confidence[[0, 1, 4, 5]].min()


def test_the_nearer_of_two_faces_is_the_main_one(portrait: Picture, coffee: Picture) -> None:
    picture = scene(scene(coffee, portrait, 200, 0), portrait, 380, 210)
    for flipped in (picture, picture[:, ::-1].copy()):
        faces = find_faces(clip(*[flipped] * 3))
        assert (faces.boxes[:, 2] * 600 > 60).all()


@pytest.mark.parametrize("lean", [-35, -24, 24, 35])
def test_a_tilted_face_is_found_and_its_crop_is_upright(portrait: Picture, lean: int) -> None:
    upright = find_faces(clip(portrait)).crops[0].astype(float)
    faces = find_faces(clip(*[turned(portrait, lean)] * 3))
    assert (faces.confidence > 0.3).all()
    assert np.corrcoef(faces.crops[2].ravel(), upright.ravel())[0, 1] > 0.2
    middle = faces.boxes[2, :2] + faces.boxes[2, 2:] / 2
    place = cv2.getRotationMatrix2D((256, 256), -lean, 0.9) @ np.array([226, 122, 1])
    assert np.hypot(*(middle * 512 - place)) < 30


def turned(picture: Picture, lean: float) -> Picture:
    """The portrait leaning clockwise by so many degrees."""
    matrix = cv2.getRotationMatrix2D((256, 256), -lean, 0.9)
    return cv2.warpAffine(picture, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)


def test_a_head_that_leans_over_and_back_is_followed(portrait: Picture) -> None:
    leans = [0, 8, 16, 24, 32, 32, 24, 16, 8, 0]
    seen = sightings(*[turned(portrait, lean) for lean in leans])
    assert set(seen.face) == {seen.face[0]}
    assert seen.look.tolist() == list(range(10))
    assert not seen.matched.any()
    assert seen.tilt[0] == seen.tilt[-1] == 0 < seen.tilt[4]


def sightings(*pictures: Picture) -> Sightings:
    follower = FaceFollower()
    for frame in clip(*pictures):
        follower.look(frame)
    return follower.sightings()


@dataclass
class Told:
    """A detector that is told where the faces are in each picture, and finds the nearest of them as YuNet does."""

    pictures: Iterator[list[Box]]
    seen: list[Box] = field(default_factory=list)

    def look(self, follower: FaceFollower, time: float) -> list[int]:
        """Have the follower look at its next picture; the numbers of the faces it follows then."""
        self.seen = next(self.pictures)
        noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
        follower.look(Frame(time, noise))
        return [face.number for face in follower.faces]

    def search(self, grey: Picture) -> list[Box]:
        return self.seen

    def near(self, grey: Picture, last: Box) -> Box | None:
        return nearest(self.seen, last)

    def search_harder(self, grey: Picture) -> list[Box]:
        return []

    def near_harder(self, grey: Picture, last: Box) -> Box | None:
        return nearest(self.seen, last)


def test_a_face_that_goes_behind_another_is_not_followed_as_that_one_too() -> None:
    """The picture stays the same, so that the one that is hidden matches where it was, upon the one before it."""
    places = [(100, 200), (130, 190), (155, 186), *[(180,)] * 3, *[(100, 190)] * 5]
    boxes = [[Box(x, 80, 60, 5.0) for x in found] for found in places]
    told = Told(iter(boxes))
    follower = FaceFollower(told)
    followed = [told.look(follower, 0.2 * i) for i in range(len(boxes))]
    # The one that comes out again is met when the whole picture is searched, at the eleventh look.
    assert followed == [[1, 2]] * 3 + [[2]] * 7 + [[2, 3]]


def test_faces_that_pass_for_each_other_keep_their_own_boxes() -> None:
    """Both are nearest to where the first is; the second's own is found by the search."""
    told = Told(iter([[Box(x, 80, 60, 5.0) for x in found] for found in ((100, 140), (112, 182))]))
    follower = FaceFollower(told)
    assert [told.look(follower, 0.2 * i) for i in range(2)] == [[1, 2]] * 2
    assert sorted(face.box.x for face in follower.faces) == [112, 182]


def test_a_head_that_moves_behind_another_is_counted_no_more(portrait: Picture) -> None:
    pictures = []
    for left in (*range(60, 260, 10), *[260] * 5):
        picture = np.full((200, 480, 3), 120, np.uint8)
        for x in (left, 260):
            picture[20:180, x : x + 140] = portrait[45:205, 160:300]
        pictures.append(picture)
    count = find_faces(clip(*pictures)).count
    assert count[:8].tolist() == [2] * 8
    assert count[-5:].tolist() == [1] * 5


def test_a_profile_is_found_with_little_confidence() -> None:
    grey = skimage.data.camera()
    faces = find_faces(clip(*[cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)] * 12))
    assert 0 < faces.confidence.max() < 0.2
    x, y = (faces.boxes[:, :2] + faces.boxes[:, 2:] / 2)[faces.confidence > 0].mean(0) * 512
    assert 180 < x < 270
    assert 90 < y < 200


def test_the_count_goes_along(portrait: Picture, coffee: Picture) -> None:
    pair = scene(scene(coffee, portrait, 280, 0), portrait, 300, 290)
    faces = find_faces(clip(pair, pair, pair, coffee))
    assert faces.count.tolist() == [2, 2, 2, 0]
    assert (find_faces(clip(*[portrait] * 3)).count == 1).all()


def test_sound_is_asked_for_only_where_several_faces_are(portrait: Picture, coffee: Picture) -> None:
    asked = []

    def hear() -> None:
        asked.append(1)

    find_faces(clip(*[portrait] * 3), hear)
    assert not asked
    find_faces(clip(*[scene(scene(coffee, portrait, 280, 0), portrait, 300, 290)] * 3), hear)
    assert asked


def test_no_frames_give_an_empty_track() -> None:
    track = describe_faces(iter(()))
    assert track.values.shape == (0, 71)
    assert len(track.start) == len(track.end) == len(track.confidence) == 0


def test_rows_carry_the_frames_times_and_never_outlast_the_next(portrait: Picture) -> None:
    frames = [Frame(t, portrait) for t in (0.5, 0.7, 4.0, 4.2)]
    track = describe_faces(frames)
    assert track.start.tolist() == [0.5, 0.7, 4.0, 4.2]
    np.testing.assert_allclose(track.end, [0.7, 1.7, 4.2, 4.4])
    assert track.columns == COLUMNS
    assert track.columns[64:] == EXPRESSIONS


@pytest.mark.parametrize("shape", [(4, 4), (8, 640), (30, 30), (2000, 90)])
def test_odd_pictures_are_looked_at_without_complaint(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    assert not find_faces(clip(picture, picture)).confidence.any()


def test_a_change_of_size_within_a_clip(portrait: Picture) -> None:
    half = cv2.resize(portrait, (300, 256), interpolation=cv2.INTER_AREA)
    assert (find_faces(clip(portrait, portrait, half, half)).confidence > 0).all()


def test_steady_drops_lone_weak_looks_and_unconfirmed_matches() -> None:
    weight = np.array([0, 2, 0, 9, 0, 2, 2, 0, 8, 1, 1, 8, 1, 1], np.float32)
    matched = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1], bool)
    assert steady(weight, matched).tolist() == [
        bool(k) for k in (0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0)
    ]  # fmt: skip


def test_features_do_not_depend_on_the_batch_nor_on_the_mirror() -> None:
    faces = np.random.default_rng(5).integers(0, 256, (70, 48, 48), np.uint8)
    features = face_features(faces)
    assert features.shape == (70, 71)
    assert features.dtype == np.float32
    np.testing.assert_allclose(face_features(faces[66:]), features[66:], atol=1e-4)
    np.testing.assert_allclose(face_features(faces[:, :, ::-1]), features, atol=1e-4)
    assert face_features(faces[:0]).shape == (0, 71)


def test_opencvs_threads_are_left_as_they_were(portrait: Picture) -> None:
    before = cv2.getNumThreads()
    find_faces(clip(portrait))
    assert cv2.getNumThreads() == before


def test_opencvs_threads_are_left_as_they_were_by_analyses_that_overlap() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        one, other = ExitStack(), ExitStack()
        one.enter_context(OPENCV.held())
        other.enter_context(OPENCV.held())
        assert cv2.getNumThreads() == 1
        one.close()
        assert cv2.getNumThreads() == 1  # the other is still at it
        other.close()
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
