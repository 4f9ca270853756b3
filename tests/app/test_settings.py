"""README's table of settings and its header: what the code reads stands in it, and what stands in it is read."""

from __future__ import annotations

import importlib.metadata
import os
import re
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.page import launch
from app.server.turns import answers_of_server, turns_of_server
from app.settings import server_name
from extractors.media.reading import Limits
from extractors.records import InputError

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"COUPLED_MAMBA_[A-Z_]*[A-Z]")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def in_table() -> set[str]:
    section = README.split("## Settings")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in VARIABLE.findall(row)}


def in_code() -> set[str]:
    rooms = [
        ROOT / "app.py",
        *(p for room in ("app", "extractors", "model", "kernels") for p in (ROOT / room).rglob("*.py")),
    ]
    found = {name for path in rooms for name in VARIABLE.findall(path.read_text(encoding="utf-8"))}
    return (found - {"COUPLED_MAMBA_MAX"}) | {f"COUPLED_MAMBA_{f.name.upper()}" for f in fields(Limits)}


def test_every_setting_that_is_read_stands_in_the_table_and_the_other_way_round() -> None:
    assert in_table() == in_code()


@pytest.mark.parametrize(
    "name",
    [
        "COUPLED_MAMBA_AT_ONCE",
        "COUPLED_MAMBA_WAITING",
        "COUPLED_MAMBA_KEPT_BYTES",
        "COUPLED_MAMBA_CACHE_BYTES",
        "COUPLED_MAMBA_MEMORY",
        "COUPLED_MAMBA_MAX_SECONDS",
        "GRADIO_SERVER_PORT",
    ],
)
def test_a_setting_that_cannot_be_used_is_told_before_the_page_is_up(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in (turns_of_server, answers_of_server):
        line.cache_clear()
    monkeypatch.setenv(name, "many")
    page: Any = SimpleNamespace(launch=lambda **_: pytest.fail("it was served"))
    with pytest.raises(InputError, match=f"{name} is 'many': a "):
        launch(page)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GRADIO_SERVER_PORT", "70000", "is '70000': a whole number from 1 to 65535 is needed"),
        ("GRADIO_SERVER_PORT", "0", "is '0': a whole number from 1 to 65535 is needed"),
        ("GRADIO_SERVER_NAME", "no-such-host.invalid", "is 'no-such-host.invalid': no name or IPv4 address"),
        ("GRADIO_SERVER_NAME", "::1", "is '::1': no name .* Set it to 127.0.0.1 .* or to 0.0.0.0"),
        ("GRADIO_SERVER_NAME", "192.0.2.1", "is '192.0.2.1': no name"),  # another machine's
        ("GRADIO_SERVER_NAME", "a" * 300, "is 'aaa"),
    ],
)
def test_where_nothing_can_be_served_is_told_by_its_setting(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    page: Any = SimpleNamespace(launch=lambda **_: pytest.fail("it was served"))
    with pytest.raises(InputError, match=f"^{name} {told}"):
        launch(page)


@pytest.mark.parametrize(
    ("value", "served"), [("", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("localhost", "localhost")]
)
def test_where_the_page_is_served(value: str, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", value)
    assert server_name() == served


def test_a_port_that_is_taken_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADIO_SERVER_PORT", raising=False)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with gr.Blocks() as page:
            pass
        with pytest.raises(
            InputError, match=rf"^Port {port} is taken, .* or set GRADIO_SERVER_PORT to another"
        ):
            launch(page, server_port=port)


def test_whoever_starts_the_page_is_told_in_one_line(tmp_path: Path) -> None:
    environment = os.environ | {"COUPLED_MAMBA_CACHE": str(tmp_path), "COUPLED_MAMBA_WAITING": "many"}
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("coupled-mamba: COUPLED_MAMBA_WAITING is 'many'")
    assert "Traceback" not in done.stderr


def header() -> dict[str, str]:
    return dict(re.findall(r'^(\w+): "?([^"\n]+)"?$', README.split("---")[1], re.M))


def test_the_header_says_what_a_space_needs() -> None:
    told = header()
    assert told["sdk"] == "gradio"
    assert told["sdk_version"] == importlib.metadata.version("gradio")
    assert told["python_version"] in ("3.11", "3.12")
    assert (ROOT / told["app_file"]).is_file()
    assert len(told["short_description"]) <= 60  # the hub refuses a longer one
    assert told["suggested_hardware"] == "cpu-basic"
    assert told["license"] == "other"  # the code is under Apache-2.0, the weights that it serves are not
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {told["colorFrom"], told["colorTo"]} <= colours


def test_what_the_image_takes_is_what_git_tracks_of_what_runs() -> None:
    named = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    taken = [line[1:] for line in named if line.startswith("!")]
    assert "*" in named
    assert all((ROOT / name).exists() for name in taken)
    tracked = subprocess.run(
        ["git", "ls-files", *taken], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    assert {name.split("/")[0] for name in tracked.stdout.split()} == set(taken)
