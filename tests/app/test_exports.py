"""Files to take home: each holds what the analysis holds, readers of its format read it, and no text harms it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.analysis import MODALITIES, NAMES, Analysis, TimedWord
from app.exports import FORMATS, save
from app.exports.elan import render_eaf, sign_changes
from app.exports.sentences import sentences
from app.exports.subtitles import render_vtt, stamp
from app.exports.ticks import FORMULA, harmless, render_csv
from extractors.words.subtitles import read_transcript
from tests.app.made import make_analysis, with_intervals, with_tone, with_words

HOSTILE = (
    "=cmd|'/C calc'!A0", "+1", "-2", "@SUM(1)", "＝1+1", "-->", "00:00:01.000 --> 00:00:02.000", "]]>", "&amp;",
    "<script>alert(1)</script>", "</ANNOTATION_VALUE>", "a\x00b\x08c", "\ud800", "\uffff", "two\nlines", "\x1b[31m",
    "NOTE", "WEBVTT", "{\\b1}", 'quo"ted, and; more', "日本語。", "العربية", "क्\u200dष", "👩\u200d🎤",
)  # fmt: skip


def hostile() -> Analysis:
    words = [TimedWord(text, 0.4 * i, 0.4 * i + 0.3) for i, text in enumerate(HOSTILE)]
    return with_words(make_analysis(60), *words)


def read_csv(analysis: Analysis) -> list[dict[str, str]]:
    text = render_csv(analysis)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_csv_has_every_number_of_the_time_line() -> None:
    analysis = with_tone(with_intervals(make_analysis(50)))
    rows = read_csv(analysis)
    assert analysis.tone is not None
    for name, line in (("pitch", analysis.tone.pitch), ("loudness", analysis.tone.loudness)):
        told = [row[f"voice_{name}"] for row in rows]
        assert [cell == "" for cell in told] == [value is None for value in line]
        known = [i for i, value in enumerate(line) if value is not None]
        assert [float(told[i]) for i in known] == pytest.approx([line[i] for i in known], abs=1e-6)
    feeling, between = analysis.sentiment, analysis.sentiment.interval
    assert between is not None
    assert len(rows) == 50
    for i in (0, 17, 49):
        row = rows[i]
        assert float(row["time"]) == pytest.approx(analysis.ticks.start[i])
        assert float(row["score"]) == pytest.approx(feeling.ticks[i], abs=1e-6)
        assert float(row["low"]) == pytest.approx(between.ticks_low[i], abs=1e-6)
        assert float(row["high"]) == pytest.approx(between.ticks_high[i], abs=1e-6)
        for m in MODALITIES:
            assert float(row[f"{NAMES[m]}_score"]) == pytest.approx(feeling.alone[m].ticks[i], abs=1e-6)
            assert float(row[f"{NAMES[m]}_presence"]) == analysis.presence[m][i]
            assert float(row[f"{NAMES[m]}_state"]) == pytest.approx(
                analysis.dynamics.state_norm[m][i], abs=1e-6
            )
            for source in MODALITIES:
                told = float(row[f"share_of_{NAMES[m]}_from_{NAMES[source]}"])
                assert told == pytest.approx(analysis.dynamics.share[m][source][i], abs=1e-6)
    assert " ".join(dict.fromkeys(row["said"] for row in rows)).startswith("so")


def test_csv_leaves_a_cell_empty_where_nothing_is_known() -> None:
    analysis = make_analysis(6, ("text", "audio"))
    rows = read_csv(analysis)
    assert {row["low"] for row in rows} == {""}
    assert {row["face_score"] for row in rows} == {row["voice_pitch"] for row in rows} == {""}
    assert {row["face_presence"] for row in rows} == {"0"}
    late = dict(analysis.presence, text=(0.0, 0.0, 1.0, 0.0, 1.0, 1.0))
    rows = read_csv(Analysis(**{**vars(analysis), "presence": late}))
    assert [row["words_score"] == "" for row in rows] == [True, True, False, False, False, False]


def test_no_text_of_a_csv_is_a_formula() -> None:
    rows = read_csv(hostile())
    said = [row["said"] for row in rows]
    assert not [cell for cell in said if cell.startswith(FORMULA)]
    assert any(cell.startswith("'=cmd|") for cell in said)
    assert any("日本語。" in cell for cell in said)
    assert all(len(row) == len(rows[0]) for row in rows)
    assert float(rows[20]["score"]) < 3  # numbers below zero stay numbers


@given(st.text())
def test_any_text_is_one_harmless_line(text: str) -> None:
    cell = harmless(text)
    assert not cell.startswith(FORMULA)
    assert "\n" not in cell
    assert "\r" not in cell


CUE = re.compile(r"^\[([+-]?\d\.\d)\] <c\.(positive|neutral|negative)>(.*)</c>$")


def cues(text: str) -> list[tuple[float, float, str]]:
    """(start, end, payload) of each cue, by the grammar of WebVTT: blocks apart by an empty line, one arrow each."""
    head, *blocks = re.split(r"\n\n+", text.rstrip("\n"))
    assert head.startswith("WEBVTT")
    found = []
    for block in blocks:
        lines = block.split("\n")
        if lines[0] in ("NOTE", "STYLE"):
            assert "-->" not in block
            continue
        number, times, payload = lines
        assert number == str(len(found) + 1)
        assert "-->" not in payload
        start, end = (
            sum(float(p) * 60**i for i, p in enumerate(reversed(t.split(":")))) for t in times.split(" --> ")
        )
        found.append((start, end, payload))
    return found


def test_every_cue_opens_with_its_score_and_holds_its_words_in_time() -> None:
    analysis = make_analysis(60)
    found = cues(render_vtt(analysis))
    spoken = sentences(analysis, 12)
    assert len(found) == len(spoken) == 2  # 15 words without a full stop or a pause
    for (start, end, payload), sentence in zip(found, spoken, strict=True):
        assert (start, end) == pytest.approx((sentence.start, sentence.end), abs=1e-3)
        match = CUE.match(payload)
        assert match
        assert float(match[1]) == pytest.approx(sentence.score, abs=0.051)
        assert html.unescape(match[3]) == sentence.text
    events = pysubs2.SSAFile.from_string(render_vtt(analysis), format_="vtt").events
    assert [html.unescape(e.plaintext.split("] ")[1]) for e in events] == [s.text for s in spoken]


@pytest.mark.parametrize(
    ("score", "short", "long"),
    [
        (-0.03, "0.0", "-0.03"),
        (-0.004, "0.0", "0.00"),
        (0.0, "0.0", "0.00"),
        (-0.62, "-0.6", "-0.62"),
        (1, "+1.0", "+1.00"),
    ],
)
def test_zero_has_no_sign_in_a_file_and_minus_is_what_programs_read(
    score: float, short: str, long: str
) -> None:
    analysis = make_analysis(60)
    scores = replace(analysis.sentiment, ticks=(score,) * 60)
    told = replace(analysis, sentiment=scores)
    assert {payload.split()[0] for _, _, payload in cues(render_vtt(told))} == {f"[{short}]"}
    assert f"<ANNOTATION_VALUE>{long}</ANNOTATION_VALUE>" in render_eaf(told)


def test_no_word_breaks_out_of_its_cue() -> None:
    text = render_vtt(hostile())
    found = cues(text)
    assert all(CUE.match(payload) for _, _, payload in found)
    assert all(a[0] < a[1] <= b[0] for a, b in pairwise(found))
    assert "<script" not in text
    assert "日本語。" in text
    assert "\u200d" in text  # a joiner is part of how a word is written
    text.encode("utf-8")


def test_saved_subtitles_can_be_given_back_as_the_transcript(tmp_path: Path) -> None:
    said = [
        "It",
        "was",
        "the",
        "best",
        "of",
        "times,",
        "日本語。",
        "it",
        "was",
        "the",
        "worst",
        "of",
        "times,",
        "don't",
        "you",
        "think,",
        "Zoë?",
    ]
    words = [TimedWord(word, 0.5 * i, 0.5 * i + 0.4) for i, word in enumerate(said)]
    save(with_words(make_analysis(60), *words), "vtt", tmp_path / "clip.vtt")
    again = read_transcript(tmp_path / "clip.vtt", None, (), 12.0)
    assert [word.word for word in again.words] == said


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "00:00:00.000"), (3661.0495, "01:01:01.050"), (59.9999, "00:01:00.000")]
)
def test_time_stamps(seconds: float, text: str) -> None:
    assert stamp(seconds) == text


def eaf(analysis: Analysis, clip: str = "clip.mp4") -> ElementTree.Element:
    return ElementTree.fromstring(render_eaf(analysis, clip))


ORDER = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LOCALE", "LANGUAGE", "CONSTRAINT"]
NEEDED = {
    "ANNOTATION_DOCUMENT": {"AUTHOR", "DATE", "VERSION"},
    "MEDIA_DESCRIPTOR": {"MEDIA_URL", "MIME_TYPE"},
    "TIME_SLOT": {"TIME_SLOT_ID"},
    "TIER": {"TIER_ID", "LINGUISTIC_TYPE_REF"},
    "ALIGNABLE_ANNOTATION": {"ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2"},
    "REF_ANNOTATION": {"ANNOTATION_ID", "ANNOTATION_REF"},
    "LINGUISTIC_TYPE": {"LINGUISTIC_TYPE_ID"},
    "CONSTRAINT": {"STEREOTYPE"},
}
INSIDE = {
    "HEADER": {"MEDIA_DESCRIPTOR", "PROPERTY"},
    "TIME_ORDER": {"TIME_SLOT"},
    "TIER": {"ANNOTATION"},
    "ANNOTATION": {"ALIGNABLE_ANNOTATION", "REF_ANNOTATION"},
    "ALIGNABLE_ANNOTATION": {"ANNOTATION_VALUE"},
    "REF_ANNOTATION": {"ANNOTATION_VALUE"},
}


def check_eaf(root: ElementTree.Element) -> dict[str, list[tuple[int, int, str]]]:
    """Hold the document against EAF 3.0's schema and ELAN's rules; gives (start, end, value) by tier."""
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert root.get("FORMAT") == "3.0"
    places = [ORDER.index(child.tag) for child in root]
    assert places == sorted(places)
    assert [places.count(i) for i in (0, 1)] == [1, 1]
    for element in root.iter():
        assert NEEDED.get(element.tag, set()) <= set(element.attrib), element.tag
        if element.tag in INSIDE:
            assert {child.tag for child in element} <= INSIDE[element.tag]
    names = [
        e.get(key)
        for e in root.iter()
        for key in ("TIME_SLOT_ID", "ANNOTATION_ID", "STEREOTYPE")
        if e.get(key)
    ]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", name or "") for name in names)  # of type xsd:ID
    kinds = {kind.get("LINGUISTIC_TYPE_ID"): kind for kind in root.iter("LINGUISTIC_TYPE")}
    stereotypes = {c.get("STEREOTYPE") for c in root.iter("CONSTRAINT")}
    tiers = {tier.get("TIER_ID"): tier for tier in root.iter("TIER")}
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE", "")) for s in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    found: dict[str, list[tuple[int, int, str]]] = {}
    for name, tier in tiers.items():
        kind = kinds[tier.get("LINGUISTIC_TYPE_REF")]
        assert ("CONSTRAINTS" in kind.attrib) == ("PARENT_REF" in tier.attrib)
        assert tier.get("PARENT_REF") in (None, *tiers)
        assert kind.get("CONSTRAINTS") in (None, *stereotypes)
        wanted = "ALIGNABLE_ANNOTATION" if kind.get("TIME_ALIGNABLE") == "true" else "REF_ANNOTATION"
        assert {a[0].tag for a in tier} <= {wanted}
        if wanted == "ALIGNABLE_ANNOTATION":
            found[name or ""] = [
                (slots[a[0].get("TIME_SLOT_REF1")], slots[a[0].get("TIME_SLOT_REF2")], a[0][0].text or "")
                for a in tier
            ]
            assert all(a < b for a, b, _ in found[name or ""])
            assert all(x[1] <= y[0] for x, y in pairwise(found[name or ""]))
    parents = {a[0].get("ANNOTATION_ID") for a in tiers["sentences"]}
    assert {a[0].get("ANNOTATION_REF") for a in tiers["score"]} == parents
    spoken = found["sentences"]
    assert all(any(s <= a and b <= e for s, e, _ in spoken) for a, b, _ in found["words"])
    return found


def test_eaf_holds_words_sentences_scores_and_turns() -> None:
    analysis = with_words(
        make_analysis(60),
        *(
            TimedWord(w, 0.5 * i, 0.5 * i + 0.4)
            for i, w in enumerate(["it", "was", "the", "best", "of", "times"])
        ),
        sentences=(0, 0, 0, 1, 1, 1),
    )
    root = eaf(analysis, "my clips/a & b #1.mp4")
    found = check_eaf(root)
    assert [value for _, _, value in found["words"]] == ["it", "was", "the", "best", "of", "times"]
    assert found["words"][1] == (500, 900, "was")
    assert found["sentences"] == [(0, 1400, "it was the"), (1500, 2900, "best of times")]
    scores = [float(v.text or "") for v in root.iterfind(".//TIER[@TIER_ID='score']//ANNOTATION_VALUE")]
    assert scores == pytest.approx([s.score for s in sentences(analysis)], abs=0.006)
    turns = [(round(1000 * a), round(1000 * b), name) for name, a, b in sign_changes(analysis)]
    assert found["sign changes"] == turns
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./my%20clips/a%20%26%20b%20%231.mp4"
    assert media.get("MEDIA_URL") == "file:///a%20%26%20b%20%231.mp4"
    assert media.get("MIME_TYPE") == "video/mp4"
    (last,) = root.iter("PROPERTY")
    assert int(last.text or "") == len(list(root.iter("ANNOTATION")))


def test_no_word_breaks_the_xml_and_none_is_lost() -> None:
    found = check_eaf(eaf(hostile()))
    words = [value for _, _, value in found["words"]]
    assert "<script>alert(1)</script>" in words
    assert "]]>" in words
    assert "a b c" in words
    assert "क्\u200dष" in words
    assert len(words) == len(HOSTILE) - 2  # half a surrogate pair and a code point that is no character


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_reader_that_linguists_use_finds_everything_in_its_place(tmp_path: Path) -> None:
    from pympi.Elan import Eaf

    analysis = with_words(
        make_analysis(60), TimedWord("it", 0.5, 0.9), TimedWord("was", 1.0, 1.4), TimedWord("best", 4.0, 4.5)
    )
    save(analysis, "eaf", tmp_path / "clip.eaf", "clip.mp4")
    read = Eaf(str(tmp_path / "clip.eaf"))
    assert set(read.get_tier_names()) == {"sentences", "words", "score", "sign changes"}
    assert read.get_annotation_data_for_tier("sentences") == [(500, 1400, "it was"), (4000, 4500, "best")]
    assert [text for _, _, text in read.get_annotation_data_for_tier("words")] == ["it", "was", "best"]
    scores = read.get_ref_annotation_data_for_tier("score")
    assert [score[:2] for score in scores] == [(500, 1400), (4000, 4500)]
    assert read.get_child_tiers_for("sentences") == ["words", "score"]
    assert read.get_linked_files()[0]["RELATIVE_MEDIA_URL"] == "./clip.mp4"


def test_a_server_path_does_not_leave_with_the_file() -> None:
    assert "secret" not in render_eaf(make_analysis(), "/home/secret/clip.mp4")


def test_sign_changes_cover_the_clip_and_pass_over_what_shows_as_zero() -> None:
    analysis = make_analysis(6)
    ticks = (0.01, 0.4, -0.04, 0.3, -0.2, -0.01)
    feeling = vars(analysis.sentiment) | {"ticks": ticks}
    turned = Analysis(**{**vars(analysis), "sentiment": type(analysis.sentiment)(**feeling)})
    assert [(n, round(a, 6), round(b, 6)) for n, a, b in sign_changes(turned)] == [
        ("neutral", 0.0, 0.2),
        ("positive", 0.2, 0.8),
        ("negative", 0.8, 1.2),
    ]


@pytest.mark.parametrize("modalities", [("visual",), ("audio",), ("text",), MODALITIES])
@pytest.mark.parametrize("ticks", [1, 40])
def test_every_format_of_any_clip(tmp_path: Path, modalities: tuple[str, ...], ticks: int) -> None:
    analysis = make_analysis(ticks, modalities)
    for kind in FORMATS:
        save(analysis, kind, tmp_path / f"a.{kind}", tmp_path / "my <i>clip</i>\udcff.mp4")
    assert (
        Analysis.from_json((tmp_path / "a.json").read_text(encoding="utf-8")).to_json() == analysis.to_json()
    )
    assert len((tmp_path / "a.csv").read_bytes().split(b"\r\n")) == ticks + 2
    assert bool(cues((tmp_path / "a.vtt").read_text(encoding="utf-8"))) == ("text" in modalities)
    check_eaf(ElementTree.fromstring((tmp_path / "a.eaf").read_text(encoding="utf-8")))
    assert "Plotly.newPlot(" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_words_that_overlap_or_have_no_length_are_put_in_a_row() -> None:
    words = [
        TimedWord("a", 1.0, 2.0),
        TimedWord("b", 1.5, 1.5),
        TimedWord("", 2.0, 2.1),
        TimedWord("c", 9.0, 99.0),
    ]
    analysis = with_words(make_analysis(60), *words, sentences=(0, 0, 0, 1))
    found = check_eaf(eaf(analysis))
    assert found["words"] == [(1000, 2000, "a"), (2000, 2001, "b"), (9000, 99000, "c")]
    assert [value for _, _, value in found["sentences"]] == ["a b", "c"]
    cues(render_vtt(analysis))


def test_an_unknown_format_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no format 'doc': choose one of json, csv, vtt, eaf, html"):
        save(make_analysis(), "doc", tmp_path / "a.doc")


def test_csv_and_json_tell_the_same_score() -> None:
    analysis = make_analysis(9)
    data = json.loads(analysis.to_json())
    assert [float(row["score"]) for row in read_csv(analysis)] == data["sentiment"]["ticks"]
