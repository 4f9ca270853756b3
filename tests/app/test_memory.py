"""A clip that will not fit is refused before the work, with what it needs and what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import memory
from app.analyze import analyze
from app.i18n import retell
from app.memory import MODELS, SETTING, available, check_memory, give_back, need, resident
from extractors.records import InputError, MediaInfo
from tests.clips import make_clip

GB = 1_000_000_000


def clip(seconds: float = 1800.0, width: int = 1920, height: int = 1080) -> MediaInfo:
    return MediaInfo("clip.mp4", seconds, width, height, 25.0, True, width > 0)


def test_what_is_needed_grows_with_length_and_size() -> None:
    assert MODELS < need(clip(1, 0, 0)) < need(clip(60)) < need(clip(1800)) < need(clip(1800, 4096, 4096))
    assert need(clip(1800, 360, 288)) < 1.5 * GB
    assert need(clip(1800)) < 2 * GB


@pytest.mark.parametrize("free", [0, 50_000_000, GB])
def test_what_does_not_fit_is_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(memory, "available", lambda: free)
    with pytest.raises(
        InputError, match=r"needs about \d+\.\d GB of memory and \d\.\d GB is free: cut it"
    ) as caught:
        check_memory(clip(36_000))
    assert f"{free / GB:.1f} GB is free" in str(caught.value)
    assert {retell(str(caught.value), language) for language in ("zh", "ja")}.isdisjoint({str(caught.value)})


def test_what_the_process_holds_already_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(memory, "resident", lambda: MODELS)
    monkeypatch.setattr(memory, "available", lambda: need(clip()) - MODELS)
    check_memory(clip())
    monkeypatch.setattr(memory, "resident", lambda: MODELS // 2)
    with pytest.raises(InputError, match="is free"):
        check_memory(clip())


def test_the_setting_says_what_the_process_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 0)
    monkeypatch.setenv(SETTING, str(4 * GB))
    check_memory(clip())
    monkeypatch.setenv(SETTING, str(GB))
    with pytest.raises(InputError, match=rf"more than the 1\.0 GB that {SETTING} allows") as caught:
        check_memory(clip())
    assert retell(str(caught.value), "zh") != str(caught.value)
    monkeypatch.setenv(SETTING, "much")
    with pytest.raises(InputError, match="'much'"):
        check_memory(clip())


def test_a_system_that_says_nothing_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(memory, "available", lambda: None)
    check_memory(clip(36_000))


def test_it_is_refused_before_any_of_it_is_worked_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1)
    told: list[str] = []
    with pytest.raises(InputError, match="of memory and"):
        analyze(make_clip(tmp_path / "clip.mp4", 1.0), progress=lambda name, _: told.append(name))
    assert set(told) == {"probe"}


def group(
    folder: Path, limit: str, used: int, cached: int = 0, names: str = "memory.max memory.current"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(names.split(), (limit, str(used)), strict=True):
        (folder / name).write_text(f"{text}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")


def test_the_tightest_control_group_counts(tmp_path: Path) -> None:
    root, mine = tmp_path / "cgroup", tmp_path / "mine"
    group(root / "outer", "3000", 1000, 200)
    group(root / "outer/inner", "max", 900)
    mine.write_text("0::/outer/inner\n")
    assert memory._of_groups(root, mine) == [2200]
    group(root / "outer/inner", "1500", 900)
    assert min(memory._of_groups(root, mine)) == 600
    mine.write_text("0::/on/the/host\n")
    group(root, "700", 900)
    assert memory._of_groups(root, mine) == [0]
    group(root / "memory/old", "800", 300, names="memory.limit_in_bytes memory.usage_in_bytes")
    mine.write_text("4:memory:/old\n1:cpu:/\n")
    assert memory._of_groups(root, mine) == [500]
    assert memory._of_groups(root, tmp_path / "nowhere") == []


def test_here_both_are_known() -> None:
    assert 10_000_000 < resident() < 64 * GB
    free = available()
    assert free is None or free > 0
    give_back()
