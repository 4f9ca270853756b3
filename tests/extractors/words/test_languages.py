"""Other languages, with stand-ins for faster-whisper and for the multilingual encoder: neither is installed here."""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from extractors.cache import Cache, digest_model
from extractors.clip import ClipReader
from extractors.records import InputError, Sound, Span, Transcript, Word
from extractors.tracks import read_tracks
from extractors.words import other_languages
from extractors.words.embedded import read_embedded
from extractors.words.languages import SUPPOSED, LanguageError, guess_language, language_setting
from extractors.words.other_languages import embed_other, encoder_content, whisper_content
from extractors.words.recognition import recognise
from tests.clips import RATE, Subtitles, make_clip, make_sound

SPEECH = (Span(1.0, 3.0), Span(6.0, 7.0))
GERMAN = (
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und "
    "sollen einander im Geist der Brüderlichkeit begegnen."
)
TEXTS = {
    "de": GERMAN,
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y "
    "conciencia, deben comportarse fraternalmente los unos con los otros. No sé qué es lo que más me gusta.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de "
    "conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione e di "
    "coscienza e devono agire gli uni verso gli altri in spirito di fratellanza. Non è la stessa cosa per me.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en "
    "geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen. Dat is niet het einde.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de "
    "consciência, devem agir uns para com os outros em espírito de fraternidade. Isso não é mais uma opinião.",
    "und": "Все люди рождаются свободными и равными",
}
SPOKEN = {
    "de": "Also ich habe gestern den Film gesehen und er war wirklich gut. Was ist denn mit dir, hast du ihn gesehen?",
    "es": "Hola a todos, hoy vamos a hablar de cómo hacer un buen pan en casa, que es algo que me gusta mucho a mí.",
    "fr": "Alors moi j'ai pas du tout aimé le film, je trouve que c'est trop long et les acteurs ne sont pas bons.",
    "it": "Allora, io non ho capito niente di questo film, ma mi è piaciuto molto perché gli attori sono così bravi.",
    "nl": "Hallo, vandaag gaan we het hebben over de auto die ik heb gekocht, en dat is een heel mooi ding, hè?",
    "pt": "Oi gente, hoje eu vou falar de uma coisa que é muito importante para mim, que é a minha família, sabe?",
}
ENGLISH = (
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and "
    "should act towards one another in a spirit of brotherhood."
)


@dataclass
class Said:
    """faster_whisper.transcribe.Word: words begin with a space."""

    start: float
    end: float
    word: str
    probability: float


class FakeWhisper:
    """faster_whisper.WhisperModel as far as it is used: every half second of what it is given is a word."""

    made: list[tuple[Any, ...]] = []  # noqa: RUF012 (emptied by the fixture)
    asked: list[tuple[int, str | None]] = []  # noqa: RUF012

    def __init__(
        self,
        model_size_or_path: str,
        device: str = "auto",
        compute_type: str = "default",
        cpu_threads: int = 0,
        local_files_only: bool = False,
    ) -> None:
        if model_size_or_path == "nowhere":
            raise RuntimeError("Unable to open file 'model.bin'")
        self.made.append((model_size_or_path, device, local_files_only))

    def transcribe(
        self,
        audio: np.ndarray,
        language: str | None = None,
        condition_on_previous_text: bool = True,
        word_timestamps: bool = False,
        vad_filter: bool = False,
    ) -> tuple[Any, Any]:
        assert word_timestamps
        assert not vad_filter
        assert audio.dtype == np.float32
        if language in ("xx", "fil", "nb"):  # as its tokenizer does
            raise ValueError(
                f"'{language}' is not a valid language code (accepted language codes: af, am, ar)"
            )
        if not audio.any():
            raise ValueError("max() arg is an empty sequence")
        self.asked.append((len(audio), language))
        count = int(len(audio) / RATE / 0.5)
        words = [Said(0.5 * i, 0.5 * i + 0.6, f" wort{i}", 1.2 if i else 0.7) for i in range(count)]
        segments = iter([SimpleNamespace(words=words), SimpleNamespace(words=None)])
        return segments, SimpleNamespace(language=language or "fr", language_probability=0.9)


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> type[FakeWhisper]:
    module = ModuleType("faster_whisper")
    module.WhisperModel = FakeWhisper  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    monkeypatch.setenv("COUPLED_MAMBA_WHISPER", "small")
    monkeypatch.setattr(FakeWhisper, "made", [])
    monkeypatch.setattr(FakeWhisper, "asked", [])
    other_languages._whisper.cache_clear()
    return FakeWhisper


@pytest.fixture
def reading() -> Sound:
    return Sound(make_sound("speech", 8.0), start=0.5)


def test_another_language_is_heard_in_the_speech_alone(whisper: type[FakeWhisper], reading: Sound) -> None:
    shares: list[float] = []
    found = recognise(reading, SPEECH, shares.append, "de")
    assert (found.source, found.language) == ("recognised", "de")
    assert whisper.made == [("small", "cpu", True)]
    # Margins of 0.1 s: 2.2 and 1.2 s of sound, in words of half a second.
    assert whisper.asked == [(round(2.2 * RATE), "de"), (round(1.2 * RATE), "de")]
    assert [word.word for word in found.words] == ["wort0", "wort1", "wort2", "wort3", "wort0", "wort1"]
    assert [word.start for word in found.words] == pytest.approx([1.0, 1.4, 1.9, 2.4, 6.0, 6.4])
    assert [word.confidence for word in found.words[:2]] == [0.7, 1.0]
    assert all(any(s.start <= w.start <= w.end <= s.end for s in SPEECH) for w in found.words)
    assert shares == [0.5, 1.0]


def test_the_language_is_detected_once_where_most_is_said(whisper: type[FakeWhisper], reading: Sound) -> None:
    found = recognise(reading, SPEECH, language="auto")
    assert found.language == "fr"
    assert [language for _, language in whisper.asked] == [None, "fr", "fr"]
    assert whisper.asked[0][0] == round(2.2 * RATE)


@pytest.mark.usefixtures("whisper")
def test_a_language_that_is_not_known_is_told(whisper: type[FakeWhisper], reading: Sound) -> None:
    with pytest.raises(
        LanguageError, match=r"^Words in XX cannot .* knows no language 'xx'; a transcript does"
    ):
        recognise(reading, SPEECH, language="xx")
    with pytest.raises(ValueError, match="empty sequence"):  # of the program, not of who asked
        recognise(Sound(np.zeros(8 * RATE, np.float32)), SPEECH, language="de")
    assert recognise(reading, SPEECH, language=language_setting("nb-NO")).language == "no"
    assert recognise(reading, SPEECH, language=language_setting("fil-PH")).language == "fil"
    assert {language for _, language in whisper.asked} == {"no", "tl"}


def test_without_speech_no_model_is_needed(reading: Sound) -> None:
    assert recognise(reading, (), language="de") == Transcript()


@pytest.mark.parametrize("missing", ["package", "setting"])
def test_what_is_missing_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, reading: Sound, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.delenv("COUPLED_MAMBA_WHISPER", raising=False)
    if missing == "package":
        monkeypatch.setenv("COUPLED_MAMBA_WHISPER", "small")
    other_languages._whisper.cache_clear()
    with pytest.raises(
        LanguageError, match=r"^Words in German .* faster-whisper and, in COUPLED_MAMBA_WHISPER.*\.$"
    ):
        recognise(reading, SPEECH, language="de")
    with pytest.raises(LanguageError) as told:
        recognise(reading, SPEECH, language="auto")
    assert str(told.value).startswith(
        "The language of the speech cannot be found out here: that needs the package"
    )
    assert str(told.value).endswith(
        "where it is English, leave the language (COUPLED_MAMBA_LANGUAGE, --language) at en instead of auto."
    )


def test_a_model_that_cannot_be_loaded_is_told(
    whisper: type[FakeWhisper], monkeypatch: pytest.MonkeyPatch, reading: Sound
) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_WHISPER", "nowhere")
    with pytest.raises(LanguageError, match=r"'nowhere' that COUPLED_MAMBA_WHISPER names .*RuntimeError"):
        recognise(reading, SPEECH, language="de")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, "en"),
        ("DE", "de"),
        ("deu", "de"),
        ("ger", "de"),
        ("eng", "en"),
        ("auto", "auto"),
        ("xh", "xh"),
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("zh-Hant-TW", "zh"),
        ("deu-AT", "de"),
        ("en-US-u-hc-h12", "en"),
        ("nb", "no"),
        ("nb-NO", "no"),
        ("iw", "he"),
        (SUPPOSED, "en"),
    ],
)
def test_languages_go_by_their_codes(given: str | None, found: str) -> None:
    assert language_setting(given) == found


def test_the_environment_sets_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_LANGUAGE", "fr")
    assert language_setting() == "fr"
    assert language_setting("en") == "en"
    for wrong in ("german", "german-DE", "en-", "auto-US", "en US"):
        with pytest.raises(InputError, match=rf"'{wrong.lower()}': a code such as en"):
            language_setting(wrong)


def test_what_is_no_language_is_repeated_in_short() -> None:
    with pytest.raises(InputError, match=r"^The language is 'the .*\.\.\..*': a code such as en") as told:
        language_setting("The model " * 800_000)
    assert len(str(told.value)) < 150


def test_a_word_of_signs_takes_no_time_by_its_square() -> None:
    words = ["!" * 400_000 + "a" + "!" * 400_000 + "a!", *(f"«{w}!»" for w in TEXTS["de"].split())]
    began = time.process_time()
    assert guess_language(words) == "de"
    assert time.process_time() - began < 3


@pytest.mark.parametrize("language", list(TEXTS))
def test_another_language_is_told_from_english(language: str) -> None:
    assert guess_language(TEXTS[language].split()) == language
    assert guess_language(SPOKEN.get(language, TEXTS[language]).split()) == language


def test_letters_written_apart_and_in_other_forms_are_the_letters() -> None:
    for form in ("NFD", "NFKD"):
        assert guess_language(unicodedata.normalize(form, SPOKEN["pt"]).split()) == "pt"
    assert guess_language(["Ｈｅｌｌｏ", "ｔｈｅｒｅ"]) is None
    bold = "".join(chr(0x1D5EE + ord(c) - ord("a")) for c in "hellothere")
    assert guess_language([bold]) is None


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        "",
        "123 456 — ...",
        "Das ist gut",
        "Café naïve résumé",
        "oh no no no baby la la la la",
        "Um, yeah. So, um, like, what? Um, okay. Um, no. Um, maybe. Right, um, sure, um, go, um, now. Um, hello.",
        "Dr. Van Buren met Van Halen; Eddie met Alex, Sammy met David, David met Michael. Who met Gary? Er, er.",
        "La la la la la la la la. Sing along! La la la la la. Come on everybody now, sing: la la la la la!",
        "Do re mi fa so la ti do! Do re mi fa so la ti do! Sing! Do re mi fa so la ti do!",
        "Los Angeles, Las Vegas, El Paso, San Diego, Los Alamos, Las Cruces, Santa Fe, El Centro, Los Gatos, San Jose, "
        "Santa Cruz, El Cerrito",
        " ".join(["terrible film awful acting boring plot bad music worse jokes"] * 4),
        "The phrase je ne sais quoi is what I mean when les mots are not there and that is that for me really",
    ],
)
def test_english_and_what_is_too_short_are_not_taken_for_another(text: str) -> None:
    assert guess_language(text.split()) is None


def test_the_clips_own_subtitles_are_read_in_the_language_asked_for(tmp_path: Path) -> None:
    streams = [Subtitles([(0.5, 3.5, "hello there")], "eng"), Subtitles([(0.5, 3.5, "guten Tag")], "deu")]
    clip = make_clip(tmp_path / "a.mkv", 4.0, video=None, subtitles=streams)
    speech = (Span(0.5, 3.5),)
    for asked, language, first in (("en", "en", "hello"), ("de", "de", "guten"), ("auto", "en", "hello")):
        found = read_embedded(clip, None, speech, 4.0, language=asked)
        assert found is not None
        assert (found.language, found.words[0].word) == (language, first)
    warnings: list[str] = []
    assert read_embedded(clip, None, speech, 4.0, warnings, "fr") is None
    assert warnings == [
        "The clip's own subtitles are tagged as not French (eng, deu), so they were not used."
    ]


def test_a_transcript_in_another_language_is_known_as_such(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.wav", 4.0, video=None)
    (tmp_path / "a.txt").write_text(GERMAN)
    (tmp_path / "b.txt").write_text(ENGLISH)
    for name, language in (("a.txt", "de"), ("b.txt", "en")):
        transcript, tracks = read_tracks(ClipReader(clip, tmp_path / name))
        assert transcript.language == language
        assert set(tracks) == {"audio"} | ({"text"} if language == "en" else set())


def test_english_that_was_asked_for_is_believed(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", 12.0, video=None, subtitles=[Subtitles([(0.5, 11.5, GERMAN)])])
    (tmp_path / "a.txt").write_text(GERMAN)
    cache = Cache(tmp_path / "cache")
    for given in (tmp_path / "a.txt", None):
        for asked, language in ((None, "de"), (SUPPOSED, "de"), ("en", "en"), ("eng", "en")):
            reader = ClipReader(clip, given, cache, asked)
            sound = reader.sound()
            found = reader.words(sound, reader.speech(sound))
            if given is None and language == "de":  # the clip's own are left alone, and told
                assert found.source != "embedded"
                assert any("subtitles are in German" in warning for warning in reader.warnings)
            else:
                assert (found.words[0].word, found.language) == ("Alle", language)


def test_another_model_in_the_same_folder_hears_anew(
    tmp_path: Path, whisper: type[FakeWhisper], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, model = make_clip(tmp_path / "a.wav", 4.0, video=None), tmp_path / "model"
    monkeypatch.setenv("COUPLED_MAMBA_WHISPER", str(model))
    model.mkdir()

    def worked() -> list[str]:
        reader = ClipReader(clip, cache=Cache(tmp_path / "cache"), language="de")
        sound = reader.sound()
        assert reader.words(sound, reader.speech(sound)).language == "de"
        return reader.worked

    (model / "model.bin").write_bytes(b"one")
    assert "recognised" in worked()
    assert worked() == []
    (model / "model.bin").write_bytes(b"two")
    os.utime(model / "model.bin", (1e9, 1e9))  # whatever the clock's grain
    assert worked() == ["recognised"]
    # And the one that hears is the new one.
    assert len(whisper.made) == 2


def test_a_model_is_known_by_its_files_and_by_its_name_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text("of something else")
    (tmp_path / "other").mkdir()
    monkeypatch.delenv("COUPLED_MAMBA_WHISPER", raising=False)
    assert whisper_content() == ""
    for name in ("never-fetched", "other"):
        monkeypatch.setenv("COUPLED_MAMBA_WHISPER", name)
        monkeypatch.setenv("COUPLED_MAMBA_MULTILINGUAL", name)
        assert (whisper_content(), encoder_content()) == (name, name)
    (tmp_path / "other" / "modules.json").write_text("[]")
    assert encoder_content() == digest_model(tmp_path / "other")


class FakeEncoding(dict):  # type: ignore[type-arg]
    """A tokenizer's answer: two tokens a word between a first and a last token of no word; none for an empty word."""

    def __init__(self, sentences: list[list[str]]) -> None:
        import torch

        owners = [
            [None, *(i for i, w in enumerate(words) if w for _ in range(2)), None] for words in sentences
        ]
        longest = max(map(len, owners))
        self.owners: list[list[int | None]] = [[*own, *[None] * (longest - len(own))] for own in owners]
        super().__init__(input_ids=torch.arange(longest, dtype=torch.float32).expand(len(sentences), -1))

    def word_ids(self, batch: int) -> list[int | None]:
        return self.owners[batch]


class FakeEncoder:
    """sentence_transformers.SentenceTransformer as far as it is used: a token's embedding is its place."""

    def __init__(self, name: str, device: str, local_files_only: bool) -> None:
        if name != "mine" or not local_files_only:
            raise OSError(f"{name} is not a local folder")

    def eval(self) -> FakeEncoder:
        return self

    def tokenizer(self, words: list[list[str]], *, is_split_into_words: bool, **_: object) -> FakeEncoding:
        assert is_split_into_words
        return FakeEncoding(words)

    def __getitem__(self, index: int) -> Any:
        return lambda encoded: {"token_embeddings": encoded["input_ids"][..., None].expand(-1, -1, 384)}


def test_words_of_other_languages_are_embedded_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    import sentence_transformers

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", FakeEncoder)
    monkeypatch.setenv("COUPLED_MAMBA_MULTILINGUAL", "mine")
    other_languages._multilingual.cache_clear()
    words = (Word("guten", 0.0, 0.4, 0.9), Word("", 0.4, 0.5), Word("Tag", 0.5, 0.8), Word("ja", 1.0, 1.2))
    track = embed_other(Transcript(words, (0, 0, 0, 1), "recognised", "de"))
    assert track.columns == ("multilingual_minilm",)
    assert track.values[:, 0].tolist() == [1.5, 2.5, 3.5, 1.5]
    assert track.start.tolist() == [0.0, 0.4, 0.5, 1.0]
    assert track.confidence[0] == pytest.approx(0.9)
    monkeypatch.setenv("COUPLED_MAMBA_MULTILINGUAL", "other")
    with pytest.raises(
        LanguageError, match=r"Words in German cannot be embedded .* COUPLED_MAMBA_MULTILINGUAL"
    ):
        embed_other(Transcript(words, (0, 0, 0, 1), "recognised", "de"))
    other_languages._multilingual.cache_clear()
