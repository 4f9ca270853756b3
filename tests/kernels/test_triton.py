"""The Triton backend without a GPU: run by the interpreter, and compiled for one that is not there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kernels import coupled_scan
from tests.kernels.cases import arguments, cast

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux only)")

HOUSE = Path(__file__).parents[2]
OF_THE_INPUT = {"p_u", "p_delta", "p_B", "p_C", "p_z", "p_y", "p_dy", "p_du", "p_ddelta", "p_dz"}
OPTIONAL = {
    "p_D",
    "p_z",
    "p_bias",
    "p_mask",
    "p_first",
    "p_last",
    "p_norm",
    "p_dz",
    "p_dD",
    "p_dbias",
    "p_start",
}
NEEDED = {"carry": {"p_start"}, "trace": {"p_last", "p_norm"}}  # outputs there


@pytest.mark.slow
def test_the_kernels_are_right_under_the_interpreter() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/kernels/interpreted.py"]
    done = subprocess.run(
        command, cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert re.search(r"\b[3-9]\d passed", done.stdout), done.stdout[-500:]


def _compiled(kernel: Any, warps: int = 4, **constants: Any) -> Any:
    """A kernel compiled for an H100."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types, aligned = {}, {}
    for place, name in enumerate(kernel.arg_names):
        if name in constants:
            types[name] = "constexpr"
        elif name.startswith("p_"):
            types[name] = "*u8" if name == "p_mask" else "*bf16" if name in OF_THE_INPUT else "*fp32"
        else:
            types[name] = "i32"
        if name not in constants and (name.startswith("p_") or name in ("E", "N")):
            aligned[(place,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, types, constants, aligned)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})


def _stack_bytes(kernel: Any, tmp_path: Path, warps: int = 4, **constants: Any) -> int:
    """The bytes of registers that a kernel compiled for an H100 spills to memory."""
    import triton

    binary = tmp_path / "kernel.cubin"
    binary.write_bytes(_compiled(kernel, warps, **constants).asm["cubin"])
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    said = subprocess.run([tool, "--dump-resource-usage", binary], capture_output=True, text=True, check=True)
    return int(re.search(r"STACK:(\d+)", said.stdout)[1])  # type: ignore[index]


# Of the shares of exponentials that are not the usual one, the largest program alone: compiling takes seconds.
@pytest.mark.parametrize(
    ("optional", "quarters"),
    [(True, 0), (False, 0), (True, 1), (True, 2)],
    ids=["everything", "bare", "everything-quarter", "everything-half"],
)
@pytest.mark.parametrize("name", ["forward", "summarise", "carry", "trace", "summarise_back", "backward"])
def test_the_kernels_compile_for_an_h100_without_spilling(
    name: str, optional: bool, quarters: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kernels import triton_backward, triton_forward, triton_scan

    if name == "carry" and quarters:
        pytest.skip("it takes no exponentials")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    plan = triton_scan._Plan.of(torch.zeros(32, 512, 3, 256), torch.zeros(3, 256, 64))
    room = {"forward": triton_scan.ROOM_AHEAD, "summarise_back": triton_scan.ROOM_AHEAD}
    tensors = 3 if name in room else 9
    constants: dict[str, Any] = {"M": 3, "BN": plan.BN}
    constants["BE"] = plan.block(room.get(name, triton_scan.ROOM_JOINT), tensors)
    kernel = getattr(triton_backward if "back" in name else triton_forward, name)
    constants |= {"SOFTPLUS": optional, "QUARTERS": quarters} if name != "carry" else {"REVERSE": optional}
    if not optional:
        constants |= dict.fromkeys((OPTIONAL & set(kernel.arg_names)) - NEEDED.get(name, set()))
    assert _stack_bytes(kernel, tmp_path, **constants) == 0


def test_a_delta_that_is_nan_stays_nan_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There, and not under the interpreter, a minimum that is not told to keep NaN gives the other number."""
    from kernels.triton_forward import forward

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    code = _compiled(forward, M=1, BE=16, BN=16, SOFTPLUS=True, QUARTERS=0).asm["ptx"]
    assert set(re.findall(r"\bm(?:in|ax)[.\w]*\.f32", code)) == {"min.NaN.f32"}


def test_the_measure_of_exponentials_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels.floor import BLOCK
    from kernels.triton_forward import exponentials

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    assert _stack_bytes(exponentials, tmp_path, warps=8, BLOCK=BLOCK, ROUNDS=4) == 0


def test_tensors_on_the_cpu_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"the inputs are on cpu: move them to a GPU with .cuda\(\)"):
        coupled_scan(**cast(arguments((1, 1, 1, 1, 1))), backend="triton")


@pytest.mark.parametrize("length", [2**22 - 65, 2**22 - 64, 2**22 - 63, 2**26], ids=lambda n: f"L{n}")
def test_a_long_sequence_is_cut_into_chunks_that_can_be_launched(length: int) -> None:
    from kernels.triton_scan import CHUNK, SPACING, _Plan

    plan = _Plan.of(torch.zeros(1, 1, 1, 1).expand(1, length, 1, 16), torch.zeros(1, 16, 16))
    assert 1 < plan.chunks <= 65_535  # CUDA's most along a grid's third axis
    assert (plan.chunks - 1) * plan.chunk < length <= plan.chunks * plan.chunk
    assert plan.chunk % SPACING == 0  # a chunk begins at a checkpoint
    assert (plan.chunk == CHUNK) == (length <= 65_535 * CHUNK)
