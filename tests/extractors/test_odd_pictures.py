"""Odd pictures: variable rates, turned clips, none at all, no face, two of them, one that leaves."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.clips import make_clip, make_picture, turn_clip
from tests.extractors.whole_way import extract


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 0.03, 0.06, 0.1, 0.5, 1.4, 1.45, 2.8, 2.9]
    found = extract(make_clip(tmp_path / "a.mkv", times=times, sound=None))
    assert found.tracks["visual"].start == pytest.approx([0, 0.5, 1.4, 2.8], abs=0.002)
    # A picture stands for a second at most: between 2.4 and 2.8 nothing is known.
    assert found.grid.presence["visual"][12:14] == pytest.approx(0, abs=1e-6)
    assert found.grid.presence["visual"][14] > 0.1


def test_a_face_in_a_picture_that_stands_still_is_told_to_count_for_a_second(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 6.0, times=[0, 3.0, 5.8]))
    assert found.warnings == [
        "The picture stood still for 97 % of the clip: a face in it counts for one second each time."
    ]
    plain = extract(make_clip(tmp_path / "b.mp4", 6.0, video="plain", times=[0, 3.0, 5.8]))
    assert plain.warnings == []


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_clip_is_turned_upright(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(make_clip(tmp_path / "b.mp4", 1.0, sound=None, size=(240, 240)))) as source:
        upright = [frame.to_ndarray(format="bgr24") for frame in source.decode(video=0)]
    make_turned(
        path, [np.ascontiguousarray(np.rot90(picture, degrees // 90)) for picture in upright], degrees
    )
    found = extract(path)
    assert found.info.rotation == degrees
    assert all(found.seen)


def make_turned(path: Path, pictures: list[np.ndarray], degrees: int) -> None:
    """The pictures as they lie in the file, with a header that has players turn them clockwise."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    turn_clip(path, degrees)


@pytest.mark.parametrize("name", ["a.mp4", "a.wav", "a.mkv"])
def test_only_sound(tmp_path: Path, name: str) -> None:
    found = extract(make_clip(tmp_path / name, 3.0, video=None))
    assert found.kinds == {"text", "audio"}
    assert (found.info.width, found.info.has_video) == (0, False)
    assert found.warnings == []


def test_no_face(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 3.0, video="plain"))
    assert found.kinds == {"text", "audio"}
    assert not any(found.seen)


def test_a_face_that_comes_long_after_the_sound_is_absent_until_then(tmp_path: Path) -> None:
    times = [20 + i / 5 for i in range(10)]
    found = extract(make_clip(tmp_path / "a.mkv", 22.0, sound="silence", rate=48_000, times=times))
    assert found.seen == [True] * 10
    assert found.grid.presence["visual"][:100].max() == 0
    assert found.grid.presence["visual"][100:110].min() > 0
    assert found.warnings == []


def test_nothing_at_all_is_an_empty_grid(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 1.0, video="plain", sound="silence"))
    assert found.kinds == set()


@pytest.mark.parametrize("sound", [None, "speech"])
def test_of_two_faces_the_same_is_followed_throughout(tmp_path: Path, sound: str | None) -> None:
    """With a voice too, to which neither of the two still mouths moves."""
    found = extract(make_clip(tmp_path / "a.mp4", 4.0, video="two", sound=sound, size=(480, 240)))
    assert found.kinds == ({"text", "audio", "visual"} if sound else {"visual"})
    assert all(found.seen)
    assert np.ptp(found.looks.boxes[:, 0]) < 0.1
    assert (found.looks.count == 2).all()
    (warning,) = found.warnings
    assert warning.startswith("Several faces were in the picture for 100 % of the clip")


def test_a_second_face_for_a_moment_is_not_told_nor_a_stain_that_passes_for_one(tmp_path: Path) -> None:
    """From the third second on, the careful cascade takes the astronaut's collar for a face."""
    path = tmp_path / "a.mp4"
    write_pictures(path, ["face"] * 28 + ["two"] * 2)
    found = extract(path)
    assert found.warnings == []
    assert found.looks.count.tolist() == [1] * 28 + [2] * 2


def test_a_face_that_leaves_and_returns(tmp_path: Path) -> None:
    kinds = ["face"] * 10 + ["plain"] * 10 + ["face"] * 10
    path = tmp_path / "a.mp4"
    write_pictures(path, kinds)
    found = extract(path)
    assert found.seen == [kind == "face" for kind in kinds]
    assert found.grid.presence["visual"].astype(bool).tolist() == found.seen


def write_pictures(path: Path, kinds: list[str]) -> None:
    """Pictures of the kinds that `make_picture` names, five a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i, kind in enumerate(kinds):
            picture = make_picture(kind, (320, 240), i / 5)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))


def test_one_picture(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 0.1, sound=None))
    assert found.seen == [True]
    assert len(found.grid.start) == 1


@pytest.mark.parametrize("fps", [1, 10, 60])
def test_any_frame_rate_is_looked_at_five_times_a_second(tmp_path: Path, fps: int) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 2.0, fps=fps, sound=None))
    assert found.seen == [True] * min(10, 2 * fps)
    assert found.grid.presence["visual"].all()
