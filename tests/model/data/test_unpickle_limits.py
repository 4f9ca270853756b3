"""What a small pickle may cost whoever reads it: memory and time in proportion to the file, whatever it shares."""

from __future__ import annotations

import pickle
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from model.data import pickled
from model.data.unpickle import RefusedPickleError, loads
from tests.fuzz.mutate import SEED, TIMES, mutations
from tests.model.mmsa_files import corpus

SECONDS = 2.0
BYTES = 24 * 2**20
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
START = RECONSTRUCT + b"(cnumpy\nndarray\n(I0\ntC\x01btR"  # an array to be
SHARED = b"Nq\x00" + b"2\x86" * 24  # None within pairs of pairs: 2**24 of them when written out or hashed


def array_of(shape: bytes, code: bytes, data: bytes) -> bytes:
    """The opcodes of one array."""
    dtype = b"cnumpy\ndtype\n(V" + code + b"\nI0\nI1\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"
    return START + b"(I1\n" + shape + dtype + b"I0\n" + data + b"tb"


def cost(read: Callable[[], Any]) -> tuple[float, int]:
    """Seconds of this process and the most bytes in use during a call that answers or refuses."""
    tracemalloc.start()
    begin = time.process_time()
    with suppress(RefusedPickleError):
        read()
    taken, most = time.process_time() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return taken, most


@pytest.mark.parametrize(
    "attack",
    [
        RECONSTRUCT + b"(cnumpy\nndarray\n" + SHARED + b"C\x00tR.",
        b"cnumpy\ndtype\n(" + SHARED + b"tR.",
        b"cnumpy\ndtype\n(Vf8\ntR(I3\n" + SHARED + b"NNNtb.",
        b"cnumpy.core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\n(Vf8\ntR" + SHARED + b"VC\ntR.",
        b"cnumpy.core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\n(Vf8\ntR)" + SHARED + b"tR.",
        b"c_codecs\nencode\n(Vx\n" + SHARED + b"tR.",
        b"cbuiltins\nbytes\n(Vx\n" + SHARED + b"tR.",
        SHARED + b"Q.",
        b"}" + SHARED + b"Ns.",
        b"c" + b"x" * 10**6 + b"\nname\n.",
    ],
    ids=["shape", "type", "byte order", "shape of a buffer", "memory order", "encoding", "encoding of bytes",
         "persistent", "key", "name"],
)  # fmt: skip
def test_an_error_is_short_whatever_it_quotes(attack: bytes) -> None:
    with pytest.raises(RefusedPickleError) as refused:
        loads(attack)
    assert len(str(refused.value)) < 1000


MEGABYTE = b"B" + struct.pack("<I", 2**20) + bytes(2**20)
LETTERS = b"X" + struct.pack("<I", 2**20) + b"x" * 2**20
NUMBERS = b"](" + b"".join(b"J" + struct.pack("<i", k) for k in range(20_000)) + b"e"
NONES = b"](" + b"N" * 50_000 + b"e"
DTYPE = b"cnumpy\ndtype\n(V%s\ntRq\x01"
ARRAY = b"0cnumpy.core.numeric\n_frombuffer\nq\x02(h\x00h\x01(I%d\ntVC\ntq\x03R"


@pytest.mark.parametrize(
    ("first", "again", "times"),
    [
        (MEGABYTE + b"q\x00" + DTYPE % b"u1" + ARRAY % 2**20, b"h\x02h\x03R", 100),
        (LETTERS + b"q\x00" + DTYPE % b"u1" + ARRAY % 2**20, b"h\x02h\x03R", 100),
        (NONES + b"q\x00" + DTYPE % b"O8" + ARRAY % 50_000, b"h\x02h\x03R", 500),
        (MEGABYTE + b"q\x00cbuiltins\nbytearray\nq\x02(h\x00tq\x03R", b"h\x02h\x03R", 100),
        (LETTERS + b"q\x00c_codecs\nencode\nq\x02(h\x00tq\x03R", b"h\x02h\x03R", 100),
        (NUMBERS + b"q\x00cbuiltins\nset\nq\x02(h\x00tq\x03R", b"h\x02h\x03R", 100),
        (NUMBERS + b"q\x00cbuiltins\nfrozenset\nq\x02(h\x00tq\x03R", b"h\x02h\x03R", 100),
    ],
    ids=["array", "array of text", "array of objects", "bytearray", "encode", "set", "frozenset"],
)
def test_what_is_given_to_many_makers_is_not_copied_without_end(
    first: bytes, again: bytes, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickled, "FLOOR", 2**22)
    attack = b"(" + first + again * times + b"l."
    assert len(loads(b"(" + first + again + b"l.")) > 1, "once or twice is no attack"
    with pytest.raises(RefusedPickleError, match="by giving the same data to many"):
        loads(attack)
    assert cost(lambda: loads(attack))[1] < BYTES


def test_rows_of_nothing_are_not_without_end() -> None:
    assert loads(array_of(b"(I0\nI5\nt", b"f8", b"C\x00") + b".").shape == (0, 5)
    with pytest.raises(RefusedPickleError, match="more than"):
        loads(array_of(b"(I1000000000000\nI0\nt", b"f8", b"C\x00") + b".")


@pytest.mark.parametrize("shape", [b"(" + b"I1\n" * 65 + b"t", b"(I0\nI9223372036854775808\nt", b"(I01\nt"])
def test_a_shape_is_one_that_numpy_has(shape: bytes) -> None:
    with pytest.raises(RefusedPickleError, match="shape"):
        loads(array_of(shape, b"u1", b"C\x00") + b".")


def test_honest_sharing_and_repetition_stay_within_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "FLOOR", 0)
    words = [str(i) for i in range(2000)]
    rows = np.random.default_rng(0).standard_normal((200, 30))
    objects = np.array([None] * 9000, object)
    data = {"a": rows, "b": [rows, rows], "w": words, "s": set(words), "n": set(range(9000))}
    for protocol in range(6):
        found = loads(pickle.dumps(data, protocol))
        assert found["b"][0] is found["a"]
        assert (found["s"], found["n"]) == (data["s"], data["n"])
        assert loads(pickle.dumps(objects, protocol)).shape == (9000,)


@pytest.mark.parametrize(
    "attack",
    [
        b"}" + SHARED + b"Ns.",
        b"}(" + SHARED + b"Nu.",
        b"(" + SHARED + b"Nd.",
        b"\x8f(" + SHARED + b"\x90.",
        b"(" + SHARED + b"\x91.",
        b"cbuiltins\nset\n(](" + SHARED + b"etR.",
        b"cbuiltins\nfrozenset\n((" + SHARED + b"ttR.",
        b"}\x8a\x09" + bytes(8) + b"\x01Ns.",  # 2**64, whose hash is worked out every time
        b"}(" + b"N" * 33 + b"tNs.",
        b"}(\x91Ns.",
    ],
    ids=["setitem", "setitems", "dict", "additems", "frozenset", "set()", "frozenset()", "long", "wide", "nested"],
)  # fmt: skip
def test_keys_and_members_are_short_to_hash(attack: bytes) -> None:
    taken, _ = cost(lambda: loads(attack))
    assert taken < SECONDS
    with pytest.raises(RefusedPickleError, match="for a dict's key or a set's member"):
        loads(attack)


def test_keys_that_data_has_are_read() -> None:
    keys = [
        "a",
        b"b",
        3,
        -(2**40),
        2.5,
        None,
        True,
        ("a", 3, None),
        np.int64(7),
        np.float32(1.5),
        np.str_("n"),
    ]
    for protocol in range(6):
        found = loads(
            pickle.dumps([{k: i for i, k in enumerate(keys)}, set(keys), frozenset(keys)], protocol)
        )
        assert list(found[0]) == keys
        assert found[1] == found[2] == set(keys)


NAMES = (
    b"cnumpy\nndarray\n",
    b"cnumpy\ndtype\n",
    RECONSTRUCT,
    b"cbuiltins\nset\n",
    START,
    b"cnumpy\ndtype\n(Vf8\ntR",
)


@pytest.mark.parametrize(
    "name", NAMES, ids=["ndarray", "dtype", "_reconstruct", "set", "array", "dtype made"]
)
@pytest.mark.parametrize(
    "place",
    [
        b"%s.",
        b"]%sa.",
        b"](%se.",
        b"(%sl.",
        b"%s\x85.",
        b"}Vk\n%ss.",
        b"}%sNs.",
        b"}%s\x85Ns.",
        b"}(%s\x85Nu.",
        b"(%sNd.",
        b"\x8f(%s\x90.",
        b"\x8f(%s\x85\x90.",
        b"(%s\x91.",
        b"]](%s\x91aa.",
        b"cbuiltins\nset\n((%sttR.",
        b"](q\x00}Vk\nh\x00s%s\x85ee.",
        array_of(b"(I1\nt", b"O8", b"](%se") + b".",
        array_of(b"(I1\nt", b"O8", b"](%s\x85e") + b".",
    ],
)
def test_the_machinery_comes_out_nowhere(place: bytes, name: bytes) -> None:
    with pytest.raises(RefusedPickleError):
        loads(place.replace(b"%s", name))


@pytest.mark.parametrize(
    "target", [b"cbuiltins\nset\n", b")", b"C\x01a", b"cnumpy\nndarray\n", b"}", b"\x8f"]
)
def test_items_go_into_lists_alone(target: bytes) -> None:
    for put in (b"Na.", b"(NNe."):
        with pytest.raises(RefusedPickleError, match="as into a list"):
            loads(target + put)


def ring(count: int) -> bytes:
    """A tuple of lists, each of which holds the tuple."""
    whole, *number = (struct.pack("<I", k) for k in range(count + 1))
    lists = b"".join(b"]r" + n for n in number)
    return b"(" + lists + b"tr" + whole + b"".join(b"j" + n + b"j" + whole + b"a0" for n in number) + b"."


def test_a_ring_of_tuples_and_lists_is_walked_once() -> None:
    found = loads(ring(30))
    assert found[3][0][7][0][1] is found[3][0][1]
    with pytest.raises(RefusedPickleError, match="deeper"):
        loads(ring(3000))
    assert cost(lambda: loads(ring(3000)))[0] < SECONDS


@pytest.mark.parametrize(("code", "order"), [(b"U1", "<"), (b"<U1", "<"), (b">U1", ">")])
def test_text_is_made_of_code_points(code: bytes, order: str) -> None:
    for point, fits in ((0x10FFFF, True), (0x110000, False), (0x7FFFFFFF, False), (0xFFFFFFFF, False)):
        data = struct.pack(f"{order}I", point)
        attack = b"cnumpy.core.numeric\n_frombuffer\n(C\x04" + data + DTYPE % code + b"(I1\ntVC\ntR."
        scalar = b"cnumpy.core.multiarray\nscalar\n(" + DTYPE % code + b"C\x04" + data + b"tR."
        if fits:
            assert str(loads(attack)[0]) == str(loads(scalar)) == chr(point)
            continue
        for one in (attack, scalar):
            with pytest.raises(RefusedPickleError, match="for a character"):
                loads(one)


PARTS = (
    *(
        b"N",
        b"K\x07",
        b"Vk\n",
        b"C\x03abc",
        b"(",
        b"(",
        b"]",
        b"}",
        b"\x8f",
        b")",
        b"0",
        b"1",
        b"2",
        b"2",
        b"2",
    ),
    *(
        b"\x85",
        b"\x86",
        b"\x86",
        b"\x87",
        b"t",
        b"l",
        b"d",
        b"a",
        b"e",
        b"s",
        b"u",
        b"\x90",
        b"\x91",
        b"R",
        b"b",
    ),
    *(b"Q", b"\x94", b"\x94", b"h\x00", b"h\x01", b"h\x02", b"h\x03", b"h\x04", b"h\x05", b"h\x06", b"h\x07"),
)
SETUP = (
    b"\x8c\x01x\x94C\x08abcdefgh\x94cnumpy\nndarray\n\x94cnumpy\ndtype\n\x94" + RECONSTRUCT + b"\x94"
    b"cbuiltins\nset\n\x94cnumpy.core.numeric\n_frombuffer\n\x94cbuiltins\nbytearray\n\x94"
)


def programs(count: int) -> Iterator[bytes]:
    """Opcodes at random after the names of the machinery: what no change of an honest file comes upon."""
    rng = np.random.default_rng([SEED, 7])
    for _ in range(count * TIMES):
        length = int(rng.integers(1, 60))
        repeats = int(rng.integers(1, 12))
        chosen = b"".join(PARTS[int(k)] for k in rng.integers(len(PARTS), size=length))
        yield SETUP + chosen[:40] * repeats + chosen + b"."


def damaged(count: int) -> Iterator[bytes]:
    """Changed copies of a corpus's pickle."""
    data = corpus(True, sizes=(2, 1, 1))["train"]
    seeds = [pickle.dumps(data, protocol) for protocol in range(6)]
    traps = [
        b"2\x86" * 30,
        b"2" * 200,
        b"h\x00" * 50,
        RECONSTRUCT,
        b"cbuiltins\nset\n",
        b"]q\x00",
        b"\x91",
        b"s",
    ]
    return mutations("unpickle", seeds, count, traps)


def use(value: Any, seen: set[int]) -> None:
    """Look at all that came out as a caller does; nothing of the machinery is among it."""
    if id(value) in seen:
        return
    seen.add(id(value))
    plain = (str, bytes, bytearray, int, float, type(None), np.generic)
    if isinstance(value, dict):
        use(list(value), seen)
        use(list(value.values()), seen)
    elif isinstance(value, list | tuple | set | frozenset) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "O"
    ):
        for part in value.ravel() if isinstance(value, np.ndarray) else value:
            use(part, seen)
    elif isinstance(value, np.ndarray):
        str(value.ravel()[:3])
    else:
        assert isinstance(value, plain), type(value)
        str(value)[:1]


@pytest.mark.parametrize(("cases", "count"), [(damaged, 300), (programs, 1500)])
def test_changed_and_random_pickles_end_in_data_or_in_the_one_error(
    cases: Callable[[int], Iterator[bytes]], count: int
) -> None:
    answers = 0

    def read(data: bytes) -> None:
        nonlocal answers
        found = loads(data)
        use(found, set())
        answers += 1

    for case, data in enumerate(cases(count)):
        taken, most = cost(lambda data=data: read(data))  # type: ignore[misc]
        assert taken < SECONDS, case
        assert most < 2 * pickled.FLOOR + 64 * len(data), case
    assert 0 < answers < count * TIMES
