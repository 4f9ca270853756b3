"""The pinned versions have no fault that PyPI's advisories know; skipped with the reason where nobody can be asked."""

from __future__ import annotations

import json
import subprocess
import urllib.request
import venv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
AUDIT = ROOT / ".audit" / "bin" / "pip-audit"
"""Apart from .venv, as `make audit` has it: what pip-audit needs is no part of the project."""
KNOWN = "https://pypi.org/pypi/requests/2.19.0/json"  # a release with published faults
PATIENCE = 3  # seconds for the service's first answer: without a network the tests are not to wait


def why_not(address: str = KNOWN) -> str:
    """Why the advisories cannot be asked; empty where they can. A mirror that answers without them is no service."""
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            known = json.load(answer).get("vulnerabilities")
    except (OSError, ValueError) as error:
        return f"the advisory service cannot be reached: {error}"
    return "" if known else "the package index answers without advisories"


def install() -> str:
    """pip-audit in a place of its own; why that cannot be, or nothing."""
    if AUDIT.exists():
        return ""
    try:
        venv.create(AUDIT.parents[1], with_pip=True)
        pip = [AUDIT.with_name("python"), "-m", "pip", "install", "--quiet", "--timeout", "10", "pip-audit"]
        subprocess.run(pip, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        return f"pip-audit cannot be installed: {error}"
    return ""


def faults(report: dict[str, Any]) -> list[str]:
    """What pip-audit's report has against each version."""
    return [
        f"{found['name']} {found['version']}: {', '.join(v['id'] for v in found['vulns'])}"
        for found in report["dependencies"]
        if found.get("vulns")
    ]


def test_no_pinned_version_has_a_known_fault() -> None:
    if reason := why_not() or install():
        pytest.skip(reason)
    command = [AUDIT, "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(
        [*command, "-r", ROOT / "constraints.txt"], capture_output=True, text=True, timeout=600, check=False
    )
    if not done.stdout:
        pytest.skip(f"pip-audit gave no report: {done.stderr.strip()[-300:]}")
    report = json.loads(done.stdout)
    assert not faults(report)
    if unknown := [found["name"] for found in report["dependencies"] if "skip_reason" in found]:
        pytest.skip(f"the service does not know all pinned versions: {', '.join(unknown)}")


def test_a_fault_in_a_report_is_found() -> None:
    vulnerable = {"name": "certifi", "version": "2018.1.18", "vulns": [{"id": "PYSEC-2022-42986"}]}
    sound = {"name": "torch", "version": "2.13.0", "vulns": []}
    skipped = {"name": "ours", "skip_reason": "not on PyPI"}
    assert faults({"dependencies": [sound, skipped]}) == []
    assert faults({"dependencies": [sound, vulnerable]}) == ["certifi 2018.1.18: PYSEC-2022-42986"]


def test_without_a_service_the_reason_is_told_at_once(tmp_path: Path) -> None:
    assert "cannot be reached" in why_not("http://127.0.0.1:9/")
    (tmp_path / "json").write_text('{"info": {}}')
    assert "without advisories" in why_not((tmp_path / "json").as_uri())
    (tmp_path / "json").write_text('{"vulnerabilities": [{"id": "x"}]}')
    assert why_not((tmp_path / "json").as_uri()) == ""
    (tmp_path / "json").write_text("<html>")
    assert "cannot be reached" in why_not((tmp_path / "json").as_uri())
