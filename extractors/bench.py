"""`python -m extractors.bench CLIP`: what each stage from clip to grid costs, beside peers that can run here.

Every stage runs twice: first with the loading of its libraries and weights, then warm. Processor seconds (all
cores together) and memory are those of the warm run; memory is the whole process's high-water mark, models included.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from extractors.cache import Cache
from extractors.clip import FACES_A_SECOND, GLANCES_A_SECOND, ClipReader
from extractors.records import FloatArray, InputError, MediaInfo, Sound, Span, Track, Transcript

PEER_SECONDS = 20.0  # peers on sound get this much of it at most: pyin takes longer than the clip lasts
LIBRARIES = ("av", "librosa", "moonshine-voice", "opencv-python-headless", "silero-vad", "torch")


@dataclass(frozen=True)
class Row:
    """One line of the table. Times in seconds; `span` is the media's seconds that they were spent on."""

    stage: str
    first: float
    warm: float
    processor: float
    span: float
    peak_mb: float | None
    found: str

    @property
    def factor(self) -> float:
        """Real-time factor: seconds of work a second of media."""
        return self.warm / max(self.span, 1e-9)


@dataclass
class Run:
    """What the stages have made so far, for those that follow."""

    clip: Path
    info: MediaInfo | None = None
    sound: Sound | None = None
    speech: tuple[Span, ...] = ()
    transcript: Transcript = field(default_factory=Transcript)
    tracks: dict[str, Track] = field(default_factory=dict)
    folder: Path = Path()
    corrections: int = 0

    @property
    def duration(self) -> float:
        """The clip's seconds."""
        return self.info.duration if self.info else 0.0


Step = Callable[[Run], str]


def _probe(run: Run) -> str:
    from extractors.media import probe

    run.info = probe(run.clip)
    return f"{run.info.width} x {run.info.height}, {run.info.duration:.1f} s"


def _sound(run: Run) -> str:
    from extractors.media import read_sound

    run.sound = read_sound(run.clip)
    return "no sound" if run.sound is None else f"{run.sound.duration:.1f} s"


def _speech(run: Run) -> str:
    from extractors.vad import find_speech

    run.speech = () if run.sound is None else find_speech(run.sound)
    return f"{sum(s.end - s.start for s in run.speech):.1f} s of speech"


def _words(run: Run) -> str:
    """Recognition, even where the clip has subtitles of its own: that is the cost to know."""
    from extractors.words import recognise

    run.transcript = Transcript() if run.sound is None else recognise(run.sound, run.speech)
    return f"{len(run.transcript.words)} words"


def _text(run: Run) -> str:
    from extractors.text import embed_words

    if run.transcript.words:
        run.tracks["text"] = embed_words(run.transcript)
    return f"{len(set(run.transcript.sentences))} sentences"


def _voice(run: Run) -> str:
    from extractors.voice import describe_voice

    if run.sound is None or not run.speech:
        return "no voice"
    run.tracks["audio"] = describe_voice(run.sound, run.speech)
    return f"{len(run.tracks['audio'].values)} hops"


def _faces(run: Run) -> str:
    from extractors.face import describe_faces
    from extractors.media import read_looks

    looks = read_looks(run.clip, FACES_A_SECOND, GLANCES_A_SECOND)
    track = describe_faces(looks, lambda: run.sound)
    run.tracks["visual"] = track
    return f"a face in {np.count_nonzero(track.confidence)} of {len(track.confidence)} pictures"


def _grid(run: Run) -> str:
    from extractors.grid import to_grid

    return f"{len(to_grid(run.tracks, run.duration).start)} ticks"


def _again(run: Run) -> str:
    """Every stage through a cache: the first time it is filled, the second time all is read from it."""
    return f"{len(_read_cached(run, None))} stages worked out"


def _corrected(run: Run) -> str:
    """Another word in the transcript each time: its words, their features and the grid are worked out anew."""
    run.corrections += 1
    cues = run.folder / "words.srt"
    lines = [
        f"{i}\n{_stamp(word.start)} --> {_stamp(max(word.end, word.start + 0.05))}\n{word.word}\n"
        for i, word in enumerate(run.transcript.words, 1)
    ]
    lines[0] = lines[0].replace(run.transcript.words[0].word, f"once{run.corrections}")
    cues.write_text("\n".join(lines), encoding="utf-8")
    return f"{', '.join(_read_cached(run, cues))} worked out"


def _read_cached(run: Run, transcript: Path | None) -> list[str]:
    """All of the clip's stages, one after another; the names of those that were worked out."""
    reader = ClipReader(run.clip, transcript, Cache(run.folder / "cache"))
    sound = reader.sound()
    speech = reader.speech(sound)
    words = reader.words(sound, speech)
    tracks = {"text": reader.text(words)} if words.words else {}
    if sound is not None and speech:
        tracks["audio"] = reader.voice(sound, speech)
    reader.grid(tracks | ({"visual": reader.faces()} if reader.info.has_video else {}))
    return reader.worked


def _stamp(seconds: float) -> str:
    """The time as subtitles write it."""
    whole = round(1000 * seconds)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02},{whole % 1000:03}"


def _peer_pictures(run: Run) -> str:
    """Decoding alone: the part of pictures + faces that no faster detection can save."""
    from extractors.media import read_frames

    return f"{sum(1 for _ in read_frames(run.clip, FACES_A_SECOND))} pictures"


def _peer_detection(run: Run) -> str:
    """Every picture searched as a whole, as if there had been none before it; decoding included."""
    from extractors.follow import FaceFollower
    from extractors.media import read_frames

    follower, seen, count = FaceFollower(), 0, 0
    for frame in read_frames(run.clip, FACES_A_SECOND):
        follower.forget()
        seen += follower.look(frame) > 0
        count += 1
    return f"a face in {seen} of {count} pictures"


def _peer_words(run: Run) -> str:
    """Pocketsphinx with its own language model, over the same speech."""
    decoder = _plain_decoder()
    decoder.start_utt()
    decoder.process_raw((_excerpt(run) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    heard = decoder.hyp()
    return f"{len(heard.hypstr.split()) if heard else 0} words"


@cache
def _plain_decoder() -> Any:
    from pocketsphinx import Decoder

    return Decoder(loglevel="FATAL")


def _peer_pitch(run: Run) -> str:
    import librosa

    voiced = librosa.pyin(_excerpt(run), fmin=65.0, fmax=500.0, sr=16_000, hop_length=160)[1]
    return f"{len(voiced)} frames of pitch alone"


def _excerpt(run: Run) -> FloatArray:
    return np.zeros(0, np.float32) if run.sound is None else run.sound.samples[: round(PEER_SECONDS * 16_000)]


STAGES: dict[str, Step] = {
    "probe": _probe,
    "sound": _sound,
    "speech": _speech,
    "words": _words,
    "text": _text,
    "voice": _voice,
    "pictures + faces": _faces,
    "grid": _grid,
}
CACHED: dict[str, Step] = {
    "cache: filled, then read": _again,
}
ON_WORDS: dict[str, Step] = {
    "cache: another transcript": _corrected,
}
ON_SOUND: dict[str, Step] = {
    "words: pocketsphinx alone": _peer_words,
    "voice: librosa.pyin": _peer_pitch,
}
ON_PICTURES: dict[str, Step] = {
    "faces: decoding alone": _peer_pictures,
    "faces: full search of each picture": _peer_detection,
}


def measure(run: Run, steps: dict[str, Step], span: float | None = None) -> list[Row]:
    """A row a step, in order; `span` is the media's seconds they work on, the clip's where it is not given."""
    rows = []
    for name, step in steps.items():
        first = _timed(step, run)[0]
        warm, processor, peak, found = _timed(step, run)
        rows.append(Row(name, first, warm, processor, run.duration if span is None else span, peak, found))
    return rows


def bench(clip: str | Path, peers: bool = True) -> list[Row]:
    """All stages in order, their sum, the same through a cache, and the peers that apply to the clip.

    Raises:
        InputError: the clip cannot be used.
    """
    run = Run(Path(clip))
    rows = measure(run, STAGES)
    peaks = [row.peak_mb for row in rows if row.peak_mb is not None]
    total = Row(
        "all stages",
        sum(row.first for row in rows),
        sum(row.warm for row in rows),
        sum(row.processor for row in rows),
        run.duration,
        max(peaks, default=None),
        "",
    )
    rows.append(total)
    with tempfile.TemporaryDirectory() as folder:
        run.folder = Path(folder)
        rows += measure(run, CACHED | (ON_WORDS if run.transcript.words else {}))
    if peers and run.sound is not None:
        rows += measure(run, ON_SOUND, min(PEER_SECONDS, run.sound.duration))
    if peers and run.info is not None and run.info.has_video:
        rows += measure(run, ON_PICTURES)
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows for reading, and what they were measured with."""
    lines = [f"{'stage':36}{'first s':>9}{'warm s':>9}{'cpu s':>9}{'x time':>9}{'peak MB':>9}  found"]
    for row in rows:
        peak = "-" if row.peak_mb is None else f"{row.peak_mb:,.0f}"
        lines.append(
            f"{row.stage:36}{row.first:9.2f}{row.warm:9.3f}{row.processor:9.3f}{row.factor:9.4f}{peak:>9}"
            f"  {row.found}".rstrip()
        )
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    lines.append(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 and a sentence where the clip cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m extractors.bench", description=__doc__)
    parser.add_argument("clip", help="a video or sound file")
    parser.add_argument("--no-peers", action="store_true", help="the stages alone")
    given = parser.parse_args(arguments)
    try:
        print(table(bench(given.clip, peers=not given.no_peers)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _timed(step: Step, run: Run) -> tuple[float, float, float | None, str]:
    """Seconds by the clock and of processor time, the process's peak memory in MB meanwhile, what the step found."""
    reset = _reset_peak()
    begin, busy = time.perf_counter(), time.process_time()
    found = step(run)
    taken = time.perf_counter() - begin, time.process_time() - busy
    return *taken, _peak() if reset else None, found


def _reset_peak() -> bool:
    """Set the kernel's high-water mark to what is in use now; False where the system has no such thing."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _peak() -> float | None:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1000
    return None


if __name__ == "__main__":
    sys.exit(main())
