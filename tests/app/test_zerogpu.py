"""Where the network runs: what crosses to a borrowed GPU, for how long one is asked, and what happens without."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
import torch

from app import zerogpu
from app.stages import StoppedError
from extractors.records import InputError

ROOT = Path(__file__).parents[2]
STAND_IN = """
asked = []
def GPU(duration=None):
    def lend(task):
        def run(*args):
            asked.append((task.__name__, duration(*args)))
            return task(*args)
        return run
    return lend
"""


@pytest.fixture
def clip() -> tuple[dict[str, Any], dict[str, Any]]:
    from model.inference.loading import load_default

    rng = np.random.default_rng(0)
    widths = load_default().config.features
    values = {m: rng.normal(size=(12, width)).astype(np.float32) for m, width in widths.items()}
    return values, {m: np.ones(12, np.float32) for m in widths}


def _ask(sender: Any, given: bytes) -> None:
    sender.send_bytes(pickle.dumps(zerogpu.on_borrowed(*pickle.loads(given))))


def test_what_crosses_can_be_pickled_and_comes_back_the_same_from_another_process(clip: Any) -> None:
    here, _ = zerogpu.predict_clip(*clip)
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    other = multiprocessing.get_context("spawn").Process(target=_ask, args=(sender, pickle.dumps(clip)))
    other.start()
    there, dynamics = pickle.loads(receiver.recv_bytes())
    other.join(10)
    np.testing.assert_allclose(there.ticks, here.ticks, atol=1e-5)
    assert all(isinstance(line, np.ndarray) for line in dynamics.state_norm.values())


def test_a_gpu_is_asked_for_by_the_clips_length() -> None:
    def asked(ticks: int) -> int:
        return zerogpu.seconds_asked({}, {"text": np.zeros(ticks), "audio": np.zeros(ticks)})

    assert asked(5) == zerogpu.FIRST + 1
    assert asked(5) < asked(5 * 60 * 10) < asked(5 * 60 * 30) <= zerogpu.MOST == asked(10**6)


def test_elsewhere_nothing_is_wrapped_and_the_package_is_not_even_looked_for() -> None:
    def function() -> None:
        pass

    assert zerogpu.borrow(lambda: 1)(function) is function
    assert "spaces" not in sys.modules


@pytest.mark.parametrize(("installed", "wanted"), [(True, "[('on_borrowed', 16)]"), (False, "missing")])
def test_on_zerogpu_the_network_alone_is_wrapped_before_the_page_is_launched(
    installed: bool, wanted: str, tmp_path: Path
) -> None:
    if installed:
        (tmp_path / "spaces.py").write_text(STAND_IN)
    code = f"""
import sys, numpy as np
sys.path.insert(0, {str(tmp_path)!r})
import app.page
assert 'torch' not in sys.modules or {installed}
from app import zerogpu
from model.inference.loading import load_default
widths = load_default().config.features
given = {{m: np.ones((9, w), np.float32) for m, w in widths.items()}}, {{m: np.ones(9, np.float32) for m in widths}}
zerogpu.WORTH = 10
zerogpu.predict_clip(*given)  # too short: no GPU is asked for
zerogpu.WORTH = 9
print(zerogpu.predict_clip(*given)[0].clip)
import spaces
print(spaces.asked)
"""
    environment = {"SPACES_ZERO_GPU": "true", "PATH": "", "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert wanted in (done.stdout if installed else done.stderr), done.stderr


@pytest.mark.parametrize(
    "why",
    [
        gr.Error("quota exceeded"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("Unexpected end of stream of a-secret"),
        httpx.ConnectError("a-secret is not there"),
    ],
)
def test_without_a_gpu_after_all_the_cpu_answers(
    clip: Any, why: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise why

    here, _ = zerogpu.predict_clip(*clip)
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    monkeypatch.setattr(zerogpu, "WORTH", 12)
    monkeypatch.setattr(zerogpu, "on_borrowed", refuse)
    assert zerogpu.predict_clip(*clip)[0].clip == here.clip
    assert type(why).__name__ in caplog.text
    assert "secret" not in caplog.text
    monkeypatch.setattr(zerogpu, "on_borrowed", pytest.fail)
    with zerogpu.at_home():
        assert zerogpu.predict_clip(*clip)[0].clip == here.clip


def test_who_left_while_a_gpu_was_waited_for_is_not_answered(
    clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(*_: Any) -> None:
        raise RuntimeError("Connection closed by visitor while queueing")

    def stop(_: float) -> None:
        raise StoppedError("ended by 'leave'")

    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    monkeypatch.setattr(zerogpu, "WORTH", 12)
    monkeypatch.setattr(zerogpu, "on_borrowed", hang_up)
    monkeypatch.setattr("model.inference.prediction.predict", lambda *_: pytest.fail("the CPU began"))
    with pytest.raises(StoppedError):
        zerogpu.predict_clip(*clip, stop)


def test_the_device_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(zerogpu.SETTING, raising=False)
    assert zerogpu.chosen_device() == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setenv(zerogpu.SETTING, "cuda:1")
    assert zerogpu.chosen_device() == "cuda:1"
    monkeypatch.setenv(zerogpu.SETTING, "gpu")
    with pytest.raises(InputError, match="COUPLED_MAMBA_DEVICE is 'gpu': cpu, cuda or cuda:1"):
        zerogpu.chosen_device()


def test_a_device_that_the_machine_does_not_have_is_told_as_a_setting(
    clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(zerogpu.SETTING, "cuda:7")
    with pytest.raises(
        InputError, match="COUPLED_MAMBA_DEVICE is 'cuda:7', which this machine does not have"
    ):
        zerogpu.predict_clip(*clip)


@pytest.mark.gpu
def test_a_gpu_gives_the_cpus_answer(clip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found, dynamics = zerogpu.predict_clip(*clip)
    monkeypatch.setenv(zerogpu.SETTING, "cpu")
    here, wanted = zerogpu.predict_clip(*clip)
    np.testing.assert_allclose(found.ticks, here.ticks, atol=1e-3)
    np.testing.assert_allclose(dynamics.state_norm["text"], wanted.state_norm["text"], rtol=1e-2)
