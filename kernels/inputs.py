"""The one record that flows from the public functions to every backend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class ScanInputs:
    """The checked arguments of one scan; shapes as in `kernels.coupled_scan`."""

    u: Tensor  # [B, L, M, E]
    delta: Tensor  # [B, L, M, E]
    A: Tensor  # [M, E, N]
    B: Tensor  # [B, L, M, N]
    C: Tensor  # [B, L, M, N]
    coupling: Tensor  # [M, M], row = target, column = source
    D: Tensor | None = None  # [M, E]
    z: Tensor | None = None  # [B, L, M, E]
    delta_bias: Tensor | None = None  # [M, E]
    delta_softplus: bool = False
    initial_state: Tensor | None = None  # [B, M, E, N]
    mask: Tensor | None = None  # [B, L, M], True = present

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Name -> tensor, of those given."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    @property
    def differentiated(self) -> bool:
        """Whether a backward may follow; an autograd function's own needs_input_grad is also true under no_grad."""
        return torch.is_grad_enabled() and any(value.requires_grad for value in self.tensors.values())

    @property
    def in_order(self) -> list[Tensor | None]:
        """The tensors as the autograd functions take them: the initial state, which is no parameter, last."""
        parameters = [
            self.u,
            self.delta,
            self.A,
            self.B,
            self.C,
            self.coupling,
            self.D,
            self.z,
            self.delta_bias,
        ]
        return [*parameters, self.mask, self.initial_state]

    def detached(self) -> ScanInputs:
        """The same values without their history in autograd."""
        return replace(self, **{name: value.detach() for name, value in self.tensors.items()})  # type: ignore[arg-type]


def transforming() -> bool:
    """Whether torch.func's grad, jvp or vmap is at work; autograd functions ask the same before they refuse it."""
    return torch._C._are_functorch_transforms_active()


class Traced(NamedTuple):
    """What a trace gives: y [B, L, M, E], the norms [B, L, M], the shares [B, L, M, M], the final state."""

    y: Tensor
    state_norm: Tensor
    share: Tensor | None
    final_state: Tensor
