"""`python -m kernels.bench`: the scan's backends and their peers, side by side in one run, as a table and a CSV.

Every repetition runs each contender once, so that a busy machine slows all of them. On one CPU thread the clock is
that thread's CPU time. A contender whose result is wrong gets no speed.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path

import torch

from kernels.contenders import OPERATIONS, Contender, Sizes, installed
from kernels.measure import peak_megabytes, percentiles


@dataclass(frozen=True)
class Row:
    """One line of the CSV. Times in milliseconds, empty where the check failed."""

    operation: str
    backend: str
    shape: str
    dtype: str
    p20_ms: float | None
    p50_ms: float | None
    p80_ms: float | None
    gb_per_s: float | None
    peak_mb: float | None
    device: str
    versions: str
    note: str = ""


def plan(device: str, quick: bool) -> list[tuple[str, Sizes, torch.dtype]]:
    """The operations and shapes of a run."""
    single, half = torch.float32, torch.bfloat16
    if quick:
        return [(name, (2, 64, 3, 64, 16), single) for name in OPERATIONS]
    if device == "cpu":
        rows = [
            ("forward", (b, n, 3, 256, s), single) for b, n, s in ((1, 512, 64), (1, 4096, 64), (1, 512, 16))
        ]
        rows += [("forward", (32, 50, 3, 256, 64), single), ("training_step", (32, 50, 3, 256, 64), single)]
        rows += [(name, (1, 512, 3, 256, 64), single) for name in ("floor", "trace", "constant")]
        return rows + [("fusion", (8, n, 3, 256, 64), single) for n in (100, 500)]
    lengths = (1, 64, 1024, 8192, 65537)
    rows = [(name, (32, 2048, 3, 256, s), half) for name in ("forward", "floor") for s in (16, 64)]
    rows += [("forward", (1, n, 3, 256, 64), half) for n in lengths]
    rows += [("training_step", (32, 2048, 3, 256, 64), half), ("training_step", (1, 8192, 3, 256, 64), half)]
    rows += [("trace", (32, 2048, 3, 256, 64), half), ("constant", (32, 2048, 3, 256, 64), single)]
    return rows + [("fusion", (32, n, 3, 256, 64), single) for n in (100, 200, 300, 400, 500)]


def measure(operation: str, sizes: Sizes, dtype: torch.dtype, device: str, seconds: float) -> list[Row]:
    """One operation at one shape: check, warm up and time all of its contenders in turns."""
    contenders = list(OPERATIONS[operation](sizes, dtype, device))
    failed = {c.backend: reason for c in contenders if (reason := _failure(c))}
    fit = [c for c in contenders if c.backend not in failed]
    times = percentiles([c.call for c in fit], device, seconds) if fit else []
    rows = []
    for c in contenders:
        shape = " ".join(f"{axis}={size}" for axis, size in zip("BLMEN", sizes, strict=True))
        common = (operation, c.backend, shape, str(dtype).removeprefix("torch."))
        where = (device_name(device), versions())
        if c.backend in failed:
            rows.append(Row(*common, None, None, None, None, None, *where, failed[c.backend]))
            continue
        low, middle, high = times[fit.index(c)]
        speed = c.moved / middle / 1e6
        rows.append(Row(*common, low, middle, high, speed, peak_megabytes(c.call, device), *where))
    return rows


def device_name(device: str) -> str:
    """The card, or the processor with the threads in use."""
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads"


def versions() -> str:
    """Of Python and of the packages the backends stand on."""
    packages = [package for package in ("torch", "numba", "triton") if installed(package)]
    return ", ".join(
        [f"python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    )


def table(rows: list[Row]) -> str:
    """One operation's rows with the ratios of time and memory to the first of them."""
    base = next((row for row in rows if row.p50_ms), None)
    lines = [f"\n{rows[0].operation}  {rows[0].shape}  {rows[0].dtype}  ({rows[0].device})"]
    for row in rows:
        if row.p50_ms is None or base is None or base.p50_ms is None:
            lines.append(f"  {row.backend:<24} no speed: {row.note}")
            continue
        memory = "" if row.peak_mb is None else f"{row.peak_mb:9.1f} MB"
        lines.append(
            f"  {row.backend:<24}{row.p20_ms:10.2f} {row.p50_ms:10.2f} {row.p80_ms:10.2f} ms"
            f"{base.p50_ms / row.p50_ms:8.2f}x  {row.gb_per_s:8.2f} GB/s{memory}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the plan; exit status 1 if a check was red."""
    parser = argparse.ArgumentParser(prog="python -m kernels.bench", description=__doc__)
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cpu or cuda (cuda where there is one)",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each contender (default 3)")
    parser.add_argument("--only", choices=sorted(OPERATIONS), help="one operation")
    parser.add_argument("--quick", action="store_true", help="small shapes, to try the bench itself")
    parser.add_argument(
        "--csv", type=Path, default=Path("runs/kernels.csv"), help="where the rows go (runs/kernels.csv)"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    rows: list[Row] = []
    for operation, sizes, dtype in plan(options.device, options.quick):
        if options.only in (None, operation):
            rows += (found := measure(operation, sizes, dtype, options.device, options.seconds))
            sys.stdout.write(table(found) + "\n")
            sys.stdout.flush()
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    with options.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    sys.stdout.write(f"\nwritten to {options.csv}\n")
    return int(any(row.p50_ms is None for row in rows))


def _failure(contender: Contender) -> str:
    try:
        contender.verify()
    except (ValueError, RuntimeError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(main())
