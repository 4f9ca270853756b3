"""All tracks of a clip: what is heard and what is seen, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from extractors.clip import ClipReader
from extractors.records import Progress, Track, Transcript
from extractors.threads import side_by_side
from extractors.words.languages import ENGLISH


def read_tracks(reader: ClipReader) -> tuple[Transcript, dict[str, Track]]:
    """The clip's words and the tracks of what it holds, by modality; the faces' in a thread beside the rest.

    Words that are not English have no track.

    Raises:
        InputError: as the stages do.
    """
    run = _Run()
    look = partial(reader.faces, run.report) if reader.info.has_video else lambda: None
    try:
        faces, (transcript, tracks) = side_by_side(look, partial(_read_sound, reader, run.report), run.stop)
    except BaseException as error:
        raise run.cause or error from None  # not that this thread was stopped, but why
    return transcript, tracks if faces is None else {**tracks, "visual": faces}


def _read_sound(reader: ClipReader, report: Progress) -> tuple[Transcript, dict[str, Track]]:
    """The words, and the tracks of the words and the voice."""
    tracks = {}
    sound = reader.sound(report)
    speech = reader.speech(sound, report)
    transcript = reader.words(sound, speech, report)
    if transcript.words and transcript.language == ENGLISH:
        tracks["text"] = reader.text(transcript, report)
    if sound is not None and speech:
        tracks["audio"] = reader.voice(sound, speech, report)
    return transcript, tracks


@dataclass
class _Run:
    """What ends one branch at its next report once the other has failed: nobody waits for half of a clip."""

    cause: BaseException | None = None

    def stop(self, cause: BaseException | None) -> None:
        self.cause = self.cause or cause

    def report(self, _: float) -> None:
        if self.cause is not None:
            raise RuntimeError("the clip's other branch failed") from self.cause
