from __future__ import annotations

import ast
import importlib.metadata
import os
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from extractors import cache as room
from extractors.cache import LIBRARIES, Cache, digest_file, digest_model
from extractors.records import Grid, InputError, Looks, Sound, Span, Track, Transcript, Word

WORDS = Transcript((Word("naïve", 0.1, 0.30000000000000004, 0.8), Word("\udce9", 1.0, 2.0)), (0, 1), "given")
TRACK = Track(
    np.arange(6, dtype=np.float32).reshape(3, 2),
    np.array([0.0, 0.2, 0.4]),
    np.array([0.2, 0.4, 0.6]),
    np.array([0, 1, 0.5], np.float32),
    ("a", "b"),
)
GRID = Grid(
    0.2,
    np.array([0.0, 0.2]),
    {"text": np.ones((2, 3), np.float32)},
    {"text": np.ones(2, np.float32)},
    {"text": np.full(2, 0.5, np.float32)},
)
RESULTS = {
    "sound": Sound(np.linspace(-1, 1, 1000, dtype=np.float32), start=0.25),
    "speech": (Span(0.1, 0.7), Span(1.5, 2.25)),
    "no speech": (),
    "words": WORDS,
    "a track": TRACK,
    "a grid": GRID,
    "a grid with looks": replace(
        GRID, looks=Looks(np.array([0.1]), np.full((1, 4), 0.5, np.float32), np.array([2]))
    ),
    "nothing": None,
}


def plain(value: object) -> object:
    """Arrays as lists with their types, so that records can be compared."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return {name: plain(part) for name, part in vars(value).items()} if hasattr(value, "__dict__") else value


@pytest.mark.parametrize("name", list(RESULTS))
def test_a_result_comes_back_as_it_was_kept(tmp_path: Path, name: str) -> None:
    kept = Cache(tmp_path)
    assert kept.get(kept.key("stage", name)) is None
    kept.put(kept.key("stage", name), RESULTS[name], ["The file is damaged."])
    found = Cache(tmp_path).get(kept.key("stage", name))
    assert found is not None
    assert type(found[0]) is type(RESULTS[name])
    assert plain(found[0]) == plain(RESULTS[name])
    assert found[1] == ["The file is damaged."]


def test_keys_differ_by_stage_parts_owner_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {
        Cache(tmp_path, owner=owner).key(*parts)
        for owner in ("", "me")
        for parts in (("a", 1), ("a", "1"), ("b", 1))
    }
    monkeypatch.setattr(room, "version_of_extractors", lambda: "other")
    keys.add(Cache(tmp_path).key("a", 1))
    assert len(keys) == 7


def test_the_version_is_that_of_code_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").mkdir()
    seen = set()
    for name, content in (
        ("cache.py", "1"),
        ("cache.py", "2"),
        ("face/detect.py", ""),
        ("weights/a.safetensors", ""),
        ("training/rated.py", "is not counted"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(room, "__file__", str(tmp_path / "cache.py"))
        room.version_of_extractors.cache_clear()
        seen.add(room.version_of_extractors())
    room.version_of_extractors.cache_clear()
    assert len(seen) == 4


@pytest.mark.parametrize("place", [0, 20, 90, 200, -1])
def test_a_flipped_bit_is_found_and_the_entry_goes(tmp_path: Path, place: int) -> None:
    kept = Cache(tmp_path)
    kept.put("a", TRACK, [])
    path = tmp_path / "a.npz"
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(bytes(data))
    assert kept.get("a") is None
    assert not path.exists()


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_an_entry_that_cannot_be_read_now_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    cache.put("a", WORDS, [])

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        assert cache.get("a") is None
    assert cache.get("a") == (WORDS, [])


def test_a_damaged_entry_known_beforehand_is_left_to_its_owner(tmp_path: Path) -> None:
    Cache(tmp_path / "known").put("a", WORDS, [])
    (entry,) = (tmp_path / "known").iterdir()
    half(entry)
    assert Cache(tmp_path / "own", known=tmp_path / "known").get("a") is None
    assert entry.exists()


@pytest.mark.parametrize("left", [0, 10, 81, 300])
def test_half_an_entry_is_none(tmp_path: Path, left: int) -> None:
    kept = Cache(tmp_path)
    kept.put("a", TRACK, [])
    path = tmp_path / "a.npz"
    path.write_bytes(path.read_bytes()[:left])
    assert kept.get("a") is None
    assert not path.exists()


def test_an_entry_under_another_name_is_none(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.put("a", TRACK, [])
    (tmp_path / "a.npz").rename(tmp_path / "b.npz")
    assert kept.get("b") is None


class Trap:
    """Leaves a sign where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.sign),)

    def __init__(self, sign: Path) -> None:
        self.sign = sign


def test_nothing_is_ever_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Cache(tmp_path / "kept")
    trap = np.array([Trap(tmp_path / "sign")], object)
    # An entry that somebody else wrote, with its hash right.
    monkeypatch.setattr(room, "pack", lambda _: ({"values": trap}, {"kind": "Track"}))
    kept.put("a", TRACK, [])
    assert (tmp_path / "kept" / "a.npz").exists()
    assert kept.get("a") is None
    assert not (tmp_path / "sign").exists()
    pickle.loads(pickle.dumps(trap))
    assert (tmp_path / "sign").exists()


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    big = Sound(np.zeros(1000, np.float32))
    kept = Cache(tmp_path, limit=3 * 5000)
    for name in ("a", "b", "c"):
        kept.put(name, big, [])
        time.sleep(0.02)
    assert kept.get("a") is not None
    kept.put("d", big, [])
    assert {path.stem for path in tmp_path.iterdir()} == {"a", "c", "d"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= kept.limit


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    kept = Cache(tmp_path, limit=5000)
    kept.put("small", Sound(np.zeros(100, np.float32)), [])
    kept.put("large", Sound(np.zeros(2000, np.float32)), [])
    assert [path.name for path in tmp_path.iterdir()] == ["small.npz"]


def test_reading_does_not_make_an_entry_look_new(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.put("a", TRACK, [])
    os.utime(tmp_path / "a.npz", (1e9, 1e9))
    assert kept.get("a") is not None
    state = (tmp_path / "a.npz").stat()
    assert state.st_mtime == 1e9
    assert state.st_atime > time.time() - 60


def test_what_was_left_half_written_goes_once_it_is_old(tmp_path: Path) -> None:
    (tmp_path / ".aside-old").write_bytes(b"half")
    (tmp_path / ".aside-new").write_bytes(b"half")
    os.utime(tmp_path / ".aside-old", (1e9, 1e9))
    Cache(tmp_path).put("a", TRACK, [])
    assert {path.name for path in tmp_path.iterdir()} == {".aside-new", "a.npz"}


def test_a_disk_that_refuses_costs_the_entry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    kept = Cache(tmp_path)
    monkeypatch.setattr(os, "replace", full)
    kept.put("a", TRACK, [])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    Cache(tmp_path / "file" / "below").put("a", TRACK, [])


def test_files_are_open_to_their_user_alone(tmp_path: Path) -> None:
    Cache(tmp_path / "new").put("a", TRACK, [])
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "a.npz").stat().st_mode & 0o077 == 0


def test_several_threads_and_processes_share_a_folder(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np\nfrom pathlib import Path\n"
        "from extractors.cache import Cache\nfrom extractors.records import Sound\n"
        "kept = Cache(Path(sys.argv[1]), limit=60_000)\n"
        "hits = 0\n"
        "for i in range(150):\n"
        "    name = f'k{i % 7}'\n"
        "    found = kept.get(name)\n"
        "    assert found is None or (found[0].samples == i % 7).all()\n"
        "    hits += found is not None\n"
        "    kept.put(name, Sound(np.full(3000, i % 7, np.float32)), [])\n"
        "assert hits\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    wrong: list[object] = []
    hits: list[str] = []

    def work() -> None:
        kept = Cache(tmp_path, limit=60_000)
        for i in range(150):
            found = kept.get(f"k{i % 7}")
            hits.extend([f"k{i % 7}"] * (found is not None))
            if found is not None and not (found[0].samples == i % 7).all():  # type: ignore[union-attr]
                wrong.append(found)
            kept.put(f"k{i % 7}", Sound(np.full(3000, i % 7, np.float32)), [])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    assert wrong == []
    assert hits
    assert not list(tmp_path.glob(".aside-*"))


def test_the_environment_sets_folder_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUPLED_MAMBA_CACHE", raising=False)
    assert Cache.from_environment() is None
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    monkeypatch.setenv("COUPLED_MAMBA_CACHE_BYTES", "12345")
    found = Cache.from_environment()
    assert found == Cache(tmp_path / "stages", 12345)
    assert Cache.from_environment(tmp_path / "mine") == Cache(tmp_path / "mine", 12345)
    monkeypatch.setenv("COUPLED_MAMBA_CACHE_BYTES", "2 GB")
    with pytest.raises(InputError, match="whole number"):
        Cache.from_environment()
    monkeypatch.delenv("COUPLED_MAMBA_CACHE_BYTES")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        Cache.from_environment(tmp_path / "file")


def test_a_models_digest_is_that_of_its_files_and_their_names(tmp_path: Path) -> None:
    seen = [digest_model(tmp_path)]
    for name, content in (("config.json", "1"), ("config.json", "2"), ("1_Pooling/a", "2"), ("b", "2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        os.utime(tmp_path / name, (len(seen), len(seen)))  # whatever the clock's grain
        seen.append(digest_model(tmp_path))
    (tmp_path / "b").rename(tmp_path / "c")
    seen += [digest_model(tmp_path), digest_model(tmp_path / "c")]
    assert len(set(seen)) == 7
    assert digest_model(tmp_path) == seen[5]


def imports_from(start: str) -> set[str]:
    """Names of the packages that the module and all of this room's that it imports, early or late, import."""
    folder, waiting, seen, found = Path(room.__file__).parents[1], [start], set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        file = folder / f"{name.replace('.', '/')}.py"
        if name in seen or not file.is_file():
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            waiting += [name for name in names if name.startswith("extractors.")]
            found |= {name.split(".")[0] for name in names}
    expected = ("face.features", "voice.encoder", "voice.hearing", "words.adapter", "words.other_languages")
    assert {f"extractors.{name}" for name in expected} <= seen
    assert not [name for name in seen if name.split(".")[1] in room.ASIDE_ROOMS]
    return found - set(sys.stdlib_module_names) - {"extractors"}


def test_the_version_is_that_of_every_library_that_a_stage_imports() -> None:
    homes = importlib.metadata.packages_distributions() | {"faster_whisper": ["faster-whisper"]}
    used = {homes[name][0].lower().replace("_", "-") for name in imports_from("extractors.clip")}
    # The one fetches files, whose bytes are in the key; the other only names shapes.
    assert used - {"huggingface-hub", "jaxtyping"} <= set(LIBRARIES)
    assert {"onnxruntime", "transformers", "torch"} <= used


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_file(tmp_path / "a").startswith("ba7816bf8f01cfea")
