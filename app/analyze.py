"""The whole path: a clip's file in, an Analysis out.

    probe -> sound -> speech -> words -> text  \\
                           \\-> voice           -> grid -> coupled network -> Analysis
          -> pictures -> faces                 /

Pictures are decoded in a thread beside the sound, since the two share nothing and most of both runs outside the
interpreter's lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from app import analysis as plain
from app.analysis import MODALITIES, Analysis
from app.stages import Progress, Stages
from extractors.records import Frame, Grid, InputError, MediaInfo, Sound, Span, Track, Transcript

if TYPE_CHECKING:
    from model.inference import Dynamics, Prediction

FACES_A_SECOND = 5.0
RARE = 0.25  # presence (mean over the clip) under which a modality's rarity is told
NAMES = {"text": "words", "audio": "voice", "visual": "face"}


@dataclass
class _Heard:
    """What the sound gave: the transcript, the tracks, and why a modality is missing."""

    transcript: Transcript = field(default_factory=Transcript)
    tracks: dict[str, Track] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def analyze(
    clip: str | Path, transcript: str | Path | None = None, progress: Progress | None = None
) -> Analysis:
    """Everything the model has to say about one clip.

    transcript: a file .srt, .vtt or .txt that replaces speech recognition. progress(stage, fraction) is called with
    the names of `app.stages.STAGES`, one call at a time but from several threads; if it raises, the analysis stops
    and the exception comes out here.

    Raises:
        InputError: the clip or the transcript cannot be used, or nothing of any modality was found in it; the
        message is one sentence.
    """
    begin = time.perf_counter()
    stages = Stages(progress)
    warnings: list[str] = []
    with stages.stage("probe"):
        info = _probe(clip, warnings)
    _share_cores()
    with ThreadPoolExecutor(1, thread_name_prefix="faces") as beside:
        looking = beside.submit(_look, info, stages, warnings)
        looking.add_done_callback(lambda done: stages.stop(done.exception()))
        try:
            heard = _listen(info, transcript, stages, warnings)
            faces, unseen = looking.result()
        except BaseException as error:
            stages.stop(error)
            raise stages.cause or error from None  # not that this thread was stopped, but why
    tracks = heard.tracks | ({} if faces is None else {"visual": faces})
    missing = heard.missing | ({"visual": unseen} if unseen else {})
    if not tracks:
        raise InputError(f"There is nothing to analyse: {_join(sorted(set(missing.values())))}.")
    grid = _to_grid(tracks, info.duration, stages)
    prediction, dynamics = _predict(grid, stages)
    stages.timings["total"] = round(time.perf_counter() - begin, 4)
    warnings = [*warnings, *_missing(missing), *_rare(grid)]
    return build(info, heard.transcript, grid, prediction, dynamics, stages.timings, warnings)


def build(
    info: MediaInfo,
    transcript: Transcript,
    grid: Grid,
    prediction: Prediction,
    dynamics: Dynamics,
    timings: dict[str, float],
    warnings: Iterable[str],
) -> Analysis:
    """An Analysis out of the parts' arrays: plain numbers, every modality in `presence`."""
    silence = np.zeros(len(grid.start))
    words = tuple(plain.TimedWord(w.word, float(w.start), float(w.end)) for w in transcript.words)
    score = _clamp(prediction.clip)
    return Analysis(
        schema=plain.SCHEMA,
        clip=plain.Clip(
            float(info.duration), info.width, info.height, float(info.fps), info.has_audio, info.has_video
        ),
        transcript=plain.Transcript(transcript.source if words else "none", words),
        ticks=plain.Ticks(_line(grid.start), float(grid.step)),
        presence={m: _line(grid.presence.get(m, silence)) for m in MODALITIES},
        sentiment=plain.Sentiment(
            plain.ClipScore(score, plain.label(score)),
            _line(prediction.ticks),
            {m: plain.AloneScore(_clamp(a.score), _line(a.ticks)) for m, a in prediction.alone.items()},
        ),
        dynamics=plain.Dynamics(
            {m: _line(norm) for m, norm in dynamics.state_norm.items()},
            {t: {s: _line(line) for s, line in row.items()} for t, row in dynamics.share.items()},
        ),
        timings=dict(timings),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _share_cores() -> None:
    """Half of the cores to each of the two branches.

    With all of them to both, small networks wait at torch's barriers: on two busy cores finding speech in 60 s of
    sound took 17 s with two threads and 1 s with one.
    """
    import torch

    torch.set_num_threads(
        max(1, len(os.sched_getaffinity(0)) // 2) if hasattr(os, "sched_getaffinity") else 1
    )


def _probe(clip: str | Path, warnings: list[str]) -> MediaInfo:
    from extractors.media import probe

    return probe(clip, warnings=warnings)


def _listen(info: MediaInfo, transcript: str | Path | None, stages: Stages, warnings: list[str]) -> _Heard:
    """Sound, speech, words, their meaning, and the voice, one after another."""
    heard = _Heard()
    sound, speech = _sound(info, stages, warnings)
    silent = "no speech was heard in the clip" if sound is not None else "the clip has no sound"
    heard.transcript = _words(info, transcript, sound, speech, stages, warnings)
    if heard.transcript.words:
        from extractors.text import embed_words

        with stages.stage("text"):
            heard.tracks["text"] = embed_words(heard.transcript)
    else:
        heard.missing["text"] = "no words were recognised" if speech else silent
    if sound is not None and speech:
        from extractors.voice import describe_voice

        with stages.stage("voice"):
            heard.tracks["audio"] = describe_voice(sound, speech)
    else:
        heard.missing["audio"] = silent
    return heard


def _sound(info: MediaInfo, stages: Stages, warnings: list[str]) -> tuple[Sound | None, tuple[Span, ...]]:
    """The clip's sound, and where somebody speaks in it."""
    from extractors.media import read_sound
    from extractors.vad import find_speech

    if not info.has_audio:
        return None, ()
    with stages.stage("sound"):
        sound = read_sound(info.path, warnings=warnings)
    if sound is None:
        return None, ()
    with stages.stage("speech"):
        return sound, find_speech(sound)


def _words(
    info: MediaInfo,
    given: str | Path | None,
    sound: Sound | None,
    speech: tuple[Span, ...],
    stages: Stages,
    warnings: list[str],
) -> Transcript:
    """The transcript given, or else the clip's own subtitles, or else what is recognised in the speech."""
    from extractors.embedded import read_embedded
    from extractors.subtitles import read_transcript
    from extractors.words import recognise

    with stages.stage("words") as done:
        if given is not None:
            return read_transcript(given, sound, speech, info.duration)
        embedded = read_embedded(info.path, sound, speech, info.duration, warnings)
        if embedded is not None:
            return embedded
        return Transcript() if sound is None else recognise(sound, speech, progress=done)


def _look(info: MediaInfo, stages: Stages, warnings: list[str]) -> tuple[Track | None, str]:
    """The face's track, or None and the reason why there is none."""
    if not info.has_video:
        return None, "the clip has no pictures"
    from extractors.face import describe_faces
    from extractors.media import read_frames

    with stages.stage("faces") as done:
        frames = read_frames(info.path, per_second=FACES_A_SECOND, warnings=warnings)
        track = describe_faces(_counted(frames, info.duration, done))
    if not (track.confidence > 0).any():
        return None, "no face was found in the video"
    return track, ""


def _counted(frames: Iterable[Frame], duration: float, done: Callable[[float], None]) -> Iterator[Frame]:
    """The frames, reporting how far in the clip each lies."""
    for frame in frames:
        done(min(0.99, frame.time / duration))
        yield frame


def _to_grid(tracks: dict[str, Track], duration: float, stages: Stages) -> Grid:
    from extractors.grid import to_grid

    with stages.stage("grid"):
        grid = to_grid(tracks, duration)
    if not any(float(np.max(p, initial=0)) > 0 for p in grid.presence.values()):
        raise InputError("There is nothing to analyse: no words, voice or face could be placed in time.")
    return grid


def _predict(grid: Grid, stages: Stages) -> tuple[Prediction, Dynamics]:
    from model.inference import load_default, predict

    with stages.stage("model"):
        return predict(load_default(), grid.values, grid.presence)


def _missing(reasons: dict[str, str]) -> list[str]:
    """One sentence a reason, naming what the answer rests on instead."""
    if not reasons:
        return []
    left = _join([NAMES[m] for m in MODALITIES if m not in reasons])
    told = dict.fromkeys(reasons[m] for m in MODALITIES if m in reasons)
    return [f"{reason[0].upper()}{reason[1:]}: the answer rests on {left}." for reason in told]


def _rare(grid: Grid) -> list[str]:
    """A sentence for each modality that was there, but for little of the clip."""
    verbs = {"text": "Words were heard", "audio": "A voice was heard", "visual": "A face was seen"}
    shares = {m: float(np.mean(np.asarray(p) > 0)) for m, p in grid.presence.items()}
    return [
        f"{verbs[m]} for only {100 * shares[m]:.0f} % of the clip."
        for m in MODALITIES
        if 0 < shares.get(m, 0) < RARE
    ]


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _line(values: ArrayLike) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())


def _clamp(score: float) -> float:
    return float(min(plain.HIGHEST, max(plain.LOWEST, score)))
