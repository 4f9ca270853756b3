"""The whole path on real clips, and every kind of bad input: an answer with warnings, or one sentence."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from app.analysis import MODALITIES, Analysis
from app.analyze import analyze
from app.stages import STAGES
from extractors.records import InputError
from tests.clips import Subtitles, make_clip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, list[tuple[str, float]]]:
    """A clip with words, voice and face, analysed once, and the progress that was told."""
    told: list[tuple[str, float]] = []
    clip = make_clip(tmp_path_factory.mktemp("whole") / "whole.mp4", 6.0)
    return analyze(clip, progress=lambda name, fraction: told.append((name, fraction))), told


def test_a_talking_face_gives_everything(whole: tuple[Analysis, list[tuple[str, float]]]) -> None:
    analysis, _ = whole
    assert set(analysis.sentiment.alone) == set(MODALITIES)
    assert all(max(analysis.presence[m]) > 0 for m in MODALITIES)
    assert analysis.transcript.source == "recognised"
    assert "times" in " ".join(w.word for w in analysis.transcript.words).lower()
    assert len(analysis.ticks.start) == pytest.approx(6.0 / 0.2, abs=1)
    assert analysis.clip.duration == pytest.approx(6.0, abs=0.2)
    assert not analysis.warnings
    assert Analysis.from_json(analysis.to_json()).sentiment.clip.label == analysis.sentiment.clip.label


def test_every_stage_is_told_from_start_to_end_and_timed(
    whole: tuple[Analysis, list[tuple[str, float]]],
) -> None:
    analysis, told = whole
    assert set(analysis.timings) == {*STAGES, "total"}
    for stage in STAGES:
        fractions = [f for name, f in told if name == stage]
        assert fractions[0] == 0
        assert fractions[-1] == 1
        assert fractions == sorted(fractions)
    assert len([f for name, f in told if name == "faces"]) > 10


def test_each_missing_modality_is_named(tmp_path: Path) -> None:
    silent = analyze(make_clip(tmp_path / "silent.mp4", 2.0, sound=None))
    assert silent.warnings == ("The clip has no sound: the answer rests on face.",)
    assert set(silent.sentiment.alone) == {"visual"}
    assert silent.transcript.source == "none"
    faceless = analyze(make_clip(tmp_path / "plain.mp4", 3.0, video="plain"))
    assert "No face was found in the video: the answer rests on words and voice." in faceless.warnings
    assert max(faceless.presence["visual"]) == 0
    wordless = analyze(make_clip(tmp_path / "tone.mp4", 2.0, sound="tone"))
    assert "No speech was heard in the clip: the answer rests on face." in wordless.warnings
    heard = analyze(make_clip(tmp_path / "sound.wav", 3.0, video=None))
    assert "The clip has no pictures: the answer rests on words and voice." in heard.warnings
    assert (heard.clip.width, heard.clip.has_video) == (0, False)


def test_a_given_transcript_takes_the_place_of_recognition(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 4.0, video=None)
    given = tmp_path / "words.srt"
    given.write_text("1\n00:00:00,500 --> 00:00:03,000\nI hated this terrible film\n")
    analysis = analyze(clip, given)
    assert analysis.transcript.source == "given"
    assert [w.word for w in analysis.transcript.words] == ["I", "hated", "this", "terrible", "film"]
    praise = tmp_path / "praise.srt"
    praise.write_text("1\n00:00:00,500 --> 00:00:03,000\nI loved this wonderful film\n")
    better = analyze(clip, praise)
    assert better.sentiment.alone["text"].score > analysis.sentiment.alone["text"].score + 0.5


def test_the_clips_own_subtitles_come_after_the_given_and_before_the_recognised(tmp_path: Path) -> None:
    own = Subtitles([(0.5, 3.5, "what a wonderful day")], "eng")
    clip = make_clip(tmp_path / "clip.mp4", 4.0, video=None, subtitles=[own])
    analysis = analyze(clip)
    assert analysis.transcript.source == "embedded"
    assert [w.word for w in analysis.transcript.words] == ["what", "a", "wonderful", "day"]
    given = tmp_path / "words.txt"
    given.write_text("something else")
    assert analyze(clip, given).transcript.source == "given"
    french = make_clip(
        tmp_path / "french.mp4", 4.0, video=None, subtitles=[Subtitles([(0.5, 3.5, "bonjour")], "fra")]
    )
    recognised = analyze(french)
    assert recognised.transcript.source == "recognised"
    assert any("not English (fra)" in warning for warning in recognised.warnings)


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.4])
def test_the_shortest_clips_end_in_an_answer_or_a_sentence(tmp_path: Path, seconds: float) -> None:
    clip = make_clip(tmp_path / "short.mp4", seconds, fps=20)
    analysis = analyze(clip)
    assert len(analysis.ticks.start) == len(analysis.sentiment.ticks) >= 1
    assert "visual" in analysis.sentiment.alone


def test_a_single_picture_is_an_answer(tmp_path: Path) -> None:
    analysis = analyze(make_clip(tmp_path / "one.mp4", 0.1, fps=10, sound=None))
    assert set(analysis.sentiment.alone) == {"visual"}


def _bad(folder: Path) -> dict[str, tuple[Path, str]]:
    """{case: (path, what the sentence says)}."""
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no video at all\n" * 50)
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile whole.mp4\n")
    (folder / "folder.mp4").mkdir()
    nothing = make_clip(folder / "nothing.mp4", 1.0, video="plain", sound="silence")
    return {
        "missing": (folder / "nowhere.mp4", "There is no file"),
        "empty": (folder / "empty.mp4", "empty"),
        "text": (folder / "text.mp4", "cannot be read as a video"),
        "playlist": (folder / "list.mp4", "cannot be read as a video"),
        "folder": (folder / "folder.mp4", "is a folder"),
        "nothing in it": (
            nothing,
            "There is nothing to analyse: no face was found in the video and no speech",
        ),
    }


@pytest.mark.parametrize("case", ["missing", "empty", "text", "playlist", "folder", "nothing in it"])
def test_bad_input_is_told_in_one_sentence(tmp_path: Path, case: str) -> None:
    path, said = _bad(tmp_path)[case]
    with pytest.raises(InputError, match=said) as caught:
        analyze(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_bad_transcript_is_told(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 1.0)
    with pytest.raises(InputError, match=r"nothing\.srt"):
        analyze(clip, tmp_path / "nothing.srt")


def test_a_raise_in_progress_stops_every_thread(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 4.0)

    def refuse(name: str, fraction: float) -> None:
        if name == "faces" and fraction > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyze(clip, progress=refuse)
    assert not [t for t in threading.enumerate() if t.name.startswith("faces")]
