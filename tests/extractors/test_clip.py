"""What a change makes anew, and what it leaves alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors.cache import Cache
from extractors.clip import ClipReader
from extractors.face.detect import Cascades
from extractors.records import Grid, InputError, Sound
from tests.clips import make_clip

ALL = ["sound", "speech", "subtitles", "recognised", "text", "voice", "faces", "grid"]


def read(
    clip: Path, transcript: Path | None = None, cache: Cache | None = None
) -> tuple[list[str], Grid, list[str]]:
    """The stages that were worked out, the grid, and the warnings."""
    reader = ClipReader(clip, transcript, cache)
    sound = reader.sound()
    speech = reader.speech(sound)
    words = reader.words(sound, speech)
    tracks = {"text": reader.text(words), "audio": reader.voice(sound, speech), "visual": reader.faces()}
    return reader.worked, reader.grid(tracks), reader.warnings


def check_same(one: Grid, other: Grid, within: float = 0.0) -> None:
    for part in ("values", "presence", "confidence"):
        mine, others = getattr(one, part), getattr(other, part)
        assert set(mine) == set(others)
        for m in mine:
            np.testing.assert_allclose(mine[m], others[m], rtol=within, atol=within, err_msg=f"{part} of {m}")
    assert one.looks is not None
    assert other.looks is not None
    np.testing.assert_array_equal(one.looks.time, other.looks.time)
    np.testing.assert_array_equal(one.looks.boxes, other.looks.boxes)
    np.testing.assert_array_equal(one.looks.count, other.looks.count)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 3.0)


def write(path: Path, said: str) -> Path:
    path.write_text(f"1\n00:00:00,300 --> 00:00:02,800\n{said}\n")
    return path


def test_each_stage_is_worked_out_once(tmp_path: Path, clip: Path) -> None:
    worked, first, _ = read(clip, cache=Cache(tmp_path))
    assert worked == ALL
    assert first.looks is not None
    assert len(first.looks.time) == 15  # a face at every look
    assert (np.abs(first.looks.boxes[:, :2] + first.looks.boxes[:, 2:] / 2 - (0.5, 0.4)) < 0.2).all()
    assert first.values["visual"].shape[1] == 71
    worked, second, _ = read(clip, cache=Cache(tmp_path))
    assert worked == []
    check_same(first, second)
    worked, without, _ = read(clip)
    assert worked == ALL
    check_same(first, without, within=1e-4)  # another number of threads adds up in another order


def test_a_corrected_transcript_makes_its_words_anew_and_nothing_else(tmp_path: Path, clip: Path) -> None:
    cache = Cache(tmp_path / "cache")
    _, heard, _ = read(clip, cache=cache)
    worked, given, _ = read(clip, write(tmp_path / "a.srt", "it was the best of times"), cache)
    assert worked == ["given", "text", "grid"]
    worked, corrected, _ = read(clip, write(tmp_path / "a.srt", "it was the worst of times"), cache)
    assert worked == ["given", "text", "grid"]
    for grid in (given, corrected):
        assert np.array_equal(grid.values["audio"], heard.values["audio"])
        assert np.array_equal(grid.values["visual"], heard.values["visual"])
    assert not np.array_equal(given.values["text"], corrected.values["text"])
    assert read(clip, write(tmp_path / "b.srt", "it was the best of times"), cache)[0] == []
    # Text that cannot be aligned is laid over the words recognised, which are not recognised again.
    (tmp_path / "c.txt").write_text(" ".join(["It was the best of times"] * 7))
    assert read(clip, tmp_path / "c.txt", cache)[0] == ["given", "text", "grid"]


def test_the_same_clip_under_another_name_is_the_same(tmp_path: Path, clip: Path) -> None:
    read(clip, cache=Cache(tmp_path / "cache"))
    (tmp_path / "other name.mp4").write_bytes(clip.read_bytes())
    assert read(tmp_path / "other name.mp4", cache=Cache(tmp_path / "cache"))[0] == []


def test_another_clip_another_owner_and_other_limits_begin_anew(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    read(clip, cache=cache)
    assert read(clip, cache=Cache(tmp_path, owner="somebody else"))[0] == ALL
    monkeypatch.setenv("COUPLED_MAMBA_MAX_SECONDS", "100")
    # Other limits could cut what is decoded; the same sound then gives the same voice.
    assert {"sound", "faces"} <= set(read(clip, cache=cache)[0])


def test_another_yunet_in_the_same_place_looks_anew(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tmp_path / "yunet.onnx"
    monkeypatch.setenv("COUPLED_MAMBA_YUNET", str(network))
    monkeypatch.setattr("extractors.face.detect.YuNet", lambda _: Cascades())  # its weights are not shipped

    def worked() -> list[str]:
        reader = ClipReader(clip, cache=Cache(tmp_path / "cache"))
        reader.faces()
        return reader.worked

    network.write_bytes(b"one")
    assert worked() == ["faces"]
    assert worked() == []
    network.write_bytes(b"another")
    assert worked() == ["faces"]
    network.unlink()
    with pytest.raises(InputError, match=r"COUPLED_MAMBA_YUNET is .* which is no file"):
        worked()


def test_a_damaged_entry_is_worked_out_anew(tmp_path: Path, clip: Path) -> None:
    cache = Cache(tmp_path)
    _, first, _ = read(clip, cache=cache)
    (path,) = tmp_path.glob("faces-*.npz")
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(bytes(data))
    worked, second, _ = read(clip, cache=cache)
    assert worked == ["faces"]
    check_same(first, second)


def test_warnings_of_a_stage_are_told_again(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", 6.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cache = Cache(tmp_path / "cache")
    first = read(path, cache=cache)
    again = read(path, cache=cache)
    assert first[2]
    assert all("damaged or cut short" in sentence for sentence in first[2])
    assert set(again[2]) == set(first[2])
    assert again[0] == []


def test_faces_and_voice_share_one_reading_of_the_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from extractors.media import reading as media

    read_sound, count = media.read_sound, 0

    def counted(*given: Any) -> Sound | None:
        nonlocal count
        count += 1
        return read_sound(*given)

    monkeypatch.setattr(media, "read_sound", counted)
    reader = ClipReader(make_clip(tmp_path / "a.mp4", 2.0, video="two", size=(480, 240)))
    with ThreadPoolExecutor(1) as beside:
        faces = beside.submit(reader.faces)
        assert reader.sound() is reader.sound()
        assert (faces.result().confidence > 0).any()
    assert count == 1
    assert reader.worked.count("sound") == 1


def test_a_bad_transcript_is_told_with_a_cache_too(tmp_path: Path, clip: Path) -> None:
    for name, said in (("none.srt", "There is no file"), ("a.doc", "is no transcript")):
        (tmp_path / "a.doc").write_text("x")
        reader = ClipReader(clip, tmp_path / name, Cache(tmp_path / "cache"))
        with pytest.raises(InputError, match=said):
            reader.words(sound := reader.sound(), reader.speech(sound))


def test_what_is_too_large_is_not_read_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extractors.clip.digest_file", lambda _: pytest.fail("it was read"))
    monkeypatch.setenv("COUPLED_MAMBA_MAX_BYTES", "1000")
    with pytest.raises(InputError, match="more than the limit"):
        ClipReader(make_clip(tmp_path / "a.mp4", 0.5), cache=Cache(tmp_path))
