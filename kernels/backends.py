"""Which backend runs a scan. A backend is a module with what `Backend` below lists."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

import torch
from torch import Tensor

from kernels.inputs import ScanInputs, Traced

MODULES = {"reference": "kernels.reference", "cpu": "kernels.cpu"}


class Backend(Protocol):
    """What a backend's module offers."""

    def scan(self, inputs: ScanInputs, with_state: bool) -> tuple[Tensor, Tensor | None]:
        """Give y [B, L, M, E] in u's dtype and, if wanted, the final state [B, M, E, N]."""

    def trace(self, inputs: ScanInputs, shares: bool) -> Traced:
        """Give the same with the norms and, if asked, the shares."""

    def refusal(self, inputs: ScanInputs) -> str | None:
        """Say why these inputs cannot run here, with the remedy; None if they can."""


def choose(inputs: ScanInputs, backend: str) -> Backend:
    """The backend named, or with "auto" the one for the device; ValueError if it cannot run these inputs."""
    name = pick(inputs)[0] if backend == "auto" else backend
    if name not in MODULES:
        raise ValueError(f"expected backend to be one of auto, {', '.join(MODULES)}, got {backend!r}")
    module = cast(Backend, import_module(MODULES[name]))
    if reason := module.refusal(inputs):
        raise ValueError(f"backend {name!r} cannot run these inputs: {reason}")
    return module


def pick(inputs: ScanInputs) -> tuple[str, str]:
    """The name "auto" stands for, and the reason in a few words."""
    if inputs.u.dtype == torch.float64:
        return "reference", "u is float64, and the fast backends keep their states in float32"
    if inputs.u.device.type != "cpu":
        return "reference", f"no backend is written for {inputs.u.device.type}"
    if find_spec("numba") is None:
        return "reference", "numba is not installed (pip install numba brings the fast CPU backend)"
    return "cpu", "the inputs are on the CPU, in float32 or half precision"
