"""What `extractors.bench` measures: each stage of the way from clip to grid, then the way as the page goes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from extractors.bench.run import Run, Step
from extractors.cache import Cache
from extractors.clip import FACES_A_SECOND, GLANCES_A_SECOND, ClipReader
from extractors.cores import cores
from extractors.records import Transcript
from extractors.tracks import read_tracks


def _probe(run: Run) -> str:
    from extractors.media.reading import probe

    run.info = probe(run.clip)
    return f"{run.info.width} x {run.info.height}, {run.info.duration:.1f} s"


def _threads(run: Run) -> str:
    """As many as each of the page's two branches has; this also loads torch, which several stages need."""
    import torch

    torch.set_num_threads(max(1, cores() // 2))
    return f"{torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def _sound(run: Run) -> str:
    from extractors.media.reading import read_sound

    run.sound = read_sound(run.clip)
    return "no sound" if run.sound is None else f"{run.sound.duration:.1f} s"


def _speech(run: Run) -> str:
    from extractors.voice.vad import find_speech

    run.speech = () if run.sound is None else find_speech(run.sound)
    return f"{sum(s.end - s.start for s in run.speech):.1f} s of speech"


def _words(run: Run) -> str:
    """Recognition, even where the clip has subtitles of its own: that is the cost to know."""
    from extractors.words.recognition import recognise

    run.transcript = Transcript() if run.sound is None else recognise(run.sound, run.speech)
    return f"{len(run.transcript.words)} words"


def _text(run: Run) -> str:
    from extractors.words.embeddings import embed_words

    if run.transcript.words:
        run.tracks["text"] = embed_words(run.transcript)
    return f"{len(set(run.transcript.sentences))} sentences"


def _voice(run: Run) -> str:
    from extractors.voice.features import describe_voice

    if run.sound is None or not run.speech:
        return "no voice"
    run.tracks["audio"] = describe_voice(run.sound, run.speech)
    return f"{len(run.tracks['audio'].values)} hops"


def _faces(run: Run) -> str:
    from extractors.face.features import describe_faces
    from extractors.media.reading import read_looks

    looks = read_looks(run.clip, FACES_A_SECOND, GLANCES_A_SECOND)
    track = describe_faces(looks, lambda: run.sound)
    run.tracks["visual"] = track
    return f"a face in {np.count_nonzero(track.confidence)} of {len(track.confidence)} pictures"


def _grid(run: Run) -> str:
    from extractors.grid import to_grid

    return f"{len(to_grid(run.tracks, run.duration).start)} ticks"


def _side_by_side(run: Run) -> str:
    """From the file to the grid as for the page, nothing kept."""
    reader = _read(run, None, None)
    return f"{len(reader.worked)} stages worked out"


def _again(run: Run) -> str:
    """The same through a cache: the first time it is filled, the second time all is read from it."""
    return f"{len(_read(run, None, run.cache).worked)} stages worked out"


def _corrected(run: Run) -> str:
    """Another word in the transcript each time: its words, their features and the grid are worked out anew."""
    run.corrections += 1
    cues = run.folder / "words.srt"
    said = [f"once{run.corrections}", *(word.word for word in run.transcript.words[1:])]
    lines = [
        f"{i}\n{_stamp(word.start)} --> {_stamp(max(word.end, word.start + 0.05))}\n{written}\n"
        for i, (word, written) in enumerate(zip(run.transcript.words, said, strict=True), 1)
    ]
    cues.write_text("\n".join(lines), encoding="utf-8")
    return f"{', '.join(_read(run, cues, run.cache).worked)} worked out"


def _read(run: Run, transcript: Path | None, cache: Cache | None) -> ClipReader:
    """A reader that has read the clip to its grid."""
    reader = ClipReader(run.clip, transcript, cache)
    reader.grid(read_tracks(reader)[1])
    return reader


def _stamp(seconds: float) -> str:
    """The time as subtitles write it."""
    whole = round(1000 * seconds)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02},{whole % 1000:03}"


STAGES: dict[str, Step] = {
    "probe": _probe,
    "torch": _threads,
    "sound": _sound,
    "speech": _speech,
    "words": _words,
    "text": _text,
    "voice": _voice,
    "pictures + faces": _faces,
    "grid": _grid,
}
WHOLE: dict[str, Step] = {
    "clip to grid, side by side": _side_by_side,
}
CACHED: dict[str, Step] = {
    "cache: filled, then read": _again,
}
ON_WORDS: dict[str, Step] = {
    "cache: another transcript": _corrected,
}
