"""The whole path: a clip's file in, an Analysis out.

    probe -> sound -> speech -> words -> text  \\
                           \\-> voice           -> grid -> coupled network -> Analysis
          -> pictures -> faces                 /

Pictures are decoded in a thread beside the sound, since the two share nothing and most of both runs outside the
interpreter's lock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from app import analysis as plain
from app.analysis import MODALITIES, NAMES, Analysis
from app.estimate import Estimate
from app.memory import check_memory
from app.stages import Progress, Stages
from app.zerogpu import predict_clip
from extractors.cache import Cache
from extractors.clip import ClipReader
from extractors.cores import cores
from extractors.records import Grid, InputError, MediaInfo, Sound, Span, Track, Transcript
from extractors.threads import side_by_side
from extractors.words.languages import ENGLISH, LanguageError, language_name

if TYPE_CHECKING:
    from model.inference.prediction import Dynamics, Interval, Prediction

RARE = 0.25  # presence (mean over the clip) under which a modality's rarity is told


@dataclass
class _Heard:
    """What the clip gave: the transcript, the tracks, and why a modality is missing."""

    transcript: Transcript = field(default_factory=Transcript)
    tracks: dict[str, Track] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def analyze(
    clip: str | Path,
    transcript: str | Path | None = None,
    progress: Progress | None = None,
    cache: Cache | None = None,
    language: str | None = None,
    keep: Callable[[Grid], None] | None = None,
    expect: Callable[[Estimate], None] | None = None,
) -> Analysis:
    """Everything the model has to say about one clip.

    transcript: a file .srt, .vtt or .txt that replaces speech recognition. progress(stage, fraction) is called with
    the names of `app.stages.STAGES`, one call at a time but from several threads; if it raises, the analysis stops
    and the exception comes out here. What was worked out before is read from the `cache`, so that a corrected
    transcript costs its own words alone. language: a code such as "de", "auto", or as the environment says, or English;
    words that are not English are shown and not scored. `keep` is given the grid of features that the answer was read
    from, for whoever asks more of it (see `app.asking`). `expect` is given, once the clip is opened, what tells the
    time left.

    Raises:
        InputError: the clip or the transcript cannot be used, it needs more memory than there is, or nothing of any
        modality was found in it; the message is one sentence.
    """
    begin = time.perf_counter()
    stages = Stages(progress)
    with stages.stage("probe") as told:
        reader = ClipReader(clip, transcript, cache, language, told)
        check_memory(reader.info)
    stages.estimate = Estimate(reader.info)
    if expect is not None:
        expect(stages.estimate)
    _share_cores()
    heard = _hear_and_see(reader, stages)
    if not heard.tracks:
        raise InputError(f"There is nothing to analyse: {_join(sorted(set(heard.missing.values())))}.")
    grid = _to_grid(reader, heard.tracks, stages)
    if keep is not None:
        keep(grid)
    prediction, dynamics = _predict(grid, stages)
    stages.timings["total"] = round(time.perf_counter() - begin, 4)
    warnings = [*reader.warnings, *_missing(heard.missing), *_rare(grid)]
    tone = _tone(heard.tracks["audio"], grid) if "audio" in heard.tracks else None
    return build(reader.info, heard.transcript, grid, prediction, dynamics, stages.timings, warnings, tone)


def build(
    info: MediaInfo,
    transcript: Transcript,
    grid: Grid,
    prediction: Prediction,
    dynamics: Dynamics,
    timings: dict[str, float],
    warnings: Iterable[str],
    tone: plain.Tone | None = None,
) -> Analysis:
    """An Analysis out of the parts' arrays: plain numbers, every modality in `presence`."""
    silence = np.zeros(len(grid.start))
    words = tuple(plain.TimedWord(w.word, float(w.start), float(w.end)) for w in transcript.words)
    return Analysis(
        schema=plain.SCHEMA,
        clip=plain.Clip(
            float(info.duration), info.width, info.height, float(info.fps), info.has_audio, info.has_video
        ),
        transcript=plain.Transcript(
            transcript.source if words else "none",
            words,
            transcript.sentences,
            transcript.language if words else "",
        ),
        ticks=plain.Ticks(_line(grid.start), float(grid.step)),
        presence={m: _line(grid.presence.get(m, silence)) for m in MODALITIES},
        sentiment=sentiment_of(prediction),
        dynamics=dynamics_of(dynamics),
        timings=dict(timings),
        warnings=tuple(dict.fromkeys(warnings)),
        tone=tone,
        confidence={m: _line(grid.confidence.get(m, silence)) for m in MODALITIES},
    )


def sentiment_of(prediction: Prediction) -> plain.Sentiment:
    """A network's scores as plain numbers, within -3..3."""
    score = _clamp(prediction.clip)
    alone = {
        m: plain.AloneScore(_clamp(a.score), _line(a.ticks), _interval(a.interval))
        for m, a in prediction.alone.items()
    }
    whole = plain.ClipScore(score, plain.label(score))
    return plain.Sentiment(whole, _line(prediction.ticks), alone, _interval(prediction.interval))


def dynamics_of(dynamics: Dynamics) -> plain.Dynamics:
    """A network's dynamics as plain numbers."""
    norms = {m: _line(norm) for m, norm in dynamics.state_norm.items()}
    shares = {t: {s: _line(line) for s, line in row.items()} for t, row in dynamics.share.items()}
    return plain.Dynamics(norms, shares)


def _share_cores() -> None:
    """Half of the cores to each of the two branches.

    With all of them to both, small networks wait at torch's barriers: on two busy cores finding speech in 60 s of
    sound took 17 s with two threads and 1 s with one.
    """
    import torch

    torch.set_num_threads(max(1, cores() // 2))


def _hear_and_see(reader: ClipReader, stages: Stages) -> _Heard:
    """What the sound gave and, looked at beside it, the pictures."""
    try:
        looked, heard = side_by_side(
            partial(_look, reader, stages), partial(_listen, reader, stages), stages.stop
        )
    except BaseException as error:
        raise stages.cause or error from None  # not that this thread was stopped, but why
    faces, unseen = looked
    if faces is None:
        heard.missing["visual"] = unseen
    else:
        heard.tracks["visual"] = faces
    return heard


def _listen(reader: ClipReader, stages: Stages) -> _Heard:
    """Sound, speech, words, their meaning, and the voice, one after another."""
    heard = _Heard()
    sound, speech = _sound(reader, stages)
    silent = "no speech was heard in the clip" if sound is not None else "the clip has no sound"
    unheard = "no words were recognised" if speech else silent
    with stages.stage("words") as done:
        try:
            heard.transcript = reader.words(sound, speech, done)
        except LanguageError as error:
            unheard = str(error).rstrip(".")
    if not heard.transcript.words:
        heard.missing["text"] = unheard
    elif heard.transcript.language != ENGLISH:
        heard.missing["text"] = _unscored(heard.transcript)
    else:
        with stages.stage("text") as done:
            heard.tracks["text"] = reader.text(heard.transcript, done)
    if sound is not None and speech:
        with stages.stage("voice") as done:
            heard.tracks["audio"] = reader.voice(sound, speech, done)
    else:
        heard.missing["audio"] = silent
    return heard


def _unscored(transcript: Transcript) -> str:
    """Why words that are not English have no score.

    There are encoders for them, but their numbers mean something else than those that the network learnt to read: it
    would give a score, and the score would mean nothing.
    """
    language = language_name(transcript.language)
    return (
        f"the words are in {language} and the network learnt from English, so they are shown and not scored"
    )


def _sound(reader: ClipReader, stages: Stages) -> tuple[Sound | None, tuple[Span, ...]]:
    """The clip's sound, and where somebody speaks in it."""
    if not reader.info.has_audio:
        # Nothing is worked out, but what follows rests on there being none.
        return (sound := reader.sound()), reader.speech(sound)
    with stages.stage("sound") as done:
        sound = reader.sound(done)
    if sound is None:
        return None, reader.speech(None)
    with stages.stage("speech") as done:
        return sound, reader.speech(sound, done)


def _look(reader: ClipReader, stages: Stages) -> tuple[Track | None, str]:
    """The face's track, or None and the reason why there is none."""
    if not reader.info.has_video:
        return None, "the clip has no pictures"
    with stages.stage("faces") as done:
        track = reader.faces(done)
    if not (track.confidence > 0).any():
        return None, "no face was found in the video"
    return track, ""


def _to_grid(reader: ClipReader, tracks: dict[str, Track], stages: Stages) -> Grid:
    with stages.stage("grid"):
        grid = reader.grid(tracks)
    if not any(float(np.max(p, initial=0)) > 0 for p in grid.presence.values()):
        raise InputError("There is nothing to analyse: no words, voice or face could be placed in time.")
    return grid


def _predict(grid: Grid, stages: Stages) -> tuple[Prediction, Dynamics]:
    with stages.stage("model") as done:
        return predict_clip(grid.values, grid.presence, done)


def _missing(reasons: dict[str, str]) -> list[str]:
    """One sentence a reason, naming what the answer rests on instead."""
    if not reasons:
        return []
    left = [NAMES[m] for m in MODALITIES if m not in reasons]
    rests = (
        f"the answer rests on the {left[0]} alone" if len(left) == 1 else f"the answer rests on {_join(left)}"
    )
    told = dict.fromkeys(reasons[m] for m in MODALITIES if m in reasons)
    return [f"{reason[0].upper()}{reason[1:]}: {rests}." for reason in told]


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


def _interval(interval: Interval | None) -> plain.Interval | None:
    if interval is None:
        return None
    low, high = interval.clip
    return plain.Interval(float(low), float(high), _line(interval.low), _line(interval.high))


def _tone(voice: Track, grid: Grid) -> plain.Tone:
    from extractors.voice.tone import read_tone

    pitch, loudness = (_gapped(line) for line in read_tone(voice, len(grid.start), grid.step))
    return plain.Tone(pitch, loudness)


def _gapped(values: ArrayLike) -> plain.Gapped:
    return tuple(None if math.isnan(value) else value for value in _line(values))


def _line(values: ArrayLike) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())


def _clamp(score: float) -> float:
    return float(min(plain.HIGHEST, max(plain.LOWEST, score)))
