"""Without a network, without any optional package, killed in the middle: a fresh process still gives the answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from extractors.cache import Cache
from tests.clips import make_clip

ROOT = Path(__file__).parents[2]
OPTIONAL = (
    "faster_whisper", "ray", "mcp", "mamba_ssm", "causal_conv1d", "spaces", "triton", "tensorboard", "hf_xet",
)  # fmt: skip
ALONE = f"""
import socket, sys
for name in {OPTIONAL!r}:
    sys.modules[name] = None
HERE = ("127.0.0.1", "::1", "localhost", "0.0.0.0", None)

def guarded(real):
    def connect(self, address):
        if isinstance(address, tuple) and address[0] not in HERE:
            print("ASKED", address, flush=True)
            raise OSError("there is no network")
        return real(self, address)
    return connect

def resolve(host, *rest, real=socket.getaddrinfo, **more):
    if host not in HERE:
        print("ASKED", host, flush=True)
        raise socket.gaierror("there is no network")
    return real(host, *rest, **more)

socket.socket.connect = guarded(socket.socket.connect)
socket.socket.connect_ex = guarded(socket.socket.connect_ex)
socket.getaddrinfo = resolve
"""
ANALYSE = """
import sys
from pathlib import Path
from app.analyze import analyze
from extractors.cache import Cache
found = analyze(sys.argv[1], cache=Cache(Path(sys.argv[2])))
print("SCORE", repr(found.sentiment.clip.score), sorted(found.sentiment.alone))
"""
PAGE = """
from app.api import can_serve_tools
from app.batch import run_batch
from app.page import build_page
from extractors.records import InputError
build_page()
assert not can_serve_tools()
try:
    run_batch(Path(sys.argv[1]).parent, sys.argv[2], ray="local")
except InputError as error:
    print("TOLD", error)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """The code in a fresh process, with nothing set that keeps the hub's library from the network."""
    env = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=env | {"OMP_NUM_THREADS": "1", "COUPLED_MAMBA_CACHE": arguments[1]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_no_network_no_extras_and_a_process_killed_in_the_middle(tmp_path: Path) -> None:
    """What the killed process left is whole, and another goes on from it to the score of one that was left alone."""
    (tmp_path / "clips").mkdir()
    clip = str(make_clip(tmp_path / "clips" / "clip.mp4", 2.0))
    whole = start(ALONE + ANALYSE + PAGE, clip, str(tmp_path / "one"))
    told, _ = whole.communicate(timeout=900)
    assert whole.returncode == 0, told
    assert "ASKED" not in told
    assert "['audio', 'text', 'visual']" in told
    assert "TOLD Ray is not installed" in told
    kept = tmp_path / "two"
    killed = start(ANALYSE, clip, str(kept))
    while killed.poll() is None and len(list(kept.glob("*.npz"))) < 2:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    entries = list(kept.glob("*.npz"))
    assert all(Cache(kept).get(path.stem) is not None for path in entries)
    (kept / ".aside-half").write_bytes(entries[0].read_bytes()[:100])
    said, _ = start(ANALYSE, clip, str(kept)).communicate(timeout=900)
    assert next(line for line in said.splitlines() if line.startswith("SCORE")) in told


def test_onnxruntime_reports_nothing_to_its_makers(tmp_path: Path) -> None:
    """It does so from its compiled code, which no guard of sockets in Python sees, and keeps its reports on disk."""
    told = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | told
    code = "import extractors, onnxruntime; print(onnxruntime.__name__)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert run.stdout.decode().strip() == "onnxruntime"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
