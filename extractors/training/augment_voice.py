"""The same sentence as another voice, room, microphone or line would give it, for training.

Entry and exit: samples [n] at 16 kHz. What is drawn comes from the generator given, so a version is the same
whenever it is made again.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from extractors.records import FloatArray

RATE = 16_000
SEMITONE = 2 ** (1 / 12)
CODECS = (("mp3", "mp3", 24_000), ("ogg", "libopus", 12_000), ("wav", "pcm_mulaw", 0), ("wav", "pcm_alaw", 0))


def vary(samples: FloatArray, draw: np.random.Generator) -> tuple[FloatArray, float]:
    """One version of samples [n], as [n / pace], and the pace (1.1: a tenth faster).

    The voice is changed in most versions, the room, the noise, the band and the coding each in some.
    """
    samples, pace = change_voice(np.asarray(samples, np.float32), draw)
    if draw.random() < 0.3:
        samples = reverberate(samples, draw.uniform(0.15, 0.6), draw)
    if draw.random() < 0.5:
        samples = add_noise(samples, draw.uniform(8, 30), draw)
    kind = draw.random()
    if kind < 0.2:
        samples = band(samples, None, draw.uniform(2500, 6000))
    elif kind < 0.35:
        samples = band(samples, 300, 3400)
    elif kind < 0.6:
        samples = tilt(samples, draw.uniform(-6, 6))
    if draw.random() < 0.3:
        container, codec, bits = CODECS[draw.integers(len(CODECS))]
        samples = code(samples, container, codec, bits)
    return samples * np.float32(10 ** draw.uniform(-0.6, 0.1)), pace


def change_voice(samples: FloatArray, draw: np.random.Generator) -> tuple[FloatArray, float]:
    """Played at another speed, at another pitch or at another pace, or left alone; samples and pace."""
    kind = draw.random()
    if kind < 0.4:
        pace = SEMITONE ** draw.uniform(-2, 2)
        return resample(samples, pace), pace
    if kind < 0.6:
        # A pitch shift by resampling what was stretched before: formants move with it, as in another throat.
        shift = SEMITONE ** draw.uniform(-2, 2)
        return resample(stretch(samples, 1 / shift), shift), 1.0
    if kind < 0.75:
        pace = math.exp(draw.uniform(-0.15, 0.15))
        return stretch(samples, pace), pace
    return samples, 1.0


def resample(samples: FloatArray, speed: float) -> FloatArray:
    """Samples played `speed` times as fast, pitch and all: [ceil(n / speed)]."""
    import librosa

    played = librosa.resample(samples, orig_sr=RATE * speed, target_sr=RATE, res_type="soxr_mq")
    return np.asarray(played, np.float32)


def stretch(samples: FloatArray, pace: float) -> FloatArray:
    """Samples spoken `pace` times as fast at the same pitch (phase vocoder): [n / pace]."""
    from librosa.effects import time_stretch

    return np.asarray(time_stretch(samples, rate=pace, n_fft=1024), np.float32)


def reverberate(samples: FloatArray, seconds: float, draw: np.random.Generator) -> FloatArray:
    """In a room whose echo falls by 60 dB in `seconds`: the sound itself, then noise that dies away."""
    from scipy.signal import fftconvolve

    time = np.arange(round(seconds * RATE)) / RATE
    echo = draw.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    echo *= draw.uniform(0.2, 0.7) / np.sqrt(np.sum(np.square(echo)))
    echo[0] += 1.0
    return fftconvolve(samples, echo)[: len(samples)].astype(np.float32)


def add_noise(samples: FloatArray, decibels: float, draw: np.random.Generator) -> FloatArray:
    """With noise between white and brown, `decibels` under the sound's own power."""
    spectrum = np.fft.rfft(draw.standard_normal(len(samples)))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1) ** -draw.uniform(0, 1)
    noise = np.fft.irfft(spectrum, len(samples))
    power = float(np.mean(np.square(samples))) / 10 ** (decibels / 10)
    gain = np.sqrt(power / max(float(np.mean(np.square(noise))), 1e-12))
    return np.asarray(samples + noise * gain, np.float32)


def band(samples: FloatArray, low: float | None, high: float) -> FloatArray:
    """Without what is under `low` or over `high` Hz (Butterworth, order 6)."""
    from scipy.signal import butter, sosfilt

    edges = high if low is None else (low, high)
    sections = butter(6, edges, "lowpass" if low is None else "bandpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(sections, samples), np.float32)


def tilt(samples: FloatArray, decibels: float) -> FloatArray:
    """Through a microphone whose response changes by `decibels` an octave above 500 Hz."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    octaves = np.log2(np.maximum(hertz, 500) / 500)
    return np.fft.irfft(spectrum * 10 ** (decibels * octaves / 20), len(samples)).astype(np.float32)


def code(samples: FloatArray, container: str, codec: str, bits: int) -> FloatArray:
    """Samples [n] as they come back from a lossy codec at `bits` a second (0: the codec's own rate)."""
    import av

    whole = np.clip(samples * (0.5 / max(float(np.abs(samples).max()), 1e-6)), -1, 1)
    rate = 48_000 if codec == "libopus" else 8_000 if codec.startswith("pcm") else RATE
    held = io.BytesIO()
    with av.open(held, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="mono")
        if bits:
            stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(
            (whole * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    held.seek(0)
    back = av.AudioResampler("flt", "mono", RATE)
    with av.open(held, "r", format=container) as file:
        parts = [p.to_ndarray()[0] for f in file.decode(audio=0) for p in back.resample(f)]
    decoded = np.concatenate([*parts, *(p.to_ndarray()[0] for p in back.resample(None))])[: len(samples)]
    return np.pad(decoded, (0, len(samples) - len(decoded))).astype(np.float32)
