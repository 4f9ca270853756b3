"""Languages by their codes, which of them a text is in, and what is set for those that are not English.

What hears and embeds the others is in `extractors.words.other_languages`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import reprlib
import unicodedata
from collections.abc import Sequence

from extractors.records import InputError

ENGLISH, DETECT, UNKNOWN = "en", "auto", "und"
LANGUAGE_VARIABLE, WHISPER_VARIABLE = "COUPLED_MAMBA_LANGUAGE", "COUPLED_MAMBA_WHISPER"
ENCODER_VARIABLE = "COUPLED_MAMBA_MULTILINGUAL"
ENCODER = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
_LOCALE = r"[a-z]{2,3}([-_][a-z0-9]{1,8})+"  # en-us, pt_br, zh-hant-tw, en-us-u-hc-h12
# English that stands where nobody chose a language: words that are plainly in another are not taken for it.
SUPPOSED = "en-x-supposed"
UNTOLD = {"", "und", "mul", "mis", "zxx"}  # tags that name no language

# ISO 639-1: the name in English, and the codes that files are tagged with: ISO 639-2's, and older and narrower ones.
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
    "he": ("Hebrew", "heb iw"),
    "hi": ("Hindi", "hin"),
    "hu": ("Hungarian", "hun"),
    "id": ("Indonesian", "ind in"),
    "it": ("Italian", "ita"),
    "ja": ("Japanese", "jpn"),
    "ko": ("Korean", "kor"),
    "nl": ("Dutch", "nld dut"),
    "no": ("Norwegian", "nor nob nno nb"),
    "pl": ("Polish", "pol"),
    "pt": ("Portuguese", "por"),
    "ro": ("Romanian", "ron rum"),
    "ru": ("Russian", "rus"),
    "sv": ("Swedish", "swe"),
    "tr": ("Turkish", "tur"),
    "uk": ("Ukrainian", "ukr"),
    "vi": ("Vietnamese", "vie"),
    "zh": ("Chinese", "zho chi cmn"),
}
# The commonest small words. No other language's is an English word (um, met, con, also, and la, as it is sung), nor an
# English one another's (so, was, is, come).
_SMALL = {
    "en": "the and to that it for you with this are have be not they from but my she i'm it's don't what who why how "
    "when where your their there our been were about because know just think really like yeah hello that's you're "
    "they're he's i've i'll can't didn't would could should",
    "de": "und ist nicht das ich sie mit dem ein eine auf für auch sich es wir wird aber sind von zu dass "
    "einen nur noch wie wenn habe hast mir mich",
    "es": "de el en y un que los las una por como pero más muy está eso esto él cuando también del "
    "se nos qué porque para cómo estoy",
    "fr": "de le et en du un les des est une dans que qui sur avec mais nous vous c'est être cette aux sont je il "
    "ne pas ça j'ai très ce au",
    "it": "di il e un che non una sono più gli della anche questo è alla nel del le dei "
    "cosa perché ci molto mio",
    "nl": "de het een dat niet zijn voor maar ook op aan wordt naar heeft hij wij ik deze en "
    "geen nog bij uit worden zij hebben mijn je",
    "pt": "de o e que em não uma para mais como mas foi ele tem seu isso muito também você são os à é "
    "eu por meu minha ela está ao porque",
}
_SETS = {code: frozenset(words.split()) for code, words in _SMALL.items()}
LEAST_WORDS = 20  # fewer say too little of their language
LEAST_SHARE, MOST_ENGLISH = 0.15, 0.04  # shares of small words: of the language, and of English
LEAST_KINDS = (
    4  # different small words of the language: what is sung again and again tells nothing, nor do names
)
FOREIGN = 0.6  # share of letters that are not Latin


class LanguageError(InputError):
    """Words in this language cannot be recognised or embedded here; the sentence says what that needs."""


def language_setting(given: str | None = None) -> str:
    """The language to listen for: as given, or $COUPLED_MAMBA_LANGUAGE, or English; "auto" is to be detected.

    Of a code such as en-US or pt_BR (BCP 47, or a locale's) what says the language counts.

    Raises:
        InputError: it is neither a code that begins with two or three letters nor "auto".
    """
    named = (given or os.environ.get(LANGUAGE_VARIABLE) or ENGLISH).strip().lower()
    chosen = re.split("[-_]", named)[0] if re.fullmatch(_LOCALE, named) else named
    if chosen != DETECT and not re.fullmatch("[a-z]{2,3}", chosen):
        raise InputError(  # a client writes what it likes there, at any length
            f"The language is {reprlib.repr(chosen)}: a code such as en or de is needed, or auto to detect it."
        )
    return read_language(chosen, ENGLISH)


def read_language(tag: str, default: str) -> str:
    """The code for a tag of ISO 639: "deu" is "de", "iw" is "he".

    `default` where the tag names no language, which for "auto" is English.
    """
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
    another language's. English of any kind is None, as is what is too short to tell. Letters of another width or
    weight count as those that they are forms of.
    """
    words = [unicodedata.normalize("NFKC", word) for word in words]
    letters = [c for word in words for c in word if c.isalpha()]
    foreign = sum(not unicodedata.name(c, "").startswith("LATIN") for c in letters)
    if letters and foreign > FOREIGN * len(letters):
        return UNKNOWN
    # From the first letter to the last one: signs looked for at the end take time by the square of those within.
    cores = (re.search(r"[\w'](?:.*[\w'])?", word.lower().replace("’", "'"), re.DOTALL) for word in words)
    plain = [core[0] for core in cores if core]
    if len(plain) < LEAST_WORDS:
        return None
    small = {code: [word for word in plain if word in known] for code, known in _SETS.items()}
    best = max(small, key=lambda code: len(small[code]))
    certain = (
        best != ENGLISH
        and len(small[best]) >= LEAST_SHARE * len(plain)
        and len(set(small[best])) >= LEAST_KINDS
        and len(small[ENGLISH]) <= MOST_ENGLISH * len(plain)
    )
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
