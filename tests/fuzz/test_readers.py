"""Damaged transcripts, results and pickles end in an answer or in the one error that their reader names."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis import Analysis
from app.decoding import SchemaError
from extractors.records import InputError
from extractors.words.subtitles import read_transcript
from model.data.unpickle import RefusedPickleError, loads
from tests.app.made import make_analysis, with_intervals
from tests.fuzz.mutate import SEED, TIMES, mutations

SECONDS = 5.0  # of this process's time for one input
KEPT = sorted((Path(__file__).parent / "kept").glob("*.*"))
VTT = (
    b"WEBVTT - a head\n\nNOTE a note\n\nSTYLE\n::cue { color: red }\n\n1\n00:00:00.500 --> 00:00:02.000 line:1\n"
    b"<v Mary>Hello <c.loud>there</c> &amp; [music]\n\n00:02.000 --> 00:03.000\nHello there\nmy friend <00:02.500>x\n"
)
SRT = (
    "1\r\n00:00:00,500 --> 00:00:02,000\r\nJOHN: <i>hé</i> {\\an8}there (sighs)\r\n\r\n"
    "2\r\n00:00:02,100 --> 00:00:03,000\r\n- ♪ la\r\n"
)
TRAPS = (
    b"-->",
    b"00:00:01.000 --> 00:00:02.000\n",
    b"<",
    b"{",
    b"[",
    b"(",
    b"&#0;",
    b"\xff\xfe",
    b"\x00",
    b"\n\n",
    b"99:99:99.999",
)


def read_words(data: bytes, ending: str, folder: Path) -> None:
    """A transcript file: words in order within the clip, or InputError."""
    path = folder / f"a{ending}"
    path.write_bytes(data)
    found = read_transcript(path, None, (), 6.0)
    assert found.words
    assert all(0 <= w.start <= w.end <= 6.0 and w.word.strip() for w in found.words)
    assert [w.start for w in found.words] == sorted(w.start for w in found.words)


def read_result(data: bytes) -> None:
    """A result: what is read can be written again, or SchemaError."""
    read = Analysis.from_json(data.decode("utf-8", "replace"))
    assert read.schema == "coupled-mamba/1"
    json.loads(read.to_json())


def read_pickle(data: bytes) -> None:
    """A pickle: arrays and plain containers alone, or RefusedPickleError."""
    _check_plain(loads(data), 0)


def _check_plain(value: Any, depth: int) -> None:
    plain = (dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, complex, bool, type(None))
    assert type(value) in plain or isinstance(value, np.ndarray | np.generic), type(value)
    if depth < 8:
        for part in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        ):
            _check_plain(part, depth + 1)


def hold(reads: Callable[[], None], error: type[ValueError], what: str) -> bool:
    """Whether it ended in an answer; fails unless it ended so or in the one error, in time."""
    begin = time.process_time()
    try:
        reads()
    except error as found:
        assert str(found), what  # noqa: PT017 (whether it is raised is the data's choice)
        answered = False
    else:
        answered = True
    assert time.process_time() - begin < SECONDS, what
    return answered


def test_damaged_transcripts(tmp_path: Path) -> None:
    counts = {".vtt": 1500, ".srt": 1300, ".txt": 200}
    texts = [
        VTT,
        SRT.encode(),
        SRT.encode("cp1252", "replace"),
        SRT.encode("utf-16"),
        b"It was the best of times",
    ]
    for ending, count in counts.items():
        answers = 0
        for i, data in enumerate(mutations(ending, texts, count, TRAPS)):
            answers += hold(lambda d=data, e=ending: read_words(d, e, tmp_path), InputError, f"{ending} {i}")  # type: ignore[misc]
        assert 0 < answers < count * TIMES


WRONG = (
    None, True, -1, 4, 1e308, -0.0, 10**400, "", "x", "\ud800", [], {}, [None], {"": None}, [[]] * 3, "coupled-mamba/2",
)  # fmt: skip


def spoil(value: Any, rng: np.random.Generator) -> Any:
    """The data with one place of it, chosen at random, missing, doubled or something else."""
    if rng.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return WRONG[int(rng.integers(len(WRONG)))]
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[int(rng.integers(len(keys)))]
    made = dict(value) if isinstance(value, dict) else list(value)
    if rng.random() < 0.1:
        del made[key]
    else:
        made[key] = spoil(value[key], rng)
    return made


def test_damaged_results() -> None:
    whole = with_intervals(make_analysis(4))
    text = whole.to_json().encode()
    traps = (
        b"1e999",
        b"NaN",
        b"-Infinity",
        b"9" * 5000,
        b"[" * 20_000,
        b'{"a":' * 20_000,
        b"\\ud800",
        b"null",
        b",,",
    )
    answers = 0
    for i, data in enumerate(mutations("json", [text], 1200, traps)):
        answers += hold(lambda d=data: read_result(d), SchemaError, f"json {i}")  # type: ignore[misc]
    rng = np.random.default_rng(SEED)
    plain = json.loads(text)
    for i in range(1800 * TIMES):
        data = json.dumps(spoil(plain, rng)).encode()
        answers += hold(lambda d=data: read_result(d), SchemaError, f"spoilt {i}")  # type: ignore[misc]
    assert 0 < answers < 3000 * TIMES


def test_damaged_pickles() -> None:
    data = {
        "train": {
            "x": np.arange(6.0).reshape(2, 3),
            "o": np.array(["a", None], object),
            "id": ["a", 1, 2.5, b"c"],
        }
    }
    data["train"]["s"] = np.float32(2)
    seeds = [pickle.dumps(data, protocol) for protocol in range(6)]
    traps = [
        bytes([opcode]) for opcode in b"cRobi}](tu.0pqr2\x85\x86\x87\x8c\x93\x94\x95\x96\x97\x81\x82\x92"
    ]
    traps += [b"cos\nsystem\n", b"cbuiltins\neval\n", b"\x8a\x04\xff\xff\xff\x7f", b"I" + b"9" * 5000 + b"\n"]
    answers = 0
    for i, case in enumerate(mutations("pickle", seeds, 3500, traps)):
        answers += hold(lambda d=case: read_pickle(d), RefusedPickleError, f"pickle {i}")  # type: ignore[misc]
    assert 0 < answers < 3500 * TIMES


@settings(max_examples=100 * TIMES, deadline=None)
@given(st.text(), st.sampled_from([".vtt", ".srt", ".txt"]))
def test_any_text_is_a_transcript_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, ending: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    body = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n" if ending == ".vtt" else text
    hold(lambda: read_words(body.encode("utf-8", "replace"), ending, folder), InputError, repr(text))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100 * TIMES, deadline=None)
@given(PLAIN)
def test_any_json_is_a_result_or_is_refused(data: Any) -> None:
    hold(lambda: read_result(json.dumps(data).encode()), SchemaError, repr(data))


@settings(max_examples=100 * TIMES, deadline=None)
@given(PLAIN, st.integers(0, 5))
def test_any_plain_data_comes_back_from_its_pickle(data: Any, protocol: int) -> None:
    assert repr(loads(pickle.dumps(data, protocol))) == repr(data)


@pytest.mark.parametrize("path", KEPT, ids=[path.name for path in KEPT])
def test_what_once_did_harm_is_harmless(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    if path.suffix == ".json":
        hold(lambda: read_result(data), SchemaError, path.name)
    elif path.suffix == ".pkl":
        hold(lambda: read_pickle(data), RefusedPickleError, path.name)
    else:
        hold(lambda: read_words(data, path.suffix, tmp_path), InputError, path.name)
