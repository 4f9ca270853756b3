"""A clip as long and as high as one likes, made of short ones: for measurements."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from extractors.media.reading import probe, read_frames, read_sound

RATE = 25  # pictures a second of the clip made
SOUND = 16_000


def make_long_apart(sources: Sequence[Path], path: Path, seconds: float, height: int) -> Path:
    """`make_long` in a process of its own: what the encoder leaves behind would count as what is measured."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(make_long, sources, path, seconds, height).result()


def make_long(sources: Sequence[Path], path: Path, seconds: float, height: int) -> Path:
    """Write the sources, one after another and again, as `seconds` of mp4 `height` pixels high; the path.

    They are encoded once and their packets repeated, so half an hour is made in a minute. Raises InputError where a
    source cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        piece = Path(folder) / "piece.mp4"
        _encode(sources, piece, height)
        with av.open(str(piece)) as container, av.open(str(path), "w") as out:
            copies = {
                s.index: out.add_stream_from_template(s)
                for s in (*container.streams.video, *container.streams.audio)
            }
            pictures: Any = container.streams.video[0]
            lasts = float(pictures.duration * pictures.time_base)
            for k in range(int(seconds // lasts) + 1):
                container.seek(0)
                for packet in container.demux():
                    _repeat(packet, copies, k * lasts, lasts, seconds, out)
    return path


def _repeat(
    packet: Any, copies: dict[int, Any], offset: float, lasts: float, seconds: float, out: Any
) -> None:
    """Mux the packet `offset` seconds later, unless it lies outside of its piece or past the end."""
    if packet.pts is None or not packet.size:
        return
    base = packet.time_base
    begin = float(packet.pts * base)
    if begin < 0 or begin + float((packet.duration or 0) * base) > lasts + 1e-3 or offset + begin >= seconds:
        return
    later = round(offset / float(base))
    packet.pts, packet.dts = packet.pts + later, packet.dts + later
    packet.stream = copies[packet.stream.index]
    out.mux(packet)


def _encode(sources: Sequence[Path], path: Path, height: int) -> None:
    """The sources one after another, RATE pictures a second `height` high, with their sound."""
    first = probe(sources[0])
    width = round(first.width * height / max(first.height, 1) / 2) * 2
    with av.open(str(path), "w") as out:
        options = {"preset": "ultrafast", "crf": "27"}
        pictures = out.add_stream("libx264", rate=RATE, options=options)
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        voice: Any = out.add_stream("aac", rate=SOUND, layout="mono")
        sound = []
        for source in sources:
            count = 0
            for image in _steady(source):
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                out.mux(pictures.encode(frame.reformat(width=width, height=height, format="yuv420p")))
                count += 1
            heard = read_sound(source)
            samples = np.zeros(0, np.float32) if heard is None else heard.samples
            samples = samples[: count * SOUND // RATE]
            sound.append(np.pad(samples, (0, count * SOUND // RATE - len(samples))))
        out.mux(pictures.encode(None))
        spoken = av.AudioFrame.from_ndarray(np.concatenate(sound)[None], format="fltp", layout="mono")
        spoken.sample_rate, spoken.pts = SOUND, 0
        fifo = av.AudioFifo()
        fifo.write(spoken)
        while part := fifo.read(1024, partial=True):
            out.mux(voice.encode(part))
        out.mux(voice.encode(None))


def _steady(source: Path) -> Iterator[NDArray[np.uint8]]:
    """The source's pictures RATE a second, whatever its own rate: of each moment the one then shown."""
    shown, given, time = None, 0, 0.0
    for frame in read_frames(source, RATE, None):
        while shown is not None and given < round(frame.time * RATE):
            yield shown
            given += 1
        shown, time = frame.image, frame.time
    while shown is not None and given < round((time + 1 / (probe(source).fps or RATE)) * RATE):
        yield shown
        given += 1
