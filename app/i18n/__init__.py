"""The page's three languages: every string it shows, by its key, in English, Chinese (Simplified) and Japanese.

The tables are `en.json`, `zh.json` and `ja.json`: flat, the same keys in each, with the same {placeholders}. Functions
that make sentences, cards and figures take `language` as a plain argument, English by default: what is saved, what the
API answers and what the command line prints are English. The part that knows gradio is `app.i18n.labels`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from app.i18n.visitors import LONGEST, for_visitors
from app.telling.numbers import signed

LANGUAGES = {"en": "English", "zh": "中文", "ja": "日本語"}
"""Code and own name of each language, the default first. zh stands for all of Chinese, zh-TW too."""
DEFAULT = "en"
RETOLD = "heard."  # keys of the sentences that the analysis says in English and the page tells again
_PLACE = re.compile(r"\{(\w+)\}")


@cache
def table(language: str) -> Mapping[str, str]:
    """The language's texts by key. Raises FileNotFoundError for a language that there is none of."""
    text = (Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def tell(key: str, language: str = DEFAULT, **values: object) -> str:
    """The text of `key` with its {placeholders} filled.

    Raises KeyError for a key that no table has, or a placeholder without a value.
    """
    text = table(language)[key]
    return text.format(**values) if values else text


def name_of(modality: str, language: str = DEFAULT) -> str:
    """What a person calls the modality "text", "audio" or "visual"; "all" is all of them together."""
    return tell(f"name.{modality}", language)


def alone(modality: str, language: str = DEFAULT) -> str:
    """ "words alone"."""
    return tell("alone", language, name=name_of(modality, language))


def joined(parts: Sequence[str], language: str = DEFAULT) -> str:
    """ "words, voice and face"."""
    if len(parts) < 2:
        return "".join(parts)
    return tell("join.and", language).join([tell("join.comma", language).join(parts[:-1]), parts[-1]])


def sentences(parts: Sequence[str], language: str = DEFAULT) -> str:
    """Sentences one after another, with the space that the language puts between them."""
    return tell("join.sentence", language).join(parts)


def percent(share: float, language: str = DEFAULT) -> str:
    """A share of 1 as "64 %" or "−12 %", with the space before the sign that the language asks for."""
    return tell("percent", language, number=signed(100 * share, 0).removeprefix("+"))


def retell(sentence: str, language: str = DEFAULT) -> str:
    """A warning or refusal of the analysis, which says them in English, to a visitor, in the language.

    In English where it is not known, or too long to be the analysis' own.
    """
    sentence = for_visitors(sentence)
    if language == DEFAULT or len(sentence) > LONGEST:
        return sentence
    for key, pattern in _patterns():
        found = pattern.fullmatch(sentence)
        if found:
            return tell(key, language, **{k: _part(v, language) for k, v in found.groupdict().items()})
    return sentence


def choose(asked: str | None, accepted: str | None) -> str:
    """The language to speak: the one `asked` for by name, else the first known of an Accept-Language header."""
    wishes = []
    for position, wish in enumerate((accepted or "").split(",")):
        name, *more = (part.strip() for part in wish.split(";"))
        weight = _weight(more)
        if weight > 0:  # 0 is said of what is not acceptable
            wishes.append((-weight, position, name))
    names = [asked or "", *(name for _, _, name in sorted(wishes))]
    return next(
        (code for name in names if (code := re.split("[-_]", name.strip().lower())[0]) in LANGUAGES), DEFAULT
    )


def _weight(parameters: Sequence[str]) -> float:
    """How much a language is wished for, 0..1, by what stands after it (RFC 9110, 12.4.2); 0 where it is no number."""
    quality = next((text[2:] for text in parameters if text.lower().startswith("q=")), "1")
    try:
        return float(quality)
    except ValueError:
        return 0.0


def places(text: str) -> set[str]:
    """The names of the text's placeholders."""
    return set(_PLACE.findall(text))


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """(key, pattern) of every English sentence that is retold; the longest, which say most, first."""
    told = [
        (key, text) for key, text in table(DEFAULT).items() if key.startswith((RETOLD, "name.", "language."))
    ]
    return [(key, _pattern(text)) for key, text in sorted(told, key=lambda pair: -len(pair[1]))]


def _pattern(text: str) -> re.Pattern[str]:
    """What the English text matches; within a sentence it may begin with a small letter, at its head with a large.

    Each placeholder ends where the words after it come first, and is not tried longer (`(?>`): no later place of them
    leaves more to what follows, and in trying all a file's name could take time by a power of its length.
    """
    first, *others = _PLACE.split(text)
    head = re.escape(first)
    if text[0].isalpha():
        head = f"[{text[0].lower()}{text[0].upper()}]{re.escape(first[1:])}"
    places, words = others[::2], [re.escape(part) for part in others[1::2]]
    ended = [f"(?>(?P<{place}>.+?){after})" for place, after in zip(places[:-1], words[:-1], strict=True)]
    # The last one's words are to be the sentence's own last ones, wherever else they come.
    last = [f"(?P<{places[-1]}>.+){words[-1]}"] if places else []
    return re.compile("".join([head, *ended, *last]), re.DOTALL)


def _part(value: str, language: str) -> str:
    """What stood in a placeholder: a known phrase, or a list of them, is retold too."""
    whole = retell(value, language)
    parts = re.split(r", | and ", value)
    if whole != value or len(parts) < 2:
        return whole
    told = [retell(part, language) for part in parts]
    if any(new == old for new, old in zip(told, parts, strict=True)):
        return value
    names = {name_of(m) for m in ("text", "audio", "visual")}
    return joined(told, language) if names.issuperset(parts) else tell("join.clauses", language).join(told)
