"""The plain data: what it refuses, what survives its JSON form, and the words for scores."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.analysis import Analysis, ClipScore, label
from app.decoding import SchemaError
from tests.app.made import make_analysis, with_intervals, with_tone


def test_json_and_back_is_the_same_to_six_decimals() -> None:
    analysis = make_analysis()
    again = Analysis.from_json(analysis.to_json())
    assert again.to_json() == analysis.to_json()
    assert again.transcript == replace(analysis.transcript, words=again.transcript.words)
    assert again.sentiment.ticks == pytest.approx(analysis.sentiment.ticks, abs=1e-6)


def test_json_has_the_fields_of_the_schema() -> None:
    data = json.loads(make_analysis(5).to_json())
    assert set(data) == {
        "schema", "clip", "transcript", "ticks", "presence", "sentiment", "dynamics", "timings", "warnings",
        "tone", "confidence",
    }  # fmt: skip
    assert set(data["clip"]) == {"duration", "width", "height", "fps", "has_audio", "has_video"}
    assert set(data["transcript"]) == {"source", "words", "sentences", "language"}
    assert set(data["sentiment"]) == {"clip", "ticks", "alone", "interval"}
    assert set(data["sentiment"]["alone"]["text"]) == {"score", "ticks", "interval"}
    assert set(data["dynamics"]["share"]["audio"]) == {"text", "audio", "visual"}
    assert len(data["ticks"]["start"]) == 5


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("sentiment", "ticks", 3), None, r"sentiment\.ticks\[3\]: expected a number, got 'None'"),
        (("sentiment", "ticks"), [0.0], r"sentiment\.ticks: 1 numbers for 60 ticks"),
        (("sentiment", "clip", "score"), 3.5, r"sentiment\.clip\.score: 3\.5 is outside -3\.\.3"),
        (("clip", "width"), "640", r"clip\.width: expected a whole number, got '640'"),
        (("clip", "has_audio"), 1, r"clip\.has_audio: expected true or false, got '1'"),
        (("transcript", "words"), {}, r"transcript\.words: expected a list"),
        (("presence",), {"smell": [0.0] * 60}, r"unknown modality 'smell'"),
        (("schema",), "coupled-mamba/9", r"schema is 'coupled-mamba/9'"),
        (("ticks", "step"), 0, r"a step above 0"),
        (("transcript", "sentences"), [0], r"transcript\.sentences: 1 numbers for 15 words"),
        (("tone",), {"pitch": [1.0], "loudness": [None] * 60}, r"tone\.pitch: 1 numbers for 60 ticks"),
        (("tone",), {"pitch": [None] * 60, "loudness": ["loud"] * 60}, r"tone\.loudness\[0\]: expected a number"),
        (("confidence",), {"text": [1.0]}, r"confidence\.text: 1 numbers for 60 ticks"),
        (("confidence",), {"smell": [0.0] * 60}, r"unknown modality 'smell'"),
        (("sentiment", "interval"), [1], r"sentiment\.interval: expected an object"),
        (("sentiment", "interval", "low"), 2.9, r"sentiment\.interval: 2\.9\.\.\S+ is no interval within -3\.\.3"),
        (("sentiment", "interval", "ticks_low"), [0.0], r"sentiment\.interval\.ticks_low: 1 numbers for 60 ticks"),
        (("sentiment", "alone", "text", "interval", "high"), 4, r"sentiment\.alone\.text\.interval: .*\.\.4 is no"),
        (("dynamics", "share", "text", "text"), [0.5] * 60, r"dynamics\.share\.text: the shares at tick 0 sum to"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(
    place: tuple[str, ...], value: object, message: str
) -> None:
    data = json.loads(with_intervals(make_analysis()).to_json())
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(SchemaError, match=message):
        Analysis.from_dict(data)


def test_intervals_survive_json() -> None:
    analysis = with_intervals(make_analysis(7))
    again = Analysis.from_json(analysis.to_json())
    assert again.sentiment.interval is not None
    assert again.sentiment.interval.low == pytest.approx(analysis.sentiment.clip.score - 0.8, abs=1e-6)
    assert again.sentiment.alone["audio"].interval is not None
    assert again.to_json() == analysis.to_json()


def test_files_from_before_a_field_was_added_are_read() -> None:
    data = json.loads(make_analysis().to_json())
    del data["sentiment"]["interval"], data["transcript"]["sentences"], data["tone"]
    del data["transcript"]["language"]
    del data["confidence"]
    for alone in data["sentiment"]["alone"].values():
        del alone["interval"]
    analysis = Analysis.from_dict(data)
    assert analysis.sentiment.interval is None
    assert analysis.sentiment.alone["text"].interval is None
    assert analysis.transcript.sentences == ()
    assert analysis.transcript.language == ""
    assert analysis.tone is None
    assert analysis.confidence is None


def test_confidence_survives_json() -> None:
    line = tuple(np.linspace(0, 1, 60).tolist())
    again = Analysis.from_json(replace(make_analysis(60), confidence={"text": line}).to_json())
    assert again.confidence is not None
    assert again.confidence["text"] == pytest.approx(line, abs=1e-6)


def test_tone_survives_json_with_its_gaps() -> None:
    analysis = with_tone(make_analysis(60))
    again = Analysis.from_json(analysis.to_json())
    assert analysis.tone is not None
    assert again.tone is not None
    assert again.tone.pitch[4] is None
    assert [v is None for v in again.tone.loudness] == [v is None for v in analysis.tone.loudness]
    assert again.tone.pitch[3] == pytest.approx(analysis.tone.pitch[3], abs=1e-6)


def test_missing_field_is_named() -> None:
    data = json.loads(make_analysis().to_json())
    del data["clip"]["fps"]
    with pytest.raises(SchemaError, match=r"clip\.fps is missing"):
        Analysis.from_dict(data)


def test_nan_never_enters_or_leaves() -> None:
    analysis = make_analysis(4)
    with pytest.raises(SchemaError, match=r"sentiment\.ticks\[0\]: nan is not a finite number"):
        replace(analysis, sentiment=replace(analysis.sentiment, ticks=(float("nan"), 0.0, 0.0, 0.0)))
    with pytest.raises(SchemaError):
        replace(analysis, sentiment=replace(analysis.sentiment, clip=ClipScore(float("nan"), "neutral")))
    text = analysis.to_json().replace('"step": 0.2', '"step": NaN')
    with pytest.raises(SchemaError, match=r"ticks\.step: expected a finite number, got 'nan'"):
        Analysis.from_json(text)


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(SchemaError, match="not JSON"):
        Analysis.from_json("<html>")


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (-3, "strongly negative"), (-2.5, "negative"), (-1.5, "slightly negative"), (-0.6, "slightly negative"),
        (-0.5, "neutral"), (0, "neutral"), (0.49, "neutral"), (0.5, "slightly positive"), (1.5, "positive"),
        (2.5, "strongly positive"), (3, "strongly positive"),
    ],
)  # fmt: skip
def test_label_at_its_thresholds(score: float, words: str) -> None:
    assert label(score) == words


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_labels_follow_the_order_of_scores(first: float, second: float) -> None:
    order = ["strongly negative", "negative", "slightly negative", "neutral"]
    order += ["slightly positive", "positive", "strongly positive"]
    low, high = sorted((first, second))
    assert order.index(label(low)) <= order.index(label(high))
