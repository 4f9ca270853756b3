"""The whole path on real clips, and every kind of bad input: an answer with warnings, or one sentence."""

from __future__ import annotations

import threading
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app import analyze as analyzing
from app.analysis import MODALITIES, Analysis
from app.analyze import analyze, build
from app.stages import STAGES
from extractors.cache import Cache
from extractors.records import Grid, InputError, MediaInfo, Transcript, Word
from model.inference.prediction import Alone, Dynamics, Interval, Prediction
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
    assert (analysis.transcript.source, analysis.transcript.language) == ("recognised", "en")
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


@pytest.mark.slow
def test_each_missing_modality_is_named(tmp_path: Path) -> None:
    silent = analyze(make_clip(tmp_path / "silent.mp4", 2.0, sound=None))
    assert silent.warnings == ("The clip has no sound: the answer rests on the face alone.",)
    assert set(silent.sentiment.alone) == {"visual"}
    assert (silent.transcript.source, silent.transcript.language) == ("none", "")
    faceless = analyze(make_clip(tmp_path / "plain.mp4", 3.0, video="plain"))
    assert "No face was found in the video: the answer rests on words and voice." in faceless.warnings
    assert max(faceless.presence["visual"]) == 0
    wordless = analyze(make_clip(tmp_path / "tone.mp4", 2.0, sound="tone"))
    assert "No speech was heard in the clip: the answer rests on the face alone." in wordless.warnings
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


COUNTED = {
    "probe": "extractors.media.reading.probe",
    "sound": "extractors.media.reading.read_sound",
    "speech": "extractors.voice.vad.find_speech",
    "recognition": "extractors.words.recognition.recognise",
    "transcript": "extractors.words.subtitles.read_transcript",
    "text": "extractors.words.embeddings.embed_words",
    "voice": "extractors.voice.features.describe_voice",
    "faces": "extractors.face.features.find_faces",
    "network": "model.inference.prediction.predict",
}


def _count(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each part of the work is done from now on."""
    counts: Counter[str] = Counter()

    def watch(name: str, place: str) -> None:
        room, _, function = place.rpartition(".")
        real = getattr(import_module(room), function)

        def counted(*given: Any, **named: Any) -> Any:
            counts[name] += 1
            return real(*given, **named)

        monkeypatch.setattr(place, counted)

    for name, place in COUNTED.items():
        watch(name, place)
    return counts


def test_a_corrected_transcript_costs_its_words_and_the_network_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, cache = make_clip(tmp_path / "clip.mp4", 4.0), Cache(tmp_path / "cache")
    given = tmp_path / "words.srt"
    counts = _count(monkeypatch)
    first = analyze(clip, cache=cache)
    assert counts == Counter({name: 1 for name in COUNTED if name != "transcript"})
    for said in ("I hated this terrible film", "I loved this wonderful film"):
        given.write_text(f"1\n00:00:00,500 --> 00:00:03,000\n{said}\n")
        counts.clear()
        corrected = analyze(clip, given, cache=cache)
        assert counts == Counter(probe=1, transcript=1, text=1, network=1)
        assert corrected.sentiment.alone["text"] != first.sentiment.alone["text"]
        for modality in ("audio", "visual"):
            assert corrected.sentiment.alone[modality] == first.sentiment.alone[modality]
    counts.clear()
    again = analyze(clip, given, cache=cache)
    assert counts == Counter(probe=1, network=1)
    assert again.sentiment == corrected.sentiment
    assert again.sentiment == analyze(clip, given).sentiment  # as without a cache


def test_words_that_are_not_english_are_shown_and_not_scored(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 4.0)
    given = tmp_path / "words.txt"
    given.write_text("Все люди рождаются свободными и равными")
    analysis = analyze(clip, given)
    assert [w.word for w in analysis.transcript.words][:2] == ["Все", "люди"]
    assert "text" not in analysis.sentiment.alone
    assert max(analysis.presence["text"]) == 0
    assert analysis.warnings[0] == (
        "The words are in another language than English and the network learnt from English, so they are shown and "
        "not scored: the answer rests on voice and face."
    )
    german = analyze(clip, _german(tmp_path), language="de")
    assert "The words are in German and the network learnt" in german.warnings[0]


def _german(folder: Path) -> Path:
    (folder / "german.srt").write_text("1\n00:00:00,500 --> 00:00:03,000\nDas war gut\n")
    return folder / "german.srt"


def test_a_language_that_cannot_be_heard_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COUPLED_MAMBA_WHISPER", raising=False)
    told: list[tuple[str, float]] = []
    clip = make_clip(tmp_path / "clip.mp4", 3.0)
    analysis = analyze(clip, progress=lambda *report: told.append(report), language="de")
    assert analysis.warnings[0].startswith(
        "Words in German cannot be recognised here: that needs the package"
    )
    assert analysis.warnings[0].endswith("the answer rests on voice and face.")
    assert set(analysis.sentiment.alone) == {"audio", "visual"}
    assert ("words", 1.0) in told
    with pytest.raises(InputError, match="'deutsch': a code such as"):
        analyze(clip, language="deutsch")


def test_the_models_intervals_and_sentences_reach_the_analysis() -> None:
    line = np.zeros(2, np.float32)
    between = Interval((-0.5, 1.0), line - 1, line + 2)
    norms = dict.fromkeys(MODALITIES, line)
    analysis = build(
        MediaInfo("clip.mp4", 0.4, 0, 0, 0.0, True, False),
        Transcript((Word("so", 0.0, 0.1), Word("what", 0.2, 0.3)), (0, 1), "given"),
        Grid(0.2, np.array([0.0, 0.2]), {}, {"text": line + 1}),
        Prediction(0.2, line, {"text": Alone(0.1, line, None)}, between),
        Dynamics(norms, {}),
        {},
        (),
    )
    whole = analysis.sentiment.interval
    assert whole is not None
    assert (whole.low, whole.high, whole.ticks_low, whole.ticks_high) == (-0.5, 1.0, (-1.0, -1.0), (2.0, 2.0))
    assert analysis.sentiment.alone["text"].interval is None
    assert analysis.transcript.sentences == (0, 1)


@pytest.mark.parametrize(("ours", "threads"), [(6, 3), (1, 1)])
def test_each_branch_has_half_of_the_cores(ours: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzing, "cores", lambda: ours)
    given: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    analyzing._share_cores()
    assert given == [threads]
