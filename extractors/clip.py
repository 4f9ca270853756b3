"""One clip's way from file to grid, stage by stage, each read from a cache where it was worked out before.

    probe -> sound -> speech -> words -> text  \\
                           \\-> voice           -> grid
          -> faces                             /

A stage's key is made of the keys before it, so whatever changes, all that rests on it is worked out anew and nothing
else: a corrected transcript changes the words, their features and the grid.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from extractors.cache import Cache, digest_file
from extractors.records import (
    MODALITIES,
    Frame,
    Glance,
    Grid,
    Looks,
    Progress,
    Sound,
    Span,
    Track,
    Transcript,
)
from extractors.stages import Stages
from extractors.words.languages import (
    ENGLISH,
    SUPPOSED,
    LanguageError,
    guess_language,
    language_setting,
    read_language,
)

FACES_A_SECOND = 5.0
# Pictures a second in which mouths are looked at, where there are several: in half as many, syllables are missed.
GLANCES_A_SECOND = 12.5
LOOKING = 0.7  # the share of the faces' time that looking at the frames takes
_STAGE_OF = {"text": "text", "audio": "voice", "visual": "faces"}


class ClipReader:
    """The stages of one clip, each worked out by whoever asks first and, where there is a cache, not again.

    The sound is worked out once in any case. `faces` may be asked for in another thread than the rest; the others
    follow one another. Where there are several faces it asks for the sound itself, to see who speaks.

    `language` is a code, "auto", or None for what the environment says, or English. Words that are plainly in another
    language are known as such, unless English was asked for: None and `languages.SUPPOSED` do not ask.

    Raises:
        InputError: the clip cannot be used, or the language is none.
    """

    def __init__(
        self,
        path: str | Path,
        transcript: str | Path | None = None,
        cache: Cache | None = None,
        language: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        from extractors.media.reading import Limits, probe

        self.language = language_setting(language)
        self._asked_english = self.language == ENGLISH and bool(language) and language != SUPPOSED
        self._path, self._given, self._stages = Path(path), transcript, Stages(cache)
        self._looks: Looks | None = None
        self._heard: list[Sound | None] = []  # the sound, once it is known
        self._hearing = threading.Lock()
        limits = Limits.from_environment()
        self.info = probe(path, limits, self.warnings)
        # After the limits: what is too large is not read through.
        self._clip = (
            [] if cache is None else [digest_file(path, progress), self._path.suffix.lower(), asdict(limits)]
        )

    @property
    def warnings(self) -> list[str]:
        """The sentences that opening and decoding gave so far."""
        return self._stages.warnings

    @property
    def worked(self) -> list[str]:
        """The stages that were worked out rather than read from the cache, in the order in which they ended."""
        return self._stages.worked

    def sound(self, progress: Progress | None = None) -> Sound | None:
        """The clip's sound, None without; may be asked for by several threads."""
        with self._hearing:
            if not self._heard:
                self._heard.append(self._read_sound(progress))
            return self._heard[0]

    def _read_sound(self, progress: Progress | None) -> Sound | None:
        from extractors.media.reading import read_sound

        def make(warnings: list[str]) -> Sound | None:
            return (
                read_sound(self._path, warnings, None, self._by_time(progress))
                if self.info.has_audio
                else None
            )

        return self._stages.run("sound", [self._clip], make)

    def speech(self, sound: Sound | None, progress: Progress | None = None) -> tuple[Span, ...]:
        """Where somebody speaks in it."""
        from extractors.voice.vad import find_speech

        return self._stages.run(
            "speech",
            self._stages.on("sound"),
            lambda _: () if sound is None else find_speech(sound, progress),
        )

    def words(
        self, sound: Sound | None, speech: tuple[Span, ...], progress: Progress | None = None
    ) -> Transcript:
        """The transcript given, or else the clip's own subtitles, or else what is recognised in the speech.

        Raises:
            InputError: the transcript given cannot be used.
            LanguageError: what recognises the language is not at hand.
        """
        if self._given is not None:
            found = self._read_given(self._given, sound, speech, progress)
        else:
            found = self._read_own(sound, speech)
        if found.source == "none":
            found = self._recognise(sound, speech, progress)
        elif found.language == ENGLISH and not self._asked_english:
            found = replace(found, language=guess_language([w.word for w in found.words]) or ENGLISH)
        self._stages.name("words", found)
        return found

    def text(self, transcript: Transcript, progress: Progress | None = None) -> Track:
        """The words' embeddings, of the encoder that fits their language; its name is the track's only column.

        Raises:
            LanguageError: they are not English, and no encoder for other languages is at hand.
        """
        from extractors.words.embeddings import embed_words
        from extractors.words.other_languages import embed_other, encoder_content

        english = transcript.language == ENGLISH
        embed = embed_words if english else embed_other

        rests_on = [] if english else self._stages.content(encoder_content)
        return self._stages.run(
            "text", [*self._stages.on("words"), *rests_on], lambda _: embed(transcript, progress)
        )

    def voice(self, sound: Sound, speech: tuple[Span, ...], progress: Progress | None = None) -> Track:
        """The voice's track."""
        from extractors.voice.features import describe_voice

        return self._stages.run(
            "voice",
            self._stages.on("sound", "speech"),
            lambda _: describe_voice(sound, speech, progress=progress),
        )

    def faces(self, progress: Progress | None = None) -> Track:
        """The main face's track; a clip without pictures gives one of no rows.

        Raises:
            InputError: YuNet is asked for and cannot be had.
        """
        from extractors.face.detect import yunet_content
        from extractors.face.features import describe_track, find_faces
        from extractors.face.looks import join_looks, part_looks, tell_several, tell_still
        from extractors.media.reading import read_looks

        def make(warnings: list[str]) -> Track:
            told = progress or (lambda _: None)
            frames = read_looks(self._path, FACES_A_SECOND, GLANCES_A_SECOND, warnings)
            looked = self._counted(frames, lambda done: told(LOOKING * done))
            found = find_faces(looked, self.sound)
            track = describe_track(found, lambda done: told(LOOKING + (1 - LOOKING) * done))
            if not warnings:  # pictures that are missing are told already, and are no still ones
                tell_still(found, self.info.duration, warnings)
            tell_several(found.count, warnings)
            return join_looks(track, found)

        rests_on = [self._clip, FACES_A_SECOND, GLANCES_A_SECOND, *self._stages.content(yunet_content)]
        track, self._looks = part_looks(self._stages.run("faces", rests_on, make))
        return track

    def grid(self, tracks: dict[str, Track]) -> Grid:
        """The tracks on the common grid, by modality; they are those that this reader gave.

        It comes with where the face was, if the face is among them.
        """
        from extractors.grid import STEP, to_grid

        rests_on = [
            self.info.duration,
            STEP,
            *self._stages.on(*(_STAGE_OF[m] for m in MODALITIES if m in tracks)),
        ]
        grid = self._stages.run("grid", rests_on, lambda _: to_grid(tracks, self.info.duration))
        return replace(grid, looks=self._looks if "visual" in tracks else None)

    def _read_given(
        self, path: str | Path, sound: Sound | None, speech: tuple[Span, ...], progress: Progress | None
    ) -> Transcript:
        from extractors.words.subtitles import read_transcript

        def make(warnings: list[str]) -> Transcript:
            hear = self._recogniser(sound, speech, progress)
            english = self.language == ENGLISH
            found = read_transcript(path, sound, speech, self.info.duration, hear, warnings, english)
            return replace(found, language=read_language("", self.language))

        try:
            digest = self._stages.content(lambda: digest_file(path))
        except OSError:
            return make(self.warnings)  # which says what is wrong with it
        rests_on = [*digest, Path(path).suffix.lower(), self.info.duration, *self._recogniser_used()]
        return self._stages.run("given", [*self._stages.on("sound", "speech"), *rests_on], make)

    def _read_own(self, sound: Sound | None, speech: tuple[Span, ...]) -> Transcript:
        """The clip's own subtitles; no words where there are none to be used."""
        from extractors.words.embedded import read_embedded

        def make(warnings: list[str]) -> Transcript:
            return (
                read_embedded(
                    self._path,
                    sound,
                    speech,
                    self.info.duration,
                    warnings,
                    self.language,
                    self._asked_english,
                )
                or Transcript()
            )

        return self._stages.run(
            "subtitles",
            [self._clip, *self._stages.on("sound", "speech"), self.language, self._asked_english],
            make,
        )

    def _recognise(
        self, sound: Sound | None, speech: tuple[Span, ...], progress: Progress | None
    ) -> Transcript:
        from extractors.words.recognition import recognise

        def make(_: list[str]) -> Transcript:
            return Transcript() if sound is None else recognise(sound, speech, progress, self.language)

        rests_on = [*self._stages.on("sound", "speech"), *self._recogniser_used()]
        return self._stages.run("recognised", rests_on, make)

    def _recogniser_used(self) -> list[str]:
        """The language, and, where it is not English, the model that hears it."""
        from extractors.words.other_languages import whisper_content

        return [self.language, *([] if self.language == ENGLISH else self._stages.content(whisper_content))]

    def _recogniser(
        self, sound: Sound | None, speech: tuple[Span, ...], progress: Progress | None
    ) -> Callable[[], Transcript]:
        """What is recognised in the speech, for a transcript that cannot be aligned to it; nothing where it cannot."""

        def hear() -> Transcript:
            try:
                return self._recognise(sound, speech, progress)
            except LanguageError:
                return Transcript()

        return hear

    def _counted(self, frames: Iterable[Frame | Glance], progress: Progress) -> Iterator[Frame | Glance]:
        """The frames, telling how far in the clip each lies."""
        for frame in frames:
            progress(min(1.0, frame.time / self.info.duration))
            yield frame

    def _by_time(self, progress: Progress | None) -> Progress | None:
        """What takes a second of the clip, and tells `progress` its share."""
        if progress is None:
            return None
        return lambda second: progress(min(1.0, second / self.info.duration))
