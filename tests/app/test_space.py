"""As a Space runs it: a fresh environment from requirements.txt alone, the files that git tracks, two cores, 16 GB.

Minutes of installing, so only where asked for: `make space-check`, which sets SPACE_CHECK. It needs a package index.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file

from app.analysis import Analysis
from tests.clips import make_clip

ROOT = Path(__file__).parents[2]
SPACE = "someone/coupled-mamba"
CORES, MEMORY = 2, 16 * 2**30
PATIENCE = 300

pytestmark = [
    pytest.mark.space,
    pytest.mark.skipif(not os.environ.get("SPACE_CHECK"), reason="takes minutes: run make space-check"),
]


def _header() -> dict[str, str]:
    head = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    return dict(re.findall(r'^(\w+): "?([^"\n]+)"?$', head, re.M))


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing in it but what git tracks."""
    folder = tmp_path_factory.mktemp("space")
    subprocess.run(["git", "archive", "-o", str(folder / "all.tar"), "HEAD"], cwd=ROOT, check=True)
    with tarfile.open(folder / "all.tar") as archive:
        archive.extractall(folder / "app", filter="data")
    return folder / "app"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, space: Path) -> Path:
    """A fresh environment as a Space builds it: wheels alone, and beside the requirements what a Space adds.

    torch comes first, and exactly, as in the Makefile: a CPU build under that version is then kept.
    """
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    found = folder / "bin" / "python"
    pip = [str(found), "-m", "pip", "install", "--quiet", "--no-cache-dir", "--only-binary", ":all:"]
    torch = re.search(r"^torch==.*$", (space / "constraints.txt").read_text(encoding="utf-8"), re.M)
    assert torch
    own = [f"gradio[oauth,mcp]=={_header()['sdk_version']}", "uvicorn>=0.14.0", "spaces"]
    subprocess.run([*pip, torch[0]], check=True, cwd=space)
    subprocess.run([*pip, "-r", "requirements.txt", *own], check=True, cwd=space)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, space: Path, python: Path) -> Iterator[tuple[str, int]]:
    """(address, process id) of `python app.py` with a Space's environment and cores, and an empty home."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "SYSTEM": "spaces",
        "SPACE_ID": SPACE,
        "SPACE_AUTHOR_NAME": SPACE.split("/")[0],
        "SPACE_REPO_NAME": SPACE.split("/")[1],
        "SPACE_HOST": "someone-coupled-mamba.hf.space",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ALLOW_FLAGGING": "never",
        "GRADIO_THEME": "huggingface",
        "GRADIO_NUM_PORTS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    # The limit is on what the process writes to (RLIMIT_DATA): 1.65 GB where 1.54 were resident. RLIMIT_AS would also
    # count addresses that are only set aside and libraries' files, 3.6 GB; a control group needs rights that few have.
    few = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:CORES]))]
    few += ["prlimit", f"--data={MEMORY}"]
    log = home / "log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            [*few, str(python), "app.py"], cwd=space, env=environment, stdout=out, stderr=out
        )
        try:
            yield _wait(f"http://127.0.0.1:{port}/", running, log), running.pid
        finally:
            running.terminate()
            running.wait(30)


def _wait(url: str, running: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(10 * PATIENCE):
        assert running.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return url
    pytest.fail(f"no answer in {PATIENCE} s: {log.read_text()}")


def test_the_versions_of_the_header_are_those_installed(python: Path) -> None:
    code = "import sys, gradio; print('%d.%d' % sys.version_info[:2], gradio.__version__)"
    told = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert told == [_header()["python_version"], _header()["sdk_version"]]


def test_a_request_is_answered_within_a_free_spaces_memory(
    server: tuple[str, int], tmp_path: Path, record_property: Any
) -> None:
    address, process = server
    page = Client(address, verbose=False, download_files=tmp_path / "got")
    clip = make_clip(tmp_path / "clip.mp4", 4.0)
    begin = time.perf_counter()
    analysis = Analysis.from_dict(page.predict(clip=handle_file(clip), api_name="/analyze"))
    first = time.perf_counter() - begin
    assert analysis.clip.duration == pytest.approx(4.0, abs=0.2)
    assert set(analysis.sentiment.alone) == {"text", "audio", "visual"}
    report = Path(page.predict(clip=handle_file(clip), kind="html", api_name="/save"))
    assert "<html" in report.read_text(encoding="utf-8")
    limits = Path(f"/proc/{process}/limits").read_text(encoding="utf-8")
    assert re.search(r"Max data size +(\d+)", limits)[1] == str(MEMORY)  # type: ignore[index]
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    peak = 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]
    assert peak < MEMORY
    told = {"peak_bytes": peak, "first_answer_seconds": round(first, 1), "cores": CORES}
    record_property("space", told)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "space.json").write_text(json.dumps(told), encoding="utf-8")
