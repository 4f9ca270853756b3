"""For the backends whose backward is loops of their own: it has no derivative, and says so where one is asked for.

torch's `once_differentiable` refuses only where the incoming gradient has a history, and what it returns leads to no
input: the gradient of (gradient of y.sum()) with respect to delta would be left out of a sum without a word. So here
the gradients given under `create_graph` keep a way to every input, and going that way raises. Gradients that are
recorded and never differentiated cost a copy, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from kernels.inputs import ScanInputs

Backward = Callable[..., tuple[Tensor | None, ...]]


def history(inputs: ScanInputs) -> Tensor | None:
    """A tensor [0] that depends on all the inputs; None where no gradient is recorded.

    An autograd function takes it, saves it first of all and gives no gradient for it. The inputs themselves would do,
    but to save them would hold memory that the backward has no use for.
    """
    if not inputs.differentiated:
        return None
    return _History.apply(inputs.u, *(value for value in inputs.tensors.values() if value.requires_grad))


def once(backward: Backward) -> Backward:
    """Make a backward that autograd does not see into raise where its gradients are differentiated again.

    It is written as backward(ctx, saved, *gradients), with the tensors that its forward saved after the `history` of
    its inputs; a checkpoint lets them be read once only. Its gradients are given as they are, or as copies under
    `create_graph`; RuntimeError, with the remedy, once a backward reaches those copies.
    """

    @wraps(backward)
    def refusing(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        past, *saved = ctx.saved_tensors
        with torch.no_grad():
            found = backward(ctx, saved, *given)
        if not torch.is_grad_enabled():
            return found
        return _Refusal.apply(len(found), *found, past, *given)

    return refusing


class _History(torch.autograd.Function):
    """All the inputs in, nothing of them out: only the edges of the graph count."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, *others: Tensor) -> Tensor:
        ctx.count = 1 + len(others)
        ctx.set_materialize_grads(False)
        return u.new_empty(0)

    @staticmethod
    def backward(ctx: Any, *_: Tensor | None) -> tuple[None, ...]:
        # The scan gives no gradient for its history, and autograd passes that on all the same.
        return (None,) * ctx.count


class _Refusal(torch.autograd.Function):
    """The first `count` tensors in, and out; the others only take part in the graph."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor | None) -> tuple[Tensor | None, ...]:
        # Copies: an input that is returned may not be changed in place, and gradients often are.
        return tuple(None if value is None else value.clone() for value in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise RuntimeError(
            "the gradient of a coupled_scan was differentiated again, and the fast backends ('cpu', 'triton') are "
            "differentiable once: call coupled_scan with backend='reference', which autograd differentiates any "
            "number of times, or do not ask for this second derivative (.detach() the gradient)"
        )
