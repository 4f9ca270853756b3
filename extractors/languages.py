"""Languages other than English: heard by faster-whisper, embedded by a multilingual MiniLM, where these are at hand.

Neither is installed with this project. COUPLED_MAMBA_WHISPER names a model of faster-whisper's (a folder, or a name
that was fetched before: nothing is fetched here); COUPLED_MAMBA_MULTILINGUAL the encoder, by default
paraphrase-multilingual-MiniLM-L12-v2. Both are written to their libraries' interfaces and tested with stand-ins for
them; neither has been run with its real model here.

The multilingual encoder's 384 numbers mean something else than the packaged encoder's 384: what was trained on the
one reads noise in the other. So such words are shown, and can be embedded, but are not scored.
"""

from __future__ import annotations

import importlib.util
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from extractors.records import FloatArray, InputError, Sound, Span, Track, Transcript, Word
from extractors.words import between, stretch_speech, transcript_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ENGLISH, DETECT, UNKNOWN = "en", "auto", "und"
LANGUAGE_VARIABLE, WHISPER_VARIABLE = "COUPLED_MAMBA_LANGUAGE", "COUPLED_MAMBA_WHISPER"
ENCODER_VARIABLE = "COUPLED_MAMBA_MULTILINGUAL"
ENCODER = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
COLUMN = "multilingual_minilm"
UNTOLD = {"", "und", "mul", "mis", "zxx"}  # tags that name no language
WINDOW = 60  # words embedded at once
MAX_LETTERS, MAX_TOKENS = 64, 510

# ISO 639-1: the name in English, and the ISO 639-2 codes that files are tagged with.
_NAMES = {
    "ar": ("Arabic", "ara"),
    "cs": ("Czech", "ces cze"),
    "da": ("Danish", "dan"),
    "de": ("German", "deu ger"),
    "el": ("Greek", "ell gre"),
    "en": ("English", "eng"),
    "es": ("Spanish", "spa"),
    "fi": ("Finnish", "fin"),
    "fr": ("French", "fra fre"),
    "he": ("Hebrew", "heb"),
    "hi": ("Hindi", "hin"),
    "hu": ("Hungarian", "hun"),
    "id": ("Indonesian", "ind"),
    "it": ("Italian", "ita"),
    "ja": ("Japanese", "jpn"),
    "ko": ("Korean", "kor"),
    "nl": ("Dutch", "nld dut"),
    "no": ("Norwegian", "nor nob nno"),
    "pl": ("Polish", "pol"),
    "pt": ("Portuguese", "por"),
    "ro": ("Romanian", "ron rum"),
    "ru": ("Russian", "rus"),
    "sv": ("Swedish", "swe"),
    "tr": ("Turkish", "tur"),
    "uk": ("Ukrainian", "ukr"),
    "vi": ("Vietnamese", "vie"),
    "zh": ("Chinese", "zho chi"),
}
# The commonest small words; none of the others' is an English word.
_SMALL = {
    "en": "the and of to is was that it for you with this are have be not they from but my we he she i'm it's don't",
    "de": "und ist nicht das ich sie mit dem den ein eine auf für auch sich es wir wird aber sind von zu dass",
    "es": "de la el en y un que los las una por con como pero más muy está eso hay esto él sus cuando también yo del",
    "fr": "de la le et en du un les des est une dans que qui sur avec mais nous vous c'est être cette aux sont je il",
    "it": "di la il e un che non una sono con più gli della anche ma questo è alla nel ho mi del le dei",
    "nl": "de het een van dat niet zijn voor maar ook met op aan er wordt naar heeft hij wij ik deze en",
    "pt": "de o e que em um não uma para com mais como mas foi ele tem seu isso muito também você são os à é do da",
}
_SETS = {code: frozenset(words.split()) for code, words in _SMALL.items()}
LEAST_WORDS = 20  # fewer say too little of their language
LEAST_SHARE, MOST_ENGLISH = (
    0.15,
    0.04,
)  # shares of the words that are small words of the language, and of English
FOREIGN = 0.6  # share of letters that are not Latin
MARGIN = 0.1  # seconds before and after a stretch that are listened to as well
_LOCK = threading.Lock()


class LanguageError(InputError):
    """Words in this language cannot be recognised or embedded here; the sentence says what that needs."""


def language_setting(given: str | None = None) -> str:
    """The language to listen for: as given, or $COUPLED_MAMBA_LANGUAGE, or English; "auto" is to be detected.

    Raises:
        InputError: it is neither a code of two or three letters nor "auto".
    """
    chosen = (given or os.environ.get(LANGUAGE_VARIABLE) or ENGLISH).strip().lower()
    if chosen != DETECT and not re.fullmatch("[a-z]{2,3}", chosen):
        raise InputError(
            f"The language is {chosen!r}: a code such as en or de is needed, or auto to detect it."
        )
    return read_language(chosen, ENGLISH)


def read_language(tag: str, default: str) -> str:
    """The code for a tag of ISO 639 ("deu" is "de"); `default` where the tag names no language, English for "auto"."""
    if tag in UNTOLD:
        return ENGLISH if default == DETECT else default
    return next((code for code, (_, tags) in _NAMES.items() if tag in tags.split()), tag)


def language_name(code: str) -> str:
    """The language's name in English, or its code in capitals where it has no name here."""
    if code in (UNKNOWN, DETECT):
        return "another language than English"
    return _NAMES[code][0] if code in _NAMES else code.upper()


def known_languages() -> dict[str, str]:
    """The English names of the languages that have one here, by code, in the names' order."""
    return dict(sorted(((code, name) for code, (name, _) in _NAMES.items()), key=lambda pair: pair[1]))


def language_tags(code: str) -> set[str]:
    """The tags by which files name the language: its code, and those of ISO 639-2."""
    return {code, *(_NAMES[code][1].split() if code in _NAMES else ())}


def guess_language(words: Sequence[str]) -> str | None:
    """The language of a text where it is certain not to be English: its code, or "und"; None for all else.

    Certain is a text in another script, or one of 20 words and more with next to no English small words and many of
    another language's. English of any kind is None, as is what is too short to tell.
    """
    letters = [c for word in words for c in word if c.isalpha()]
    if letters and sum(not unicodedata.name(c, "").startswith("LATIN") for c in letters) > FOREIGN * len(
        letters
    ):
        return UNKNOWN
    plain = [re.sub(r"^[^\w']+|[^\w']+$", "", word.lower().replace("’", "'")) for word in words]
    plain = [word for word in plain if word]
    if len(plain) < LEAST_WORDS:
        return None
    shares = {code: sum(word in small for word in plain) / len(plain) for code, small in _SETS.items()}
    best = max(shares, key=lambda code: shares[code])
    certain = best != ENGLISH and shares[best] >= LEAST_SHARE and shares[ENGLISH] <= MOST_ENGLISH
    return best if certain else None


def whisper_setting() -> str:
    """The model that faster-whisper is to load, "" for none."""
    return os.environ.get(WHISPER_VARIABLE, "")


def encoder_setting() -> str:
    """The encoder of words in other languages."""
    return os.environ.get(ENCODER_VARIABLE) or ENCODER


def hears_others() -> bool:
    """Whether other languages than English can be recognised: faster-whisper is installed and a model is named.

    The model itself is not looked at before it is needed.
    """
    return bool(whisper_setting()) and importlib.util.find_spec("faster_whisper") is not None


def recognise_other(
    sound: Sound, speech: Sequence[Span], language: str, progress: Callable[[float], None] | None = None
) -> Transcript:
    """What is said in the spans of `speech` in `language` ("auto" finds it out), by faster-whisper.

    As `extractors.words.recognise`: only speech is listened to. The words' confidence is the recogniser's.

    Raises:
        LanguageError: faster-whisper or its model is not at hand.
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
    found: tuple[Any, Any] = model.transcribe(
        samples,
        language=language,
        word_timestamps=True,
        vad_filter=False,  # ours has run
        condition_on_previous_text=False,  # what was misheard once would be heard on and on
    )
    return found


def _load_whisper(language: str) -> Any:
    """The recogniser, loaded once a model; `language` is only for the sentence where there is none."""
    needed = (
        f"Words in {language_name(language)} cannot be recognised here: that needs the package faster-whisper and, "
        f"in {WHISPER_VARIABLE}, the folder or name of a model that is on this machine; a transcript does as well."
    )
    name = whisper_setting()
    if not name:
        raise LanguageError(needed)
    try:
        with _LOCK:
            return _whisper(name)
    except ImportError:
        raise LanguageError(needed) from None
    except Exception as error:  # whatever the library raises for a model that it cannot load
        raise LanguageError(
            f"The model {name!r} that {WHISPER_VARIABLE} names cannot be loaded ({type(error).__name__})."
        ) from None


@cache
def _whisper(name: str) -> Any:
    from faster_whisper import WhisperModel  # an extra of the user's

    threads = max(1, (os.cpu_count() or 1) // 2)  # the other half looks at the pictures
    return WhisperModel(name, device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)


def embed_other(transcript: Transcript) -> Track:
    """One row a word: values [words, 384] of the multilingual encoder, each the mean of its tokens in its sentence.

    The column's name, "multilingual_minilm", tells it from what `embed_words` gives.

    Raises:
        LanguageError: the encoder is not at hand.
    """
    words = transcript.words
    groups: dict[int, list[int]] = {}
    for index, sentence in enumerate(transcript.sentences):
        groups.setdefault(sentence, []).append(index)
    values = np.zeros((len(words), 384), np.float32)
    encoder = _load_multilingual(transcript.language)
    for group in groups.values():
        for first in range(0, len(group), WINDOW):
            held = group[first : first + WINDOW]
            values[held] = _embed(encoder, [words[i].word[:MAX_LETTERS] for i in held])
    return Track(
        values=values,
        start=np.array([word.start for word in words], np.float64),
        end=np.array([word.end for word in words], np.float64),
        confidence=np.array([word.confidence for word in words], np.float32),
        columns=(COLUMN,),
    )


def _embed(encoder: SentenceTransformer, words: list[str]) -> FloatArray:
    """Embeddings [words, 384] of one window; a word without tokens gets the window's mean."""
    import torch

    with _LOCK:
        encoded = encoder.tokenizer(
            words, is_split_into_words=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
    owners = encoded.word_ids(0)
    with torch.inference_mode():
        tokens = encoder[0](dict(encoded))["token_embeddings"][0].float().numpy()
    held = np.array([i for i, owner in enumerate(owners) if owner is not None], np.intp)
    owner = np.array([o for o in owners if o is not None], np.intp)
    sums = np.zeros((len(words), tokens.shape[1]), np.float32)
    np.add.at(sums, owner, tokens[held])
    count = np.bincount(owner, minlength=len(words))[:, None]
    return np.where(count > 0, sums / np.maximum(count, 1), tokens.mean(0)).astype(np.float32)


def _load_multilingual(language: str) -> SentenceTransformer:
    name = encoder_setting()
    try:
        with _LOCK:
            return _multilingual(name)
    except Exception as error:  # what is missing surfaces as whichever library's error
        raise LanguageError(
            f"Words in {language_name(language)} cannot be embedded here ({type(error).__name__}): that needs, in "
            f"{ENCODER_VARIABLE}, the folder or name of a multilingual MiniLM that is on this machine."
        ) from None


@cache
def _multilingual(name: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(name, device="cpu", local_files_only=True).eval()
