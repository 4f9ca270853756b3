"""How many cores are ours: by affinity, or the machine's, and by the control groups of a container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from extractors import cores


def group(folder: Path, **texts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name.replace("cpu_", "cpu.", 1)).write_text(f"{text}\n")


def test_every_group_with_a_limit_counts(tmp_path: Path) -> None:
    root, mine = tmp_path / "cgroup", tmp_path / "mine"
    mine.write_text("0::/outer/inner\n")
    group(root / "outer", cpu_max="150000 100000")
    group(root / "outer/inner", cpu_max="max 100000")
    assert list(cores._of_groups(root, mine)) == [1.5]
    mine.write_text("0::/on/the/host\n")
    group(root, cpu_max="50000 100000")
    assert list(cores._of_groups(root, mine)) == [0.5]
    mine.write_text("4:cpu,cpuacct:/old\n1:memory:/\n")
    group(root / "cpu", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
    group(root / "cpu/old", cpu_cfs_quota_us="300000", cpu_cfs_period_us="100000")
    assert list(cores._of_groups(root, mine)) == [3.0]
    assert list(cores._of_groups(root, tmp_path / "nowhere")) == []


@pytest.mark.parametrize(
    ("quotas", "expected"), [([], 8), ([0.5], 1), ([1.5], 2), ([2.0, 6.0], 2), ([16.0], 8)]
)
def test_a_containers_share_counts_and_a_part_of_a_core_is_one(
    quotas: list[float], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(cores, "_of_groups", lambda: quotas)
    assert cores.cores() == expected


def test_where_nobody_tells_which_cores_are_ours_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    monkeypatch.setattr(cores, "_of_groups", list)
    assert cores.cores() == 6
