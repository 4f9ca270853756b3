from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from kernels import bench, contenders
from kernels.bench import main, measure
from kernels.contenders import Contender
from kernels.floor import exponentials
from kernels.peers import ways

SMALL = (1, 8, 2, 16, 2)


@pytest.mark.parametrize("operation", sorted(contenders.OPERATIONS))
def test_every_operation_is_measured(operation: str) -> None:
    rows = measure(operation, SMALL, torch.float32, "cpu", seconds=0.01)
    assert len(rows) >= 2
    for row in rows:
        assert row.note == ""
        assert row.p20_ms is not None
        assert row.p50_ms is not None
        assert 0 < row.p20_ms <= row.p50_ms


def test_a_wrong_result_gets_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Contender]:
        wrong, exact = torch.ones(3), torch.zeros(3).index_fill(0, torch.tensor(0), 1.0).double()
        return [Contender("broken", lambda: wrong, 1, lambda: contenders._verify(lambda: wrong, exact))]

    monkeypatch.setitem(contenders.OPERATIONS, "forward", broken)
    (row,) = measure("forward", SMALL, torch.float32, "cpu", seconds=0.01)
    assert row.p50_ms is None
    assert "wrong by 1.0e+00" in row.note
    assert "no speed: wrong by" in bench.table([row])


@pytest.mark.parametrize("name", ["A", "B", "coupling", "delta_bias"])
def test_a_wrong_gradient_is_wrong_beside_a_larger_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = contenders.coupled_scan

    def broken(*, backend: str, **given: Any) -> torch.Tensor:
        if backend != "reference":
            given[name] = given[name] * 2 - given[name].detach()  # the same value, of twice the gradient
        return right(**given, backend=backend)

    monkeypatch.setattr(contenders, "coupled_scan", broken)
    for row in measure("training_step", SMALL, torch.float32, "cpu", seconds=0.01):
        assert (row.p50_ms is None) == (row.backend != "reference")
        if row.backend != "reference":
            assert row.note.startswith(f"gradient of {name}: wrong by 1.0e+00")


def test_triton_is_measured_with_every_share_of_the_polynomial() -> None:
    triton_scan = pytest.importorskip("kernels.triton_scan", reason="Triton is not installed")
    seen = {label: call() for label, call in ways("triton", lambda: triton_scan.QUARTERS)}
    assert seen == {"triton": 0, "triton, 1/4 polynomial": 1, "triton, 1/2 polynomial": 2}
    assert triton_scan.QUARTERS == 0
    assert [label for label, _ in ways("cpu", lambda: None)] == ["cpu"]


def test_the_floor_is_of_exponentials_and_not_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, exp = [], torch.exp

    def counted(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        taken.append(x.numel())
        return exp(x, out=out)

    monkeypatch.setattr(torch, "exp", counted)
    for count in (1, 2**15, 100_000, 2**20):
        taken.clear()
        found = exponentials(count, "cpu")
        assert sum(taken) == count
        assert all(part >= 2**15 for part in taken[:-1])
        assert torch.equal(found[:1], exp(torch.tensor([-1.0])))


def test_the_table_is_written_as_csv(tmp_path: Path) -> None:
    target = tmp_path / "out" / "kernels.csv"
    threads = torch.get_num_threads()
    status = main(
        ["--quick", "--device", "cpu", "--only", "trace", "--seconds", "0.01", "--csv", str(target)]
    )
    torch.set_num_threads(threads)
    rows = list(csv.DictReader(target.open()))
    assert status == 0
    assert [row["backend"] for row in rows] == ["scan", "with norms", "with shares"]
    assert all(float(row["p50_ms"]) > 0 and "torch" in row["versions"] for row in rows)
