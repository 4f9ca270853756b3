"""Which backend runs a scan. A backend is a module with what `Backend` below lists, and a line in BACKENDS."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from torch import Tensor

from kernels.inputs import ScanInputs, Traced, transforming

# Name -> its module and the package it needs beside torch.
BACKENDS: dict[str, tuple[str, str | None]] = {
    "reference": ("kernels.reference", None),
    "cpu": ("kernels.cpu", "numba"),
    "triton": ("kernels.triton_scan", "triton"),
}
# What "auto" tries on a kind of device, best first.
PREFERRED = {"cpu": ("cpu", "reference"), "cuda": ("triton", "reference")}


class Backend(Protocol):
    """What a backend's module offers."""

    def scan(self, inputs: ScanInputs, with_state: bool) -> tuple[Tensor, Tensor | None]:
        """Give y [B, L, M, E] in u's dtype and, if wanted, the final state [B, M, E, N]."""

    def trace(self, inputs: ScanInputs, shares: bool) -> Traced:
        """Give the same with the norms and, if asked, the shares."""

    def refusal(self, u: Tensor) -> str | None:
        """Say why such an input cannot run here, with the remedy; None if it can."""


def choose(u: Tensor, backend: str) -> Backend:
    """The backend named, or with "auto" the best for u's device; ValueError if it cannot run u."""
    name = pick(u) if backend == "auto" else backend
    if name not in BACKENDS:
        raise ValueError(f"expected backend to be one of auto, {', '.join(BACKENDS)}, got {backend!r}")
    if reason := obstacle(name, u):
        raise ValueError(f"backend {name!r} cannot run this input: {reason}")
    return cast(Backend, import_module(BACKENDS[name][0]))


def pick(u: Tensor) -> str:
    """The name that "auto" stands for: the first preferred one with nothing in its way."""
    names = PREFERRED.get(u.device.type, ("reference",))
    return next((name for name in names if obstacle(name, u) is None), "reference")


def explain(u: Tensor) -> str:
    """What "auto" picks for u, and why not each of the others, one line each."""
    chosen = pick(u)
    dtype = str(u.dtype).removeprefix("torch.")
    lines = [f"{chosen}: picked for {dtype} on {u.device}, the fastest backend that runs it here"]
    lines += [
        f"{name}: passed over, {obstacle(name, u) or 'it is slower here'}"
        for name in BACKENDS
        if name != chosen
    ]
    return "\n".join(lines)


def obstacle(name: str, u: Tensor) -> str | None:
    """Why a backend cannot run u here, or None."""
    if name != "reference" and transforming():
        return "torch.func does not see into it: use backend='reference', or backend='auto', which picks that"
    module, package = BACKENDS[name]
    if package is not None and find_spec(package) is None:
        return f"{package} is not installed: pip install {package}"
    try:
        return cast(Backend, import_module(module)).refusal(u)
    except ImportError as error:  # numba, for one, refuses a numpy that is newer than it knows
        return f"{package or module} is installed and cannot be imported ({error}): install versions that fit"
