"""The page's languages: complete tables, every string of the page in them, sentences told again."""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from app.analysis import MODALITIES, Analysis, label
from app.api import Api
from app.asking import Fewer
from app.exports import FORMATS
from app.figures import draw_coupling, draw_timeline
from app.figures.moment import draw_moment
from app.figures.switches import draw_switched
from app.i18n import DEFAULT, LANGUAGES, RETOLD, choose, joined, percent, places, retell, table, tell
from app.i18n.labels import html, language_of
from app.i18n.visitors import for_visitors, settings_in
from app.page import build_page
from app.panels import status
from app.panels.saving import TRANSLATED
from app.panels.timeline import WINDOW
from app.server.refusals import explain
from app.server.runs import Run
from app.service import Service
from app.several import table_of
from app.stages import STAGES
from app.telling.answer_cards import (
    brief_card,
    fewer_card,
    layers_card,
    memory_card,
    moment_card,
    space_card,
)
from app.telling.cards import SOURCES, coupling_card, legend, result_card, table_card, transcript_card
from app.telling.moments import Moment
from extractors.records import InputError
from extractors.words.languages import known_languages
from tests.app.made import make_analysis, offered, with_tone, with_warnings

ROOT = Path(__file__).parents[2]
OTHERS = [language for language in LANGUAGES if language != DEFAULT]
NAMES = {"Coupled", "Mamba", "JSON", "CSV", "ELAN", "HTML", "API", "MCP", "English"}
"""What is written in Latin letters in every language."""
TYPES = {
    "srt",
    "vtt",
    "txt",
    "python",
    "app",
    "batch",
    "GB",
    "Hz",
    "UTF",
    "dB",
    "br",
}  # endings of files, commands, units, markup
KEYS = {"enter", "esc", "page", "up", "down", "home", "end"}  # of a keyboard
JAPANESE = re.compile(r"[\u3040-\u9fff]")  # and Chinese
LATIN = re.compile(r"[A-Za-z]{2,}")


def latin(text: str, known: frozenset[str] = frozenset()) -> list[str]:
    """The words in Latin letters that have no business in a Chinese or Japanese text."""
    return [w for w in LATIN.findall(text) if w not in NAMES | TYPES | known and w.lower() not in known]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_has_every_text_with_the_same_placeholders(language: str) -> None:
    told, english = table(language), table(DEFAULT)
    assert list(told) == list(english)
    for key, text in told.items():
        assert places(text) == places(english[key]), key
        assert places(text).isdisjoint({"key", "language"}), key  # names of `tell`'s own arguments
        assert (text == "") <= key.startswith("join."), key
    raw = json.loads((ROOT / "app" / "i18n" / f"{language}.json").read_text(), object_pairs_hook=list)
    assert len(raw) == len(told), "a key is there twice"


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_was_left_in_english(language: str) -> None:
    left = {}
    for key, text in table(language).items():
        plain = re.sub(r"\{\w+\}|<[^>]*>|COUPLED_MAMBA\w*", "", text)
        if found := latin(plain, frozenset({"de", "en", "auto", "webvtt", "faster", "whisper", "mp", *KEYS})):
            left[key] = found
    assert not left


MADE = {
    "name.{}": ["all", *MODALITIES],
    "owner.{}": MODALITIES,
    "state.{}": MODALITIES,
    "label.{}": sorted({label(score) for score in range(-3, 4)}),
    "status.{}": ["words", "voice", "face"],
    "stage.{}": STAGES,
    "timeline.{}": ["positive", "neutral", "negative"],
    "timeline.window_{}": WINDOW.values(),
    "transcript.{}": SOURCES,
    "words.{}": ["from", "to", "word"],
    "why.{}{}.{}": [
        f"{way}{much}.{m}" for way in ("up", "down") for much in ("", "_little") for m in MODALITIES
    ],
    "saving.{}": TRANSLATED,
    "saving.told.{}": FORMATS,
    "timeline.hint.{}": ["pulls", "moves", "norms", "presence"],
    "compare.{}": ["independent", "other"],
    "compare.most_alone.{}": MODALITIES,
    "compare.most_beside.{}": MODALITIES,
    "language.{}": known_languages(),
}
"""Keys that the code puts together, by how it does, with what is put in."""


def nodes_of(*folders: str) -> Iterator[ast.AST]:
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def pattern_of(text: ast.JoinedStr, place: str) -> str:
    return "".join(str(p.value) if isinstance(p, ast.Constant) else place for p in text.values)


def test_every_key_that_the_code_names_is_in_the_tables_and_every_text_is_used() -> None:
    named, made, written = set(), set(), set()
    for node in nodes_of("app"):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            written.add(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("tell", "label") and node.args:
            key = node.args[0]
            if isinstance(key, ast.JoinedStr):
                made.add(pattern_of(key, "{}"))
            elif isinstance(key, ast.Constant):
                named.add(key.value)
    assert made == set(MADE)
    whole = {pattern.split("{")[0] + part for pattern, parts in MADE.items() for part in parts}
    assert named | whole <= set(table(DEFAULT))
    assert not [k for k in table(DEFAULT) if k not in written | whole and not k.startswith(RETOLD)]


def test_every_sentence_that_is_told_again_is_one_that_the_analysis_says() -> None:
    """Each text under `heard.`: what stands around its placeholders stands in the code too, where it is not its key."""
    said, keys = [], set()
    for node in nodes_of("app", "extractors"):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            said.append(node.value)
            keys.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            said.append(pattern_of(node, "\n"))
    code = "\n".join(said).lower()
    for key, text in table(DEFAULT).items():
        if key.startswith(RETOLD) and key not in keys:
            parts = re.split(r"\{\w+\}| (?=for only)", text.lower())  # what the code puts together too
            assert not [part for part in parts if part.strip(" .:,") not in code], key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("source", SOURCES)
def test_where_words_come_from_says_nothing_of_their_language(source: str, language: str) -> None:
    """Recognised words may be German, subtitles Chinese: what is not scored is told by a warning that names it."""
    text = tell(f"transcript.{source}", language)
    assert not [name for name in ("English", "英语", "英語") if name in text]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_range_and_a_difference_rest_on_is_said(language: str) -> None:
    """Ranges were set on streams put together from separate recordings, and two networks differ by chance too."""
    synthetic, chance = ("synthetic", "chance") if language == DEFAULT else ("合成", "偶然")
    assert synthetic in tell("result.spread_hint", language)
    assert chance in tell("compare.explained", language)


@pytest.mark.parametrize("score", [-3, -2, -1, 0, 1, 2, 3])
def test_every_label_and_every_stage_has_its_text(score: float) -> None:
    assert tell(f"label.{label(score)}") == label(score)
    assert {name: tell(f"stage.{name}") for name in STAGES} == STAGES


def sentences_of(path: Path) -> Iterator[str]:
    """What a module's InputErrors, warnings and refusals say, with 7 for every value."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
        if name in ("InputError", "BusyError") or ast.unparse(node.func) == "warnings.append":
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value
            elif isinstance(text, ast.JoinedStr):
                yield "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in text.values)


def modules_a_clip_goes_through() -> list[Path]:
    return [
        *(ROOT / "extractors").glob("[!_]*.py"),
        *(ROOT / "app" / name for name in ("analyze.py", "turns.py", "memory.py")),
    ]


@pytest.mark.parametrize("unit", ["bytes", "seconds", "streams", "pixels across", "pixels down"])
def test_what_passes_a_limit_is_counted_in_the_pages_language(unit: str) -> None:
    for language in OTHERS:
        told = retell(f"The clip has 9 {unit}, more than the limit of 4: cut it or raise X.", language)
        assert not re.search("[a-z]{3}", told)


@pytest.mark.parametrize(
    "path", [p for p in modules_a_clip_goes_through() if p.exists()], ids=lambda p: p.stem
)
def test_what_the_analysis_says_is_told_again(path: Path) -> None:
    if path.stem in ("cache", "detect", "settings") or "train" in path.stem:
        pytest.skip("speaks to whoever runs the server, about its settings")
    for sentence in sentences_of(path):
        if sentence.startswith(("7 is 7", "The model 7 that 7")):
            continue  # a setting of the server: for whoever runs it
        for language in OTHERS:
            assert retell(sentence, language) != sentence, sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_visitors_are_not_told_what_only_who_runs_the_server_can_do(language: str) -> None:
    """The analysis's own sentences, as the command line says them, and what the page makes of them."""
    needs = "that needs the package faster-whisper and, in COUPLED_MAMBA_WHISPER, the folder or name of a model that"
    leave = (
        "where it is English, leave the language (COUPLED_MAMBA_LANGUAGE, --language) at en instead of auto"
    )
    rests = ": the answer rests on voice and face."
    for sentence in (
        "The clip has 1,801 seconds, more than the limit of 1,800: cut it or raise COUPLED_MAMBA_MAX_SECONDS.",
        "The clip needs about 2.1 GB of memory, more than the 1.0 GB that COUPLED_MAMBA_MEMORY allows: "
        "cut it or raise the setting.",
        "The clip needs about 2.1 GB of memory and 1.0 GB is free: cut it, or close what else is running; "
        "where that number is wrong, set COUPLED_MAMBA_MEMORY to the bytes there are.",
        f"Words in German cannot be recognised here: {needs} is on this machine; a transcript does as well{rests}",
        f"The language of the speech cannot be found out here: {needs} is on this machine; {leave}{rests}",
        f"The model 'small' that COUPLED_MAMBA_WHISPER names cannot be loaded (RuntimeError){rests}",
    ):
        said = retell(sentence, language)
        assert not re.search("COUPLED|whisper|package|setting|--language|close what", said), said
        assert language == DEFAULT or not latin(said), said
        assert settings_in(sentence)
    assert settings_in("COUPLED_MAMBA_YUNET is 'x', which is no file.") == ["COUPLED_MAMBA_YUNET"]
    assert not settings_in("COUPLED_MAMBA_YUNET.mp4 is empty (0 bytes).")  # a visitor's file


@pytest.mark.parametrize("language", OTHERS)
def test_sentences_within_sentences_are_told_again_too(language: str) -> None:
    for sentence in (
        "No face was found in the video: the answer rests on words and voice.",
        "The clip has no sound: the answer rests on the face alone.",
        "There is nothing to analyse: the clip has no sound and no face was found in the video.",
        "The clip's own subtitles cover little of what is said, so they were not used.",
        "The file holds no pictures for 1.5 s of its time.",
        "The file is damaged or cut short: decoded 12 of 100 frames, 12 %.",
        "The file is damaged: reading its sound ended at 3.0 s.",
        "The file says that it lasts 2.0 s and holds sound until 6.1 s: what comes later than it says is left out.",
        "The clip's own subtitles are in German, so they were not used.",
        "The picture stood still for 80 % of the clip: a face in it counts for one second each time.",
        "Of 31 words of the transcript 5 are heard where they are placed: does it belong to this clip?",
        "Words were heard for only 7 % of the clip.",
    ):
        assert not latin(retell(sentence, language)), sentence
    assert retell("No such sentence.", language) == "No such sentence."
    assert "a <b>.mp4" in retell("a <b>.mp4 is empty (0 bytes).", language)


HEADS = (
    "The model ",
    "GB that ",
    "cannot be recognised here: that needs ",
    "cannot be found out here: that needs ",
    "GB is free: cut it, or close what else is running; where that number is wrong, set X to ",
)
"""How sentences begin of which a part is left out, up to its end that never comes."""


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_visitor_wrote_into_a_sentence_takes_no_time_by_its_square(
    head: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others wait meanwhile, since `re` lets nothing else run."""
    long = head * (8_000_000 // len(head))
    error = InputError(long)
    began = time.process_time()
    assert retell(long, language) == long
    assert explain(error) == long
    for module in (
        "app.i18n",
        "app.i18n.visitors",
    ):  # what is short enough to be looked through costs little too
        monkeypatch.setattr(f"{module}.LONGEST", len(long))
    assert for_visitors(long[:400_000]) == long[:400_000]
    assert time.process_time() - began < 2


@pytest.mark.parametrize("language", OTHERS)
def test_what_reads_like_many_sentences_takes_no_time_by_a_power(language: str) -> None:
    sentence = "a.txt holds 9 words of " * 80
    began = time.process_time()
    assert retell(sentence, language) == sentence
    assert time.process_time() - began < 1


def test_the_address_wins_then_the_browsers_first_known_language() -> None:
    assert choose("ja", "zh-CN,zh;q=0.9") == "ja"
    assert choose(None, "de-DE,de;q=0.9,ja;q=0.3,zh-TW;q=0.8") == "zh"
    assert choose("xx", None) == choose(None, "de") == choose(None, ";q=x,") == DEFAULT
    assert choose(None, "de, ja;q=0") == choose(None, "ja;q=0.000, zh;q=nan") == DEFAULT  # not acceptable
    assert choose(None, "ja; q=0.9, en;q=0.1") == choose(None, "en ; Q=0.1 , ja ;q=0.9") == "ja"
    asked = gr.Request(query_params={"lang": "zh"}, headers={"accept-language": "ja"})
    assert language_of(asked) == "zh"
    assert language_of(gr.Request(session_hash="me")) == language_of(None) == DEFAULT


def test_lists_are_joined_as_the_language_does() -> None:
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert joined(["甲", "乙", "丙"], "zh") == "甲、乙和丙"
    assert (joined(["a"]), joined([])) == ("a", "")


def test_a_share_is_written_as_the_language_does(analysis: Analysis) -> None:
    assert (percent(0.64), percent(-0.126), percent(-0.001)) == ("64 %", "−13 %", "0 %")
    assert percent(0.64, "zh") == percent(0.64, "ja") == "64%"
    for language in OTHERS:
        assert not [key for key, text in table(language).items() if " %" in text]
        assert not [card for card in cards(analysis, language) if re.search(r"\d %", told(card))]


def test_braces_would_be_read_as_a_pattern() -> None:
    with pytest.raises(ValueError, match="braces"):
        html(lambda _: "{x}")


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    made = with_tone(make_analysis(60))
    return with_warnings(made, "No face was found in the video: the answer rests on words and voice.")


def cards(analysis: Analysis, language: str) -> Iterator[str]:
    """Everything that the page makes of an analysis, as HTML or as a figure's JSON."""
    line = tuple(float(v) for v in np.linspace(-0.4, 0.4, 25))
    moment = Moment(
        tuple(0.2 * i for i in range(25)),
        0.2,
        0.7,
        0.1,
        dict.fromkeys(MODALITIES, line),
        dict.fromkeys(MODALITIES, 0.2),
    )
    tilted = Moment(
        moment.starts, 0.2, 0.7, 0.1, {"text": (0.1,) * 25, "audio": (-0.01,) * 25, "visual": (0.0,) * 25}
    )
    few = Fewer(("audio",), analysis.sentiment.clip, analysis.sentiment.ticks)
    words = analysis.transcript.words
    memory = type(
        "Memory",
        (),
        {
            "coupling": np.stack([np.eye(3)] * 2),
            "half_life": np.array([[1.0, np.inf, 200]] * 2),
            "together": np.ones(2),
        },
    )
    paths = type("Paths", (), {"points": np.zeros((len(analysis.ticks.start), 3, 3)), "shown": 0.9})
    yield result_card(analysis, language)
    yield transcript_card(analysis, language)
    yield coupling_card(analysis, language)
    yield table_card(analysis, language)
    yield legend(language)
    yield moment_card(moment, words, language)
    yield moment_card(tilted, words, language)
    yield brief_card(moment, words, language)
    yield brief_card(Moment((0.0,), 0.2, 0.1, 0.1, {}), words, language)
    yield moment_card(Moment((0.0,), 0.2, 0.1, 0.1, {}), words, language)
    yield layers_card(memory, language)  # type: ignore[arg-type]
    yield memory_card(memory, language)  # type: ignore[arg-type]
    yield fewer_card(analysis, few, language)
    yield space_card(analysis, paths, language)  # type: ignore[arg-type]
    yield status.stages_card(Run(), language)
    yield status.waiting_card(2, language)
    yield status.message_card(tell("status.stopped", language), tell("status.cancelled", language), language)
    for figure in (
        *(draw_timeline(analysis, target, language, tone=True) for target in MODALITIES),
        draw_coupling(analysis, language),
        draw_moment(moment, words, language),
        draw_switched(analysis, few, language),
    ):
        yield " ".join(shown_in(figure))


def shown_in(figure: Any) -> Iterator[str]:
    """The texts of a plotly figure that a person gets to see."""
    for trace in figure.data:
        yield trace.name or ""
        for held in (trace.customdata, getattr(trace, "text", None)):
            yield from (str(text) for text in (() if held is None or isinstance(held, str) else held))
    yield from (f"{note.text} {note.hovertext or ''}" for note in figure.layout.annotations)
    yield str(figure.layout.xaxis.ticksuffix)


def told(card: str) -> str:
    """What a card says: its text, titles and names."""
    attributes = re.findall(r'(?:title|aria-label|placeholder|data-said)="([^"]*)"', card)
    return unescape(" ".join([re.sub(r"<[^>]*>", " ", card), *attributes]))


@pytest.mark.parametrize("language", OTHERS)
def test_no_card_and_no_picture_says_an_english_word(analysis: Analysis, language: str) -> None:
    spoken = frozenset(w for word in analysis.transcript.words for w in LATIN.findall(word.word.lower()))
    for card in cards(analysis, language):
        assert not latin(told(card), spoken), told(card)[:400]


def test_in_english_nothing_changed(analysis: Analysis) -> None:
    assert "all together" in result_card(analysis)
    assert not JAPANESE.search("".join(cards(analysis, DEFAULT)))


READ_BY_PEOPLE = ("label", "info", "placeholder", "description", "title", "value", "headers", "choices")


def texts_of(component: dict[str, Any]) -> Iterator[str]:
    """The strings in a component's configuration that the page would show."""
    for name in READ_BY_PEOPLE:
        found = component["props"].get(name)
        if isinstance(found, str):
            yield found
        elif name == "choices":
            yield from (str(choice[0]) for choice in found or ())


def test_the_page_holds_no_text_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Labels and values are markers, which the browser puts into its language; choices are set as the page opens."""
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    config = build_page().get_config_file()
    left = []
    for component in config["components"]:
        if component["props"].get("visible") is False and not component["props"].get("elem_id"):
            continue  # the programs' side of the page
        texts = [t for t in texts_of(component) if latin(t) and "__i18n__" not in t]
        left += [(component["type"], component["props"].get("elem_id"), t) for t in texts]
    choices = {tell(f"{kind}.{m}") for m in MODALITIES for kind in ("state", "name")}
    choices |= {tell("compare.independent"), tell("compare.other"), tell("language.en"), "independent", "en"}
    ours = [entry for entry in left if entry[2] not in choices | {"Subtitles", "text", *MODALITIES}]
    assert not ours


def test_heads_of_tables_come_in_the_language() -> None:
    assert table_of([], "ja")["headers"][0] == "番号"


def test_saved_files_and_programs_are_spoken_to_in_english(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever language the browser asks for: a file is read by somebody else, a program by its maker."""
    asked = gr.Request(
        session_hash="me", query_params={"lang": "ja"}, headers={"accept-language": "ja,zh;q=0.9"}
    )
    monkeypatch.setattr("app.analyze.analyze", lambda *_, **__: analysis)
    api, shown = Api(str(tmp_path)), Service(str(tmp_path)).show(analysis, "a.mp4", "text", request=asked)
    files = [str(path) for path in offered(shown)]
    assert len(files) == len(FORMATS) - 1  # the report comes with the answers, later
    # The page itself is asked in Japanese and answers in it.
    assert JAPANESE.search(re.sub("|".join(map(re.escape, files)), "", str(shown)))
    saved = [*files, *(api.save("a.mp4", kind, None, "", asked) for kind in FORMATS)]
    texts = [re.sub("<script.*?</script>", "", Path(path).read_text(), flags=re.DOTALL) for path in saved]
    for text in (*texts, api.describe("a.mp4", None, "", asked)):
        assert not JAPANESE.findall(text)
    with pytest.raises(gr.Error) as refused:
        api.save("a.mp4", "pdf", None, "", asked)
    assert not JAPANESE.findall(str(refused.value))
