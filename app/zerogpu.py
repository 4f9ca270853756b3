"""Where the coupled network runs: on a GPU that is there, on one that ZeroGPU lends for a long clip, or on the CPU.

Only the network does: everything before it is quick on a CPU. ZeroGPU (Hugging Face Spaces) runs what is decorated with
`spaces.GPU` in a process of its own, forked when it is called. So what crosses is plain arrays, the network is moved
to the GPU on the other side, and nothing of CUDA is touched on this one.

Nothing heavy is imported here: the page imports this before it is launched, since ZeroGPU wants to know by then what
will ask for a GPU.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from extractors.records import InputError

if TYPE_CHECKING:
    from model.coupled.network import CoupledMamba
    from model.inference.prediction import Dynamics, Line, Prediction

SETTING = "COUPLED_MAMBA_DEVICE"
# Seconds that a GPU is asked for: kernels are compiled at the first use, then a minute of clip takes well under one.
# Not measured on ZeroGPU; whoever asks for less is served sooner, and whoever needs more is cut off.
FIRST, A_MINUTE, MOST = 15, 1, 60
MINUTE = 300  # ticks
# Ticks from which on a GPU is asked for. Measured once, one CPU thread took 0.2 s for 24 s of clip, 0.4 s for a minute,
# 3.6 s for ten and 9.9 s for thirty: of a shorter clip nobody's quota is to be spent, nor a place in line waited for.
# From where on lending really is quicker was not measured on ZeroGPU.
WORTH = 10 * MINUTE
_log = logging.getLogger(__name__)
_at_home: ContextVar[bool] = ContextVar("at_home", default=False)
Function = TypeVar("Function", bound=Callable[..., Any])


def is_zerogpu() -> bool:
    """Whether this is a Space to which GPUs are lent."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


@contextmanager
def at_home() -> Iterator[None]:
    """Inside, no GPU is borrowed: for analyses that no visitor asked for."""
    before = _at_home.set(True)
    try:
        yield
    finally:
        _at_home.reset(before)


def seconds_asked(values: Mapping[str, Line], presence: Mapping[str, Line]) -> int:
    """For how long a GPU is asked, by the clip's length at five ticks a second."""
    return min(MOST, FIRST + A_MINUTE * -(-_ticks(presence) // MINUTE))


def _ticks(presence: Mapping[str, Line]) -> int:
    return max((len(line) for line in presence.values()), default=0)


def borrow(duration: Callable[..., int]) -> Callable[[Function], Function]:
    """A decorator: `spaces.GPU` on ZeroGPU; anywhere else, and without the package, the function as it is."""
    if not is_zerogpu():
        return lambda function: function
    try:
        import spaces
    except ImportError:
        _log.warning("this Space is on ZeroGPU and the package spaces is missing: the CPU is used")
        return lambda function: function
    lend: Callable[[Function], Function] = spaces.GPU(duration=duration)
    return lend


@borrow(seconds_asked)
def on_borrowed(values: Mapping[str, Line], presence: Mapping[str, Line]) -> tuple[Prediction, Dynamics]:
    """The network's answer from a GPU that was lent; arrays in and out, since they cross to another process.

    Raises what keeps it from a GPU, as the package does: gr.Error where the quota is spent, RuntimeError where the
    lender fails or hangs up, httpx's errors where it is not reached, torch.OutOfMemoryError where the memory is full.
    """
    import torch

    from model.inference.prediction import predict

    return predict(_network("cuda" if torch.cuda.is_available() else "cpu"), values, presence)


def predict_clip(
    values: Mapping[str, Line],
    presence: Mapping[str, Line],
    told: Callable[[float], None] | None = None,
) -> tuple[Prediction, Dynamics]:
    """The packaged network's answer, as `model.predict` gives it, from wherever it runs best.

    On ZeroGPU a GPU is borrowed for clips of WORTH ticks and more; what is shorter the CPU answers as soon.
    A GPU that is not lent after all, or whose memory is full, costs time and nothing else: the CPU answers. What
    told(fraction) raises ends it, also between the two.

    Raises:
        InputError: COUPLED_MAMBA_DEVICE names what torch does not know, or this machine does not have.
    """
    import torch

    from model.inference.loading import load_default
    from model.inference.prediction import predict

    if is_zerogpu() and not _at_home.get() and _ticks(presence) >= WORTH:
        try:
            return on_borrowed(values, presence)
        except Exception as error:  # of kinds that nobody lists
            _log.warning("no GPU was lent, or not enough of it (%s): the CPU is used", type(error).__name__)
        if told is not None:
            told(0.0)  # a visitor who left while waiting for a GPU is not answered by the CPU either
    elif not is_zerogpu() and (device := chosen_device()) != "cpu":
        try:
            return predict(_network(device), values, presence, told)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            _log.warning("the memory of %s is full: the CPU is used", device)
    return predict(load_default(), values, presence, told)


def chosen_device() -> str:
    """$COUPLED_MAMBA_DEVICE, or cuda where there is one, or cpu. Raises InputError where torch knows no such device."""
    import torch

    given = os.environ.get(SETTING, "").strip()
    if not given:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return str(torch.device(given))
    except RuntimeError:
        raise InputError(f"{SETTING} is {given!r}: cpu, cuda or cuda:1 is needed.") from None


@cache
def _network(device: str) -> CoupledMamba:
    """The packaged network on a device; on another than the CPU a copy, since the page's questions use the CPU's.

    Raises InputError where the machine has no such device.
    """
    from copy import deepcopy

    import torch

    from model.inference.loading import load_default

    if device == "cpu":
        return load_default()
    try:
        return deepcopy(load_default()).to(device).eval()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError, NotImplementedError):  # torch says it in each of these ways
        raise InputError(
            f"{SETTING} is {device!r}, which this machine does not have: set cpu, or unset it."
        ) from None
