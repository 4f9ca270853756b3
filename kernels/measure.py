"""Clocks and memory gauges of the bench."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

MOST = 200  # repetitions
LEAST = 3


def percentiles(
    calls: Sequence[Callable[[], object]], device: str, seconds: float
) -> list[tuple[float, float, float]]:
    """(p20, p50, p80) in milliseconds of every call, taken in turns for about `seconds` each after a warm-up."""
    clock = time.thread_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    start = time.perf_counter()
    while len(times[0]) < LEAST or (
        time.perf_counter() - start < seconds * len(calls) and len(times[0]) < MOST
    ):
        for call, taken in zip(calls, times, strict=True):
            synchronise(device)
            begun = clock()
            call()
            synchronise(device)
            taken.append((clock() - begun) * 1e3)
    found = [
        torch.tensor(taken, dtype=torch.float64).quantile(torch.tensor([0.2, 0.5, 0.8]).double())
        for taken in times
    ]
    return [(float(low), float(middle), float(high)) for low, middle, high in found]


def synchronise(device: str) -> None:
    """Wait for a GPU; a CPU is never ahead."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def peak_megabytes(call: Callable[[], object], device: str) -> float | None:
    """The most memory in use during a call, over what was in use before; None where the system does not tell."""
    gc.collect()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        synchronise(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    try:
        ctypes.CDLL(None).malloc_trim(0)  # so that memory freed earlier is not taken again unseen
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        before = _status("VmRSS")
        call()
        return (_status("VmHWM") - before) / 1e3
    except (OSError, AttributeError):
        return None


def _status(name: str) -> int:
    """One field of /proc/self/status, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
