"""Languages other than English: heard by faster-whisper, embedded by a multilingual MiniLM, where these are at hand.

Neither is installed with this project. COUPLED_MAMBA_WHISPER names a model of faster-whisper's (a folder, or a name
that was fetched before: nothing is fetched here); COUPLED_MAMBA_MULTILINGUAL the encoder, by default
paraphrase-multilingual-MiniLM-L12-v2. Both are written to their libraries' interfaces and tested with stand-ins for
them; neither has been run with its real model here.

The multilingual encoder's 384 numbers mean something else than the packaged encoder's 384: what was trained on the
one reads noise in the other. So such words are shown, and can be embedded, but are not scored.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extractors.cache import digest_model
from extractors.cores import cores
from extractors.records import Progress, Sound, Span, Track, Transcript, Word
from extractors.words.embeddings import EMBEDDING, sentences_of, track_of, word_rows
from extractors.words.languages import (
    DETECT,
    ENCODER_VARIABLE,
    ENGLISH,
    LANGUAGE_VARIABLE,
    WHISPER_VARIABLE,
    LanguageError,
    encoder_setting,
    language_name,
    whisper_setting,
)
from extractors.words.recognition import between, stretch_speech, transcript_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

COLUMN = "multilingual_minilm"
MARGIN = 0.1  # seconds before and after a stretch that are listened to as well
MARKS = ("model.bin", "modules.json", "config.json")  # of a folder that holds a model
WHISPERS = {"fil": "tl", "jv": "jw"}  # what the recogniser calls languages that have another code in ISO 639
_LOCK = threading.Lock()


def whisper_content() -> str:
    """What stands for the recogniser of other languages in a key: the sha256 of its files; its name without them."""
    return _content(whisper_setting(), _whisper_folder)


def encoder_content() -> str:
    """What stands for the encoder of other languages in a key: the sha256 of its files; its name without them."""
    return _content(encoder_setting(), _encoder_folder)


def _content(name: str, find: Callable[[str], str]) -> str:
    if not name:
        return ""
    try:
        folder = Path(name) if Path(name).is_dir() else Path(find(name))
        # A folder that holds no model may hold anything at all, and much of it.
        if any((folder / mark).is_file() for mark in MARKS):
            return digest_model(folder)
    except Exception:  # whatever the libraries raise for a name that they do not know
        pass
    return name  # loading it will tell what is wrong


def _whisper_folder(name: str) -> str:
    """Where faster-whisper finds a model that was fetched before."""
    from faster_whisper.utils import download_model

    return str(download_model(name, local_files_only=True))


def _encoder_folder(name: str) -> str:
    """Where sentence-transformers finds an encoder that was fetched before."""
    from huggingface_hub import snapshot_download

    return snapshot_download(name if "/" in name else f"sentence-transformers/{name}", local_files_only=True)


def recognise_other(
    sound: Sound, speech: Sequence[Span], language: str, progress: Progress | None = None
) -> Transcript:
    """What is said in the spans of `speech` in `language` ("auto" finds it out), by faster-whisper.

    As `extractors.words.recognition.recognise`: only speech is listened to. The words' confidence is the recogniser's.

    Raises:
        LanguageError: faster-whisper or its model is not at hand, or it does not know the language.
    """
    stretches = stretch_speech(speech)
    if not stretches:
        return Transcript()
    model = _load_whisper(language)
    if language == DETECT:
        longest = max(stretches, key=lambda stretch: stretch[-1].end - stretch[0].start)
        language = str(_run_whisper(model, sound, longest, None)[1].language)
    words: list[Word] = []
    for done, stretch in enumerate(stretches, 1):
        begin, end = stretch[0].start, stretch[-1].end
        segments, _ = _run_whisper(model, sound, stretch, language)
        # Its times count from the samples' start, a margin before the speech.
        offset = max(sound.start, begin - MARGIN)
        for said in (said for segment in segments for said in segment.words or ()):
            start = float(np.clip(said.start + offset, begin, end))
            stop = float(np.clip(said.end + offset, start, end))
            if said.word.strip():
                words.append(Word(said.word.strip(), start, stop, float(np.clip(said.probability, 0, 1))))
        if progress is not None:
            progress(done / len(stretches))
    return transcript_of(words, "recognised", language=language)


def _run_whisper(model: Any, sound: Sound, stretch: Sequence[Span], language: str | None) -> tuple[Any, Any]:
    samples = between(sound, stretch[0].start - MARGIN, stretch[-1].end + MARGIN)
    try:
        found: tuple[Any, Any] = model.transcribe(
            samples,
            language=language and WHISPERS.get(language, language),
            word_timestamps=True,
            vad_filter=False,  # ours has run
            condition_on_previous_text=False,  # what was misheard once would be heard on and on
        )
    except ValueError as error:
        if language and "language code" in str(error):
            raise LanguageError(
                f"Words in {language_name(language)} cannot be recognised here: faster-whisper knows no language "
                f"{language!r}; a transcript does as well."
            ) from None
        raise
    return found


def _load_whisper(language: str) -> Any:
    """The recogniser, loaded once a model; `language` is only for the sentence where there is none."""
    needed = _needed(language)
    name = whisper_setting()
    if not name:
        raise LanguageError(needed)
    try:
        with _LOCK:
            return _whisper(name, whisper_content())
    except ImportError:
        raise LanguageError(needed) from None
    except Exception as error:  # whatever the library raises for a model that it cannot load
        raise LanguageError(
            f"The model {name!r} that {WHISPER_VARIABLE} names cannot be loaded ({type(error).__name__})."
        ) from None


def _needed(language: str) -> str:
    """What is missing to hear the language, or to find it out; also what does without."""
    model = (
        f"that needs the package faster-whisper and, in {WHISPER_VARIABLE}, the folder or name of a model that is on "
        "this machine"
    )
    if language == DETECT:
        return (
            f"The language of the speech cannot be found out here: {model}; where it is English, leave the language "
            f"({LANGUAGE_VARIABLE}, --language) at {ENGLISH} instead of {DETECT}."
        )
    return (
        f"Words in {language_name(language)} cannot be recognised here: {model}; a transcript does as well."
    )


@lru_cache(maxsize=1)
def _whisper(name: str, _digest: str) -> Any:
    from faster_whisper import WhisperModel  # an extra of the user's

    threads = max(1, cores() // 2)  # the other half looks at the pictures
    return WhisperModel(name, device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)


def embed_other(transcript: Transcript, progress: Progress | None = None) -> Track:
    """One row a word: values [words, 384] of the multilingual encoder, each the mean of its tokens in its sentence.

    The column's name, "multilingual_minilm", tells it from what `embed_words` gives. `progress` is called with the
    share done, 0..1.

    Raises:
        LanguageError: the encoder is not at hand.
    """
    encoder = _load_multilingual(transcript.language)
    rows = word_rows(lambda: encoder, sentences_of(transcript), progress)
    return track_of(transcript, rows, (COLUMN,), EMBEDDING)


def _load_multilingual(language: str) -> SentenceTransformer:
    name = encoder_setting()
    try:
        with _LOCK:
            return _multilingual(name, encoder_content())
    except Exception as error:  # what is missing surfaces as whichever library's error
        raise LanguageError(
            f"Words in {language_name(language)} cannot be embedded here ({type(error).__name__}): that needs, in "
            f"{ENCODER_VARIABLE}, the folder or name of a multilingual MiniLM that is on this machine."
        ) from None


@lru_cache(maxsize=1)
def _multilingual(name: str, _digest: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(name, device="cpu", local_files_only=True).eval()
