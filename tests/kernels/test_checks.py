"""Each error gives the value seen and the remedy."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch

from kernels import coupled_conv, coupled_scan, coupled_step, explain_backend
from tests.kernels.cases import arguments, cast


def fine(**changes: Any) -> dict[str, Any]:
    return {**arguments((2, 5, 3, 4, 2)), **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": torch.ones(2, 5, 4)}, r"u of shape \[B, L, M, E\], got \(2, 5, 4\): give it four axes"),
        ({"A": -torch.ones(4, 2)}, r"A of shape \[M, E, N\], got \(4, 2\): give every modality its own"),
        (
            {"delta": torch.ones(2, 5, 4)},
            r"= \(2, 5, 3, 4\), got \(2, 5, 4\): it has 3 axes and needs 4; add",
        ),
        (
            {"B": torch.ones(2, 5, 3, 7)},
            r"got \(2, 5, 3, 7\): N is 7 in place of 2; the sizes come from u and A",
        ),
        ({"coupling": torch.ones(3, 2)}, r"coupling of shape \[M, M\] = \(3, 3\), got \(3, 2\)"),
        ({"u": torch.ones(2, 5, 9, 4)}, r"1 to 8 modalities on axis 2 of u, got 9 in \(2, 5, 9, 4\)"),
        ({"A": torch.ones(3, 4, 0)}, r"expected E >= 1 and N >= 1, got E = 4, N = 0"),
        ({"A": torch.zeros(3, 4, 2)}, r"A below 0, .* got a largest entry of 0: use A = -exp\(A_log\)"),
        ({"A": torch.full((3, 4, 2), torch.nan)}, "largest entry of nan"),
        (
            {"z": torch.ones(2, 5, 3, 4, device="meta")},
            r"z on the device of u, cpu, got meta: use z.to\('cpu'\)",
        ),
        ({"backend": "cuda"}, "backend to be one of auto, reference, cpu.*got 'cuda'"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        coupled_scan(**fine(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"C": [1.0]}, "C to be a torch.Tensor, got list"),
        ({"D": 1.0}, "D to be a torch.Tensor or None, got float"),
        ({"mask": torch.ones(2, 5, 3)}, r"mask of dtype torch.bool .*got torch.float32: use mask.bool\(\)"),
        ({"u": torch.ones(2, 5, 3, 4, dtype=torch.int64)}, r"u in float32.*got torch.int64: use u.float\(\)"),
    ],
)
def test_a_wrong_type_is_named_with_its_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        coupled_scan(**fine(**changes))


def test_a_step_takes_no_time_axis() -> None:
    given = fine()
    with pytest.raises(
        ValueError, match=r"u of one tick with 3 axes, got shape \(2, 5, 3, 4\).*use coupled_scan"
    ):
        coupled_step(given.pop("initial_state"), **given)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"state": None},
            TypeError,
            r"state to be a torch.Tensor, got NoneType: begin with zeros \[B, M, E, N",
        ),
        (
            {"state": torch.ones(2, 1, 4, 2)},
            ValueError,
            r"expected state of shape \[B, M, E, N\] = \(2, 3, 4, 2\), got \(2, 1, 4, 2\): M is 1 in place of 3",
        ),
        ({"state": torch.ones(2, 3, 4, 2).int()}, TypeError, r"expected state in .*: use state.float\(\)"),
        (
            {"state": torch.ones(2, 3, 4, 2, device="meta")},
            ValueError,
            r"expected state on the device of u, .*: use state.to\('cpu'\)",
        ),
        (
            {"B": torch.ones(2, 3, 7)},
            ValueError,
            r"expected B of shape \[B, M, N\] = \(2, 3, 2\), got \(2, 3, 7\): N is 7 in place of 2",
        ),
        (
            {"mask": torch.ones(2, 2).bool()},
            ValueError,
            r"expected mask of shape \[B, M\] = \(2, 3\), got \(2, 2\): M is 2 in place of 3",
        ),
        (
            {"u": torch.ones(2, 9, 4)},
            ValueError,
            r"on axis 1 of u, got 9 in \(2, 9, 4\): put the modality axis second, after batch$",
        ),
    ],
)
def test_a_steps_errors_name_what_it_was_given(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = fine()
    given = {k: v[:, 0] if k in ("u", "delta", "B", "C", "z", "mask") else v for k, v in given.items()}
    given["state"] = given.pop("initial_state")
    coupled_step(**given)
    with pytest.raises(error, match=message):
        coupled_step(**{**given, **changes})


def test_a_convolution_takes_no_selective_parameters() -> None:
    given = {k: v for k, v in fine().items() if k not in ("mask", "initial_state")}
    with pytest.raises(ValueError, match=r"delta of a convolution with 2 axes, got shape \(2, 5, 3, 4\)"):
        coupled_conv(**given)


def test_the_pick_of_auto_is_explained() -> None:
    picked, *others = explain_backend(torch.zeros(1, 1, 1, 1)).splitlines()
    assert picked == "cpu: picked for float32 on cpu, the fastest backend that runs it here"
    assert any(line.startswith("reference: passed over, it is slower") for line in others)
    assert explain_backend(torch.zeros(1, dtype=torch.float64)).startswith("reference: picked for float64")


def test_without_numba_the_reference_is_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.backends.find_spec", lambda name: None)
    said = explain_backend(torch.zeros(1, 1, 1, 1))
    assert said.startswith("reference: picked")
    assert "cpu: passed over, numba is not installed: pip install numba" in said


def test_a_numba_that_cannot_be_imported_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        if name == "kernels.cpu":
            raise ImportError("Numba needs NumPy 2.3 or less. Got NumPy 2.5.")
        return import_module(name)

    monkeypatch.setattr("kernels.backends.import_module", load)
    given = cast(fine())
    assert coupled_scan(**given).shape == (2, 5, 3, 4)
    said = explain_backend(torch.zeros(1, 1, 1, 1))
    assert said.startswith("reference: picked")
    assert "cpu: passed over, numba is installed and cannot be imported (Numba needs NumPy 2.3" in said
    with pytest.raises(
        ValueError, match="backend 'cpu' cannot run this input: numba is installed and cannot"
    ):
        coupled_scan(**given, backend="cpu")
