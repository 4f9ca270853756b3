"""Pictures of the face: found again by time, whatever the container, and cut from where the face was."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.media import stills
from extractors.media.reading import read_frames
from extractors.media.stills import SIDE, face_pictures
from extractors.records import InputError, Looks
from tests.clips import make_clip

SIZE, FPS, SECONDS = (320, 240), 10, 12.0
BOX = np.array([0.25, 0.25, 0.25, 1 / 3], np.float32)


def looks_at(*times: float, box: NDArray[np.float32] = BOX) -> Looks:
    """One face at each time, in the box."""
    count = np.ones(len(times), np.int64)
    return Looks(np.array(times, np.float64), np.tile(box, (len(times), 1)), count)


def greys(pictures: list[tuple[float, bytes]]) -> list[float]:
    """The middle grey of each JPEG."""
    read = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for _, jpeg in pictures]
    assert all(image.shape == (SIDE, SIDE, 3) for image in read)
    return [float(image[SIDE // 2, SIDE // 2].mean()) for image in read]


def write_grey(path: Path, codec: str, options: dict[str, str] | None = None) -> Path:
    """A clip whose grey says its time, 20 a second, with a darker square of 80 pixels where the face is to be."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=options or {"g": "1000"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for i in range(int(SECONDS * FPS)):
            image: NDArray[np.uint8] = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
            image[60:140, 80:160] = 2 * i
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx"), ("a.mpg", "mpeg1video")]
)
def test_the_picture_is_that_of_its_time_though_there_is_one_key_frame(
    tmp_path: Path, name: str, codec: str
) -> None:
    fps = 25 if codec == "mpeg1video" else FPS  # MPEG-1 knows no slower one
    path = tmp_path / name
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "FPS", fps)
        patch.setitem(globals(), "SECONDS", 120 / fps)
        write_grey(path, codec)
    last = 119 / fps
    looks = looks_at(0.0, 60 / fps, last)
    found = face_pictures(path, looks, [0.1, 60 / fps - 0.1, last])
    assert [round(seconds * fps) for seconds, _ in found] == [0, 60, 119]
    assert greys(found) == pytest.approx([0, 120, 238], abs=8)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mpg", "mpeg1video"), ("a.ts", "libx264"), ("a.ts", "mpeg2video")]
)
@pytest.mark.parametrize("parts", [1, 3])
def test_the_pictures_of_joined_recordings_are_those_that_were_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, parts: int
) -> None:
    monkeypatch.setitem(globals(), "FPS", 25)
    monkeypatch.setitem(globals(), "SECONDS", 4.0)
    monkeypatch.setattr(stills, "MOST_DECODED", 40)
    key_frames = {"g": "12", "bf": "2"}
    path = tmp_path / name
    path.write_bytes(write_grey(tmp_path / f"1{name}", codec, key_frames).read_bytes() * parts)
    frames = list(read_frames(path, per_second=5))
    assert len(frames) == pytest.approx(20 * parts, abs=1)
    times = [frame.time for frame in frames]
    found = face_pictures(path, looks_at(*times), times)
    assert [seconds for seconds, _ in found] == pytest.approx(times, abs=1e-3)
    assert greys(found) == pytest.approx([frame.image[100, 120].mean() for frame in frames], abs=3)


def test_a_key_frame_that_is_too_far_back_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_grey(tmp_path / "a.ts", "libx264")
    assert len(face_pictures(path, looks_at(0.2, 10.0), [0.2, 10.0])) == 2
    monkeypatch.setattr(stills, "MOST_DECODED", 20)
    assert [seconds for seconds, _ in face_pictures(path, looks_at(0.2, 10.0), [0.2, 10.0])] == pytest.approx(
        [0.2]
    )


def test_only_where_a_face_was_seen_and_each_look_once(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 3.0, sound=None)
    looks = looks_at(1.0, 1.2)
    assert [seconds for seconds, _ in face_pictures(path, looks, [0.9, 0.95, 2.9])] == pytest.approx([1.0])
    assert face_pictures(path, looks_at(), [1.0]) == []


def test_a_turned_clip_and_a_box_at_the_edge(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 1.0, sound=None, rotation=90)
    looks = looks_at(0.5, box=np.array([0.8, -0.1, 0.3, 0.3], np.float32))
    ((seconds, jpeg),) = face_pictures(path, looks, [0.5])
    assert seconds == pytest.approx(0.5)
    assert 500 < len(jpeg) < 12_000


def test_what_cannot_be_decoded_is_left_out_and_no_clip_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / "a.mp4", 1.0, sound=None)
    looks = looks_at(0.5, 7.0)
    assert len(face_pictures(path, looks, [0.5, 7.0])) == 1
    monkeypatch.setattr(stills, "MOST_DECODED", 2)
    assert face_pictures(path, looks, [0.5]) == []
    assert face_pictures(make_clip(tmp_path / "heard.mp4", 0.5, video=None), looks, [0.5]) == []
    with pytest.raises(InputError):
        face_pictures(tmp_path / "gone.mp4", looks, [0.5])
