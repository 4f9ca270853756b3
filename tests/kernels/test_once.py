"""Gradients of gradients, checkpoints and transforms: what the fast backends can do, and how they refuse the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from kernels import coupled_scan, explain_backend
from tests.kernels.cases import SECOND, arguments, cast, check_refuses_second_derivatives, detached

SIZES = (1, 70, 2, 3, 2)


@pytest.mark.parametrize("name", ["u", "delta", "A", "coupling", "initial_state"])
def test_a_second_derivative_is_refused_and_not_left_out(name: str) -> None:
    check_refuses_second_derivatives((1, 5, 2, 3, 2), "cpu", name)


def test_a_second_derivative_by_autograd_grad_is_refused_though_unused_inputs_are_allowed() -> None:
    given = cast(arguments(SIZES))
    slope = torch.autograd.grad(coupled_scan(**given).sum(), given["u"], create_graph=True)[0]
    with pytest.raises(RuntimeError, match=SECOND):
        torch.autograd.grad(slope.sum(), given["delta"], allow_unused=True)


def test_a_second_derivative_through_the_incoming_gradient_is_refused() -> None:
    given = detached(arguments(SIZES))
    given["u"].requires_grad_()
    weight = torch.ones_like(given["u"], requires_grad=True)
    slope = torch.autograd.grad((coupled_scan(**given) * weight).sum(), given["u"], create_graph=True)[0]
    with pytest.raises(RuntimeError, match=SECOND):
        torch.autograd.grad(slope.sum(), weight)


def test_a_second_derivative_through_layers_before_the_scan_is_refused() -> None:
    given = detached(arguments(SIZES))
    layer = torch.nn.Linear(3, 3)
    y = coupled_scan(**{**given, "u": layer(given["u"])})
    slope = torch.autograd.grad(y.sum(), layer.weight, create_graph=True)[0]
    with pytest.raises(RuntimeError, match=SECOND):
        (slope.square().sum() + layer.weight.sum()).backward()
    assert layer.weight.grad is None


def test_a_graph_of_gradients_that_is_not_differentiated_changes_no_bit() -> None:
    given = cast(arguments(SIZES))
    leaves = [value for value in given.values() if isinstance(value, Tensor) and value.requires_grad]
    plain = torch.autograd.grad(coupled_scan(**given).sum(), leaves)
    recorded = torch.autograd.grad(coupled_scan(**given).sum(), leaves, create_graph=True)
    for one, other in zip(plain, recorded, strict=True):
        assert not one.requires_grad
        assert other.requires_grad
        assert torch.equal(one, other.mul_(1.0))  # in place, as clipping does it


def test_the_reference_gives_the_penalty_that_the_remedy_promises() -> None:
    given = cast(arguments((1, 3, 2, 2, 2)), torch.float64)

    def slope(delta: Tensor) -> Tensor:
        y = coupled_scan(**{**given, "delta": delta}, backend="reference")
        return torch.autograd.grad(y.sum(), delta, create_graph=True)[0]

    assert torch.autograd.gradcheck(slope, given["delta"])


@pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "not reentrant"])
def test_checkpointed_scans_give_the_same_gradients(reentrant: bool) -> None:
    given = cast(arguments(SIZES))
    rest = {name: value for name, value in given.items() if name not in ("u", "delta")}

    def block(u: Tensor, delta: Tensor) -> Tensor:
        return coupled_scan(u, delta, **rest).tanh()

    leaves = [given["u"], given["delta"]]

    def gradients(y: Tensor) -> list[Tensor]:
        for leaf in leaves:
            leaf.grad = None
        y.square().sum().backward()
        return [leaf.grad for leaf in leaves]

    plain = gradients(block(*leaves))
    found = gradients(checkpoint(block, *leaves, use_reentrant=reentrant))
    assert all(torch.equal(one, other) for one, other in zip(plain, found, strict=True))


def test_a_second_derivative_of_a_checkpointed_scan_is_refused() -> None:
    given = cast(arguments(SIZES))
    y = checkpoint(lambda: coupled_scan(**given), use_reentrant=False)
    slope = torch.autograd.grad(y.sum(), given["delta"], create_graph=True)[0]
    assert torch.equal(slope, torch.autograd.grad(coupled_scan(**given).sum(), given["delta"])[0])
    with pytest.raises(RuntimeError, match=SECOND):
        (slope.square().sum() + given["delta"].sum()).backward()


def test_every_leaf_is_told_once_of_its_gradient() -> None:
    """Data-parallel training counts these calls to know when a bucket of gradients may be sent."""
    given = cast(arguments(SIZES))
    leaves = {
        name: value for name, value in given.items() if isinstance(value, Tensor) and value.requires_grad
    }
    told: list[str] = []
    for name, leaf in leaves.items():
        leaf.register_post_accumulate_grad_hook(lambda _, name=name: told.append(name))
    coupled_scan(**given).sum().backward()
    assert sorted(told) == sorted(leaves)
    assert all(leaf.grad is not None for leaf in leaves.values())


def _jvp(call: Callable[[Tensor], Tensor], u: Tensor) -> Tensor:
    return torch.func.jvp(call, (u,), (u,))[1]


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "grad": lambda call, u: torch.func.grad(lambda value: call(value).sum())(u),
    "jvp": _jvp,
    "vmap": lambda call, u: torch.func.vmap(call)(u[None])[0],
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_torch_func_runs_on_the_reference_and_a_fast_backend_names_it(
    transform: Callable[..., Tensor],
) -> None:
    given = detached(arguments((1, 4, 2, 3, 2)))

    def found(backend: str) -> Tensor:
        return transform(lambda u: coupled_scan(**{**given, "u": u}, backend=backend), given["u"])

    assert torch.equal(found("auto"), found("reference"))
    with pytest.raises(
        ValueError, match=r"'cpu' cannot run this input: torch\.func does not see into it: use"
    ):
        found("cpu")
    assert explain_backend(given["u"]).startswith("cpu: picked")


def test_weights_can_be_stacked_under_vmap() -> None:
    given = detached(arguments((1, 4, 2, 3, 2)))
    rates = torch.stack([given["A"], 2 * given["A"]])
    found = torch.func.vmap(lambda A: coupled_scan(**{**given, "A": A}))(rates)
    for one, A in zip(found, rates, strict=True):
        torch.testing.assert_close(one, coupled_scan(**{**given, "A": A}, backend="reference"))
