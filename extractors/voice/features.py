"""The voice as numbers: how it sounds, in hops of 0.2 s, whatever the recording's level.

librosa measures frames of 10 ms; each hop holds the mean and the standard deviation of its frames. The
samples are first scaled so that the clip's speech has a level (root mean square) of 0.1, which makes every
column independent of the volume. Entry: samples at 16 kHz. Exit: one row of 130 columns a hop (see
`COLUMNS`), then, where they are asked for, what `encoder` makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from extractors.records import FloatArray, Progress, SecondsArray, Sound, Span, Track
from extractors.voice import encoder
from extractors.voice.head import VoiceHead, load_head

RATE = 16_000
HOP_SECONDS = 0.2
FRAME_STEP = 160  # samples between frames, 10 ms
FRAMES_A_HOP = 20
WINDOW = 512  # samples of a spectrum, 32 ms
PITCH_WINDOW = 1024  # samples of a pitch estimate: two periods of the lowest voice must fit
LOWEST, HIGHEST = 65.0, 500.0  # pitch in Hz
LEVEL = 0.1  # the root mean square that speech is scaled to
FLOOR = 1e-6  # power under which a band counts as silent: 60 dB under speech at LEVEL
BLOCK = 1_000  # frames measured at a time, whole hops of them: memory stays flat however long the clip
# How the time divides: librosa's columns, what the encoder hears; the rest is what the head makes of it.
MEASURING, HEARING = 0.45, 0.5
MELS, CEPSTRA = 40, 20
FRAME_COLUMNS = (
    *(f"mel{i}" for i in range(MELS)),
    *(f"mfcc{i}" for i in range(CEPSTRA)),
    "level",
    "centroid",
    "flatness",
    "pitch",
    "voicing",
)
COLUMNS = (*(f"{name}_mean" for name in FRAME_COLUMNS), *(f"{name}_std" for name in FRAME_COLUMNS))
_PITCH = FRAME_COLUMNS.index("pitch")
_VOICING = FRAME_COLUMNS.index("voicing")
VOICED = 0.5  # voicing above which a frame's pitch is believed


def describe_voice(
    sound: Sound, speech: Sequence[Span], head: VoiceHead | None = None, progress: Progress | None = None
) -> Track:
    """The voice's track: values [hops, 140], one row a hop of 0.2 s; the last may be shorter.

    Confidence is the share of the hop that `speech` (in order, disjoint) covers; a hop that holds speech is described
    by its speech alone. Columns are in `COLUMNS`: log10 power of 40 mel bands plus 3 (-3 is silence), 20 MFCC of
    them, level (log10, plus 1), spectral centroid (kHz), flatness (log10), pitch (octaves above 100 Hz over the voiced
    frames, 0 where none is) and voicing (0..1); each as its mean and its standard deviation over the hop. The
    ten of `encoder.COLUMNS` follow: log-probabilities of nine emotions and the expected score, by the head given
    or by the packaged one. `progress` is called with the share done, 0..1.

    Raises:
        ValueError: the sound is not at 16 kHz; the head's weights are damaged.
    """
    answering = 1 - MEASURING - HEARING
    measured, rows, share = _describe_hops(sound, speech, progress)
    found = encoder.encode(rows, share, head or load_head(), _part(progress, 1 - answering, answering))
    start = sound.start + HOP_SECONDS * np.arange(len(measured), dtype=np.float64)
    end = np.minimum(start + HOP_SECONDS, sound.start + sound.duration)
    columns = (*COLUMNS, *encoder.COLUMNS)
    return Track(np.concatenate([measured, found], axis=1), start, end, share, columns)


def hop_rows(sound: Sound, speech: Sequence[Span]) -> tuple[NDArray[np.float16], FloatArray]:
    """What the head reads of each hop [hops, 2434], and the share of speech in it [hops]."""
    return _describe_hops(sound, speech)[1:]


def _describe_hops(
    sound: Sound, speech: Sequence[Span], progress: Progress | None = None
) -> tuple[FloatArray, NDArray[np.float16], FloatArray]:
    """librosa's columns [hops, 130], what the head reads of each hop [hops, 2434], and its share of speech [hops]."""
    if sound.rate != RATE:
        raise ValueError(f"expected sound at {RATE} Hz, got {sound.rate}: read it with read_sound")
    spans = [Span(s.start - sound.start, s.end - sound.start) for s in speech]
    spoken = spoken_frames(len(sound.samples), spans)
    measured = voice_features(sound.samples, spoken, _part(progress, 0.0, MEASURING))
    start = HOP_SECONDS * np.arange(len(measured), dtype=np.float64)
    share = speech_shares(spans, start, np.minimum(start + HOP_SECONDS, sound.duration))
    gain = level_gain(sound.samples, spoken)
    rows = encoder.hop_rows(sound.samples, gain, measured, spoken, _part(progress, MEASURING, HEARING))
    return measured, rows, share


def _part(progress: Progress | None, before: float, share: float) -> Progress | None:
    """What a step that is `share` of the whole, with `before` done already, tells its own progress to."""
    return None if progress is None else lambda done: progress(before + share * done)


def voice_features(
    samples: FloatArray, spoken: NDArray[np.bool_] | None = None, progress: Progress | None = None
) -> FloatArray:
    """Features [hops, 130] of samples [n] at 16 kHz, hops = ceil(n / 3200); columns as in `COLUMNS`.

    `spoken` [ceil(n / 160)] marks the frames of 10 ms that are speech: they set the level, and where a hop
    has some, it is described by them alone. Without it every frame counts. `progress` is called with the share done.
    """
    frames = -(-len(samples) // FRAME_STEP)
    if frames == 0:
        return np.zeros((0, len(COLUMNS)), np.float32)
    if spoken is None or not spoken.any():
        spoken = np.ones(frames, bool)
    samples = np.asarray(samples, np.float32)
    gain = level_gain(samples, spoken)
    hops = []
    for first in range(0, frames, BLOCK):
        hops.append(pool_hops(_measure(samples, gain, first), spoken[first : first + BLOCK]))
        if progress is not None:
            progress(min(1.0, (first + BLOCK) / frames))
    return np.concatenate(hops)


def spoken_frames(count: int, speech: Sequence[Span]) -> NDArray[np.bool_]:
    """Which frames of 10 ms of `count` samples have their middle in a span (seconds from sample 0)."""
    middle = (np.arange(-(-count // FRAME_STEP)) + 0.5) * FRAME_STEP / RATE
    edges = [edge for span in speech for edge in (span.start, span.end)]
    return np.searchsorted(edges, middle, side="right") % 2 == 1


def level_gain(samples: FloatArray, spoken: NDArray[np.bool_]) -> np.float32:
    """What brings the spoken frames' root mean square to LEVEL; 1 for digital silence, which stays silence."""
    power, count = 0.0, 0
    for i in range(0, len(spoken), BLOCK):
        block = samples[i * FRAME_STEP : (i + BLOCK) * FRAME_STEP]
        heard = block[np.repeat(spoken[i : i + BLOCK], FRAME_STEP)[: len(block)]]
        power += float(np.sum(np.square(heard, dtype=np.float64)))
        count += len(heard)
    level = np.sqrt(power / max(count, 1))
    return np.float32(LEVEL / level) if level > 1e-7 else np.float32(1)


def _measure(samples: FloatArray, gain: np.float32, first: int) -> FloatArray:
    """Features [<= BLOCK, 65] of the frames from `first` on; a frame is centred on the middle of its 160 samples."""
    half = PITCH_WINDOW // 2 - FRAME_STEP // 2
    count = min(BLOCK, -(-len(samples) // FRAME_STEP) - first)
    begin = first * FRAME_STEP - half
    end = begin + (count - 1) * FRAME_STEP + PITCH_WINDOW
    block = samples[max(0, begin) : end] * gain
    return measure_block(np.pad(block, (max(0, -begin), max(0, end - len(samples)))))


def measure_block(samples: FloatArray) -> FloatArray:
    """Features [T, 65] of a block whose frame i is centred on sample 160 i + 512."""
    import librosa

    margin = (PITCH_WINDOW - WINDOW) // 2
    inner = samples[margin : len(samples) - margin]
    power = np.abs(librosa.stft(inner, n_fft=WINDOW, hop_length=FRAME_STEP, center=False)) ** 2 / WINDOW
    mel = librosa.feature.melspectrogram(S=power, sr=RATE, n_mels=MELS, fmin=60.0, fmax=7600.0, norm=None)
    log_mel = np.log10(mel + FLOOR).T + 3.0
    cepstra = librosa.feature.mfcc(S=log_mel.T, n_mfcc=CEPSTRA).T
    level = 0.5 * np.log10(power.mean(axis=0) + FLOOR) + 1.0
    magnitude = np.sqrt(power) + 1e-7
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=RATE)[0] / 1000
    flatness = np.log10(librosa.feature.spectral_flatness(S=magnitude, amin=1e-14)[0] + 1e-6)
    pitch, voicing = _pitch(samples)
    return np.column_stack([log_mel, cepstra, level, centroid, flatness, pitch, voicing]).astype(np.float32)


def _pitch(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pitch [T] in octaves above 100 Hz by YIN; voicing [T], how alike the frame is a period later."""
    import librosa

    hertz = librosa.yin(
        samples,
        fmin=LOWEST,
        fmax=HIGHEST,
        sr=RATE,
        frame_length=PITCH_WINDOW,
        hop_length=FRAME_STEP,
        center=False,
    )
    frames = np.lib.stride_tricks.sliding_window_view(samples, PITCH_WINDOW)[::FRAME_STEP]
    lag = np.clip(np.rint(RATE / hertz).astype(np.intp), 1, PITCH_WINDOW // 2)
    first = frames[:, : PITCH_WINDOW // 2]
    later = np.take_along_axis(frames, lag[:, None] + np.arange(PITCH_WINDOW // 2), axis=1)
    norms = np.einsum("tn,tn->t", first, first) * np.einsum("tn,tn->t", later, later)
    correlation = np.einsum("tn,tn->t", first, later) / np.sqrt(norms + 1e-8)
    return np.log2(hertz / 100).astype(np.float32), np.clip(correlation, 0, 1).astype(np.float32)


def pool_hops(frames: FloatArray, spoken: NDArray[np.bool_]) -> FloatArray:
    """Mean and standard deviation [hops, 130] over the hop's spoken frames (all where none is)."""
    hops = -(-len(frames) // FRAMES_A_HOP)
    missing = hops * FRAMES_A_HOP - len(frames)
    shape = (hops, FRAMES_A_HOP, -1)
    values = np.pad(frames, ((0, missing), (0, 0))).reshape(shape)
    held = np.pad(np.ones(len(frames), bool), (0, missing)).reshape(shape)
    heard = np.pad(spoken, (0, missing)).reshape(shape)
    heard = np.where(heard.any(axis=1, keepdims=True), heard, held)
    weight = np.repeat(heard, frames.shape[1], axis=2).astype(np.float32)
    weight[:, :, _PITCH] *= values[:, :, _VOICING] > VOICED
    total = np.maximum(weight.sum(axis=1), 1)
    mean = (values * weight).sum(axis=1) / total
    variance = (np.square(values - mean[:, None]) * weight).sum(axis=1) / total
    return np.concatenate([mean, np.sqrt(variance)], axis=1).astype(np.float32)


def speech_shares(speech: Sequence[Span], start: SecondsArray, end: SecondsArray) -> FloatArray:
    """The share (0..1) of each start..end that lies in the spans, which are in order and disjoint."""
    if not speech:
        return np.zeros(len(start), np.float32)
    edges = np.array([edge for span in speech for edge in (span.start, span.end)])
    lengths = np.diff(edges)
    lengths[1::2] = 0.0  # the gaps between spans
    spoken = np.concatenate([[0.0], np.cumsum(lengths)])
    covered = np.interp(end, edges, spoken) - np.interp(start, edges, spoken)
    return np.clip(covered / np.maximum(end - start, 1e-9), 0, 1).astype(np.float32)
