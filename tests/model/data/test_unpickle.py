from __future__ import annotations

import builtins
import io
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest

from model.data.unpickle import RefusedPickleError, load, loads

PROTOCOLS = range(6)


def mmsa_like() -> dict:
    rng = np.random.default_rng(0)
    texts = np.empty(3, object)
    texts[:] = ["good film", "", "très mal"]
    return {
        "train": {
            "audio": rng.standard_normal((3, 4, 2)),
            "vision": np.asfortranarray(rng.standard_normal((3, 4, 5)).astype(np.float32)),
            "big_endian": np.arange(6, dtype=">i4").reshape(2, 3),
            "raw_text": texts,
            "annotations": ["Negative", "Neutral", "Positive"],
            "id": np.array(["a$_$1", "a$_$2", "b$_$1"]),
            "flags": np.array([True, False]),
            "bytes": np.array([b"x", b"yz"]),
            "empty": np.zeros((0, 5), np.float32),
            "score": np.float64(0.5),
            "none": [None, True, 3, 2**70, 1.5, (1, "two"), {4}, frozenset([5]), b"six", bytearray(b"7")],
        }
    }


def assert_same(found, expected):
    if isinstance(expected, np.ndarray):
        assert type(found) is np.ndarray
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert all(map(lambda a, b: a == b, found.ravel().tolist(), expected.ravel().tolist()))
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    else:
        assert type(found) is type(expected)
        assert found == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_and_containers_come_back_as_they_were(tmp_path, protocol):
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(mmsa_like(), protocol))
    assert_same(load(path), mmsa_like())


@pytest.mark.parametrize("protocol", [0, 2])
def test_both_names_of_numpys_core_are_known(protocol):
    data = pickle.dumps(np.arange(4.0), protocol)
    here = b"numpy._core" if b"numpy._core" in data else b"numpy.core"
    for core in (b"numpy._core", b"numpy.core"):
        np.testing.assert_array_equal(loads(data.replace(here, core)), np.arange(4.0))


def test_a_writable_array_results():
    array = loads(pickle.dumps(np.zeros(3), 5))
    array[0] = 1
    assert array[0] == 1


def test_objects_of_like_length_stay_objects():
    rows = np.empty(2, object)
    rows[:] = [[1, 2], [3, 4]]
    nested = np.empty(2, object)
    nested[0], nested[1] = np.arange(3), np.arange(3)
    assert loads(pickle.dumps(rows)).tolist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(loads(pickle.dumps(nested))[1], np.arange(3))


def test_sharing_and_cycles_are_kept():
    shared = np.arange(3)
    ring: list = [shared, shared]
    ring.append(ring)
    found = loads(pickle.dumps(ring))
    assert found[2] is found
    assert found[0] is found[1]


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (Calls(os.system, "touch owned"), r"(posix|nt)\.system"),
        (Calls(builtins.eval, "1+1"), r"(builtins|__builtin__)\.eval"),
        (Calls(getattr, "{0.__class__}", "format"), r"(builtins|__builtin__)\.getattr"),
        (Calls(np.load, "some.npy"), r"numpy.*\.load"),
        (Calls(np.lib.format.open_memmap, "owned.npy"), "open_memmap"),
        (Calls(io.open, "owned", "w"), r"open"),
        (Calls(pickle.loads, b"cos\nsystem\n."), "loads"),
    ],
)
def test_what_else_a_file_asks_for_is_named_and_never_called(tmp_path, monkeypatch, protocol, attack, named):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefusedPickleError, match=named):
        loads(pickle.dumps({"train": [attack]}, protocol))
    assert list(tmp_path.iterdir()) == []


def test_a_dotted_name_reaches_nothing():
    attack = b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.dump\x93."
    with pytest.raises(RefusedPickleError, match=r"numpy\.ndarray\.dump"):
        loads(attack)


@pytest.mark.parametrize(
    "attack",
    [
        b"cnumpy\nndarray\n.",  # the stand-in itself, as a value
        b"}cnumpy\nndarray\nI1\ns.",  # and as a key
        b"cnumpy\nndarray\n(dVreal\nI1\nsb.",  # state given to a class
        b"cnumpy.core.multiarray\n_reconstruct\n}b.",  # state given to a function
        b"Pelsewhere\n.",  # an object outside the file
        b"\x82\x01.",  # a registered extension
        b"(inumpy\nndarray\n.",  # an instance of a class
        b"cnumpy\nndarray\n)\x81.",  # the same by protocol 2
        b"cbuiltins\nbytes\n(I1000000000000\ntR.",  # a terabyte of zeros
        b"\x80\x05\x97.",  # a buffer from outside
        b"\x80\x06N.",  # a protocol to come
    ],
)
def test_opcodes_that_reach_beyond_data_are_refused(attack):
    with pytest.raises(RefusedPickleError):
        loads(attack)


def array_with_state(shape, code, dtype_state, data) -> bytes:
    """A pickle of one array, written opcode by opcode so that any part of it can be forged."""
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR(I1\n"
    dtype = b"cnumpy\ndtype\n(V" + code.encode() + b"\nI0\nI1\ntR" + pickle.dumps(dtype_state, 0)[:-1] + b"b"
    return head + pickle.dumps(shape, 0)[:-1] + dtype + b"I0\n" + pickle.dumps(data, 0)[:-1] + b"tb."


PLAIN = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    ("shape", "code", "state", "data", "says"),
    [
        ((2,), "f8", PLAIN, b"12345678", "does not hold 2 items"),
        ((10**12,), "f8", PLAIN, b"", "does not hold"),
        ((-1,), "f8", PLAIN, b"12345678", "shape"),
        (("x",), "f8", PLAIN, b"12345678", "shape"),
        ((1,), "O8", PLAIN, b"12345678", "does not hold 1 objects"),
        ((1,), "V8", PLAIN, b"12345678", "plain types"),
        ((1,), "f8,O", PLAIN, b"12345678", "plain types"),
        ((1,), "f8", (3, "<", None, ("a",), {"a": 1}, 8, 8, 0), b"12345678", "fields"),
        ((1,), "f8", (3, "<", ("O", (1,)), None, None, 8, 8, 0), b"12345678", "fields"),
        ((1,), "f8", (3, "?", None, None, None, -1, -1, 0), b"12345678", "byte order"),
    ],
)
def test_forged_arrays_are_refused(shape, code, state, data, says):
    with pytest.raises(RefusedPickleError, match=says):
        loads(array_with_state(shape, code, state, data))


def test_the_forgery_is_read_where_nothing_is_forged():
    found = loads(array_with_state((1,), "f8", PLAIN, struct.pack("<d", 2.5)))
    np.testing.assert_array_equal(found, [2.5])


def test_an_array_may_not_start_large():
    attack = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000000\ntVb\ntR."
    with pytest.raises(RefusedPickleError, match="start"):
        loads(attack)


@pytest.mark.parametrize("opcode", [b"\x8e", b"\x96", b"\x95", b"\x8d"])
def test_announced_lengths_are_not_believed(opcode):
    with pytest.raises(RefusedPickleError, match="ends early"):
        loads(b"\x80\x05" + opcode + struct.pack("<Q", 2**40) + b"x.")


def test_a_forged_memo_index_costs_nothing():
    assert loads(b"\x80\x02Nr\xff\xff\xff\x7f.") is None


def test_nested_containers_have_a_limit():
    with pytest.raises(RefusedPickleError, match="deeper"):
        loads(b"\x80\x02" + b"]" * 500 + b"a" * 499 + b".")


def test_shared_containers_do_not_explode():
    value: list = []
    for _ in range(50):
        value = [value, value]
    found = loads(pickle.dumps(value))
    assert found[0] is found[1]


def test_every_truncation_gives_the_one_error(tmp_path):
    data = pickle.dumps({"audio": np.arange(6.0).reshape(2, 3), "id": ["a", "b"]}, 4)
    assert len(list(pickletools.genops(data))) > 10
    for end in range(len(data)):
        path = tmp_path / "cut.pkl"
        path.write_bytes(data[:end])
        with pytest.raises(RefusedPickleError):
            load(path)


def test_noise_gives_the_one_error():
    rng = np.random.default_rng(0)
    data = bytearray(pickle.dumps(mmsa_like(), 4))
    refused = 0
    for _ in range(400):
        noisy = bytearray(data)
        noisy[int(rng.integers(len(data)))] = int(rng.integers(256))
        try:
            loads(bytes(noisy))
        except RefusedPickleError:
            refused += 1
    assert refused > 0


def test_a_size_limit_holds(tmp_path):
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps(np.zeros(1000)))
    with pytest.raises(RefusedPickleError, match="max_bytes"):
        load(path, max_bytes=1000)
    assert load(path, max_bytes=10_000).shape == (1000,)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.pkl")
