"""`python -m kernels.bench`: the scan's backends and their peers, side by side in one run, as a table and a CSV.

Every repetition runs each contender once, so that a busy machine slows all of them. On one CPU thread the clock is
that thread's CPU time. A contender whose result is wrong gets no speed.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from torch import Tensor

from kernels import coupled_conv, coupled_scan, coupled_trace
from kernels.backends import BACKENDS, obstacle
from kernels.floor import copied, exponentials
from kernels.inputs import ScanInputs
from kernels.measure import peak_megabytes, percentiles
from kernels.peers import cross_attention, mamba_scans, plain_scans, ways

Sizes = tuple[int, int, int, int, int]  # B, L, M, E, N
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 1e-2}


@dataclass(frozen=True)
class Contender:
    """One way to do an operation; `moved` is the bytes of its inputs and outputs, `verify` raises if it is wrong."""

    backend: str
    call: Callable[[], object]
    moved: int
    verify: Callable[[], None]


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


def make_inputs(sizes: Sizes, dtype: torch.dtype, device: str) -> ScanInputs:
    """Inputs at Mamba's initialisation: A_n = -n, delta log-uniform around 0.001..0.1, W the mean."""
    batch, length, modalities, channels, states = sizes
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device, dtype)

    rows = (batch, length, modalities)
    return ScanInputs(
        normal(*rows, channels),
        normal(*rows, channels) * 0.5 - 4,
        -torch.arange(1.0, states + 1, device=device).expand(modalities, channels, states).contiguous(),
        normal(*rows, states),
        normal(*rows, states) / states**0.5,
        torch.full((modalities, modalities), 1 / modalities, device=device),
        torch.ones(modalities, channels, device=device),
        normal(*rows, channels),
        torch.zeros(modalities, channels, device=device),
        True,
    )


def forward(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """y without gradients: every backend, three plain scans in torch, mamba-ssm's where it is installed."""
    i = make_inputs(sizes, dtype, device)
    exact = _exactly(i)
    moved = 4 * i.u.nbytes + i.B.nbytes + i.C.nbytes
    for name in _runnable(i.u):
        for label, call in ways(name, partial(coupled_scan, **vars(i), backend=name)):
            yield Contender(label, call, moved, partial(_verify, call, exact))
    alone = replace(i, coupling=torch.eye(sizes[2], device=device))
    separate = _exactly(alone)
    for name, peer in (("plain scans", plain_scans), ("mamba_ssm", mamba_scans)):
        if name == "plain scans" or _installed("mamba_ssm"):
            yield Contender(
                name, partial(peer, alone), moved, partial(_verify, partial(peer, alone), separate)
            )


def training_step(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """y and the gradient of every argument."""
    i = make_inputs(sizes, dtype, device)
    leaves = {name: value.requires_grad_() for name, value in i.tensors.items()}
    moved = 8 * i.u.nbytes + 3 * (i.B.nbytes + i.C.nbytes)

    def step(backend: str) -> tuple[Tensor, ...]:
        y = coupled_scan(**vars(i), backend=backend)
        return torch.autograd.grad(y, list(leaves.values()), i.u.detach())

    exact = [value.double() for value in step("reference")]
    for name in _runnable(i.u):
        for label, call in ways(name, partial(step, name)):
            yield Contender(label, call, moved, partial(_verify_gradients, call, exact, list(leaves)))


def trace(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """The scan, the scan with its norms, and with norms and shares, for the backend "auto" picks."""
    i = make_inputs(sizes, dtype, device)
    exact = _exactly(i)
    scan = partial(coupled_scan, **vars(i))
    yield Contender("scan", scan, 4 * i.u.nbytes, partial(_verify, scan, exact))
    for name, shares in (("with norms", False), ("with shares", True)):

        def call(shares: bool = shares) -> Tensor:
            return coupled_trace(**vars(i), shares=shares)[0]

        yield Contender(name, call, 4 * i.u.nbytes, partial(_verify, call, exact))


def constant(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """Parameters constant in time: the FFT convolution against the scan."""
    i = make_inputs(sizes, dtype, device)
    once = {name: getattr(i, name)[0, 0].contiguous() for name in ("delta", "B", "C")}
    repeated = {name: value.expand(*i.u.shape[:2], *value.shape) for name, value in once.items()}
    i = replace(i, **repeated)
    exact = _exactly(i)
    scan = partial(coupled_scan, **vars(i))
    given = {k: v for k, v in vars(i).items() if k not in ("initial_state", "mask")}
    conv = partial(coupled_conv, **{**given, **once})
    yield Contender("scan", scan, 3 * i.u.nbytes, partial(_verify, scan, exact))
    yield Contender("conv", conv, 3 * i.u.nbytes, partial(_verify, conv, exact))


def fusion(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """A training step of the operation that fuses: the scan, and cross attention unfused and fused."""
    i = make_inputs(sizes, dtype, device)
    leaves = [value.requires_grad_() for value in i.tensors.values()]

    def attention(fused: bool) -> Tensor:
        return torch.autograd.grad(cross_attention(i.u, fused=fused), i.u, i.u.detach())[0]

    def scan() -> tuple[Tensor, ...]:
        return torch.autograd.grad(coupled_scan(**vars(i)), leaves, i.u.detach())

    exact = attention(False).double()
    check = partial(_verify, partial(coupled_scan, **vars(i)), _exactly(i))
    yield Contender("coupled scan", scan, 8 * i.u.nbytes, check)
    for name, fused in (("cross attention", False), ("cross attention, fused", True)):
        call = partial(attention, fused)
        yield Contender(name, call, 4 * i.u.nbytes, partial(_verify, call, exact))


def floor(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """What bounds the forward: its exponentials, its bytes copied, and the forward itself to hold against both."""
    i = make_inputs(sizes, dtype, device)
    moved = 4 * i.u.nbytes + i.B.nbytes + i.C.nbytes
    scan = partial(coupled_scan, **vars(i))
    yield Contender("forward", scan, moved, partial(_verify, scan, _exactly(i)))
    count = i.u.numel() * sizes[-1]
    yield Contender("exponentials", partial(exponentials, count, device), 0, lambda: None)
    target, source = copied(moved, device)
    yield Contender("copy", partial(target.copy_, source), moved, lambda: None)


OPERATIONS = {f.__name__: f for f in (forward, training_step, trace, constant, fusion, floor)}


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
    packages = [package for package in ("torch", "numba", "triton") if _installed(package)]
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
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each contender (default 3)")
    parser.add_argument("--only", choices=sorted(OPERATIONS), help="one operation")
    parser.add_argument("--quick", action="store_true", help="small shapes, to try the bench itself")
    parser.add_argument("--csv", type=Path, default=Path("runs/kernels.csv"))
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


def _runnable(u: Tensor) -> list[str]:
    """The backends that can run u, without interpreted ones: their times say nothing."""
    names = [name for name in BACKENDS if obstacle(name, u) is None]
    return [name for name in names if name != "triton" or u.device.type != "cpu"]


def _exactly(i: ScanInputs) -> Tensor:
    """The reference's y in float64."""
    wide = {name: value.double() for name, value in i.detached().tensors.items()}
    return coupled_scan(**{**vars(i), **wide}, backend="reference")


def _verify(call: Callable[[], Tensor], exact: Tensor) -> None:
    _compare(call(), exact)


def _verify_gradients(call: Callable[[], tuple[Tensor, ...]], exact: list[Tensor], names: list[str]) -> None:
    """Each by its own largest entry: D's is thousands of times A's, and beside it an error in A's would be none."""
    for name, found, truth in zip(names, call(), exact, strict=True):
        _compare(found, truth, f"gradient of {name}: ")


def _compare(found: Tensor, exact: Tensor, what: str = "") -> None:
    error = float((found.detach().double() - exact).abs().max() / exact.abs().max())
    allowed = TOLERANCE[found.dtype]
    if not error <= allowed:
        raise ValueError(f"{what}wrong by {error:.1e} of the largest entry, allowed {allowed:.0e}")


def _failure(contender: Contender) -> str:
    try:
        contender.verify()
    except (ValueError, RuntimeError) as error:
        return str(error)
    return ""


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
