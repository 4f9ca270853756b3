"""What the speech recogniser's own encoder makes of a voice, as a fixed description that learns nothing here.

The recogniser has heard far more voices than any corpus of acted emotion holds. Of its encoder (Moonshine tiny,
Jeffries et al. 2024, arXiv:2410.15608; the English model, MIT, inside the wheel of moonshine-voice) the lower layers
are read: they still hold how a thing was said, of which the last ones keep little. Entry: samples at 16 kHz, speech
at a common level. Exit: frames of 24 ms, each with the 288 numbers of every layer in `LAYERS`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.records import FloatArray

RATE = 16_000
# The convolutions' output, then the residual stream after the first three of six blocks.
LAYERS = ("/Transpose_output_0", *(f"/layers.{i}/Add_1_output_0" for i in range(3)))
WIDTH = 288
FRAME = 384  # samples from one frame to the next
FIRST = 447  # the sample that frame 0 is centred on
LEAST = 1024  # samples that the convolutions need
_LOADING = threading.Lock()


def listen(samples: FloatArray) -> FloatArray:
    """Frames [T, layers, 288] of samples [n], of which all are heard together; T = 0 where n < 1024.

    Frame i is centred on sample 384 i + 447. Cost grows with the square of the length: give it a few seconds.
    """
    if len(samples) < LEAST:
        return np.zeros((0, len(LAYERS), WIDTH), np.float32)
    heard = np.asarray(samples, np.float32)[None]
    with _LOADING:
        session = _session()
    found = session.run(
        list(LAYERS), {"input_values": heard, "attention_mask": np.ones(heard.shape, np.int64)}
    )
    return np.stack([layer[0] for layer in found], axis=1)


def pool(
    frames: FloatArray, spoken: NDArray[np.bool_], first: int, hops: int, hop: int
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation [hops, layers, 288] of the frames whose centre lies in each hop.

    frames [T, layers, 288] begin at sample `first` (negative: inside the hops' sound before them) of the first hop;
    a hop lasts `hop` samples. spoken [hops * hop / 160] says which 10 ms are speech: a hop that has some is
    described by them alone; a hop without a frame repeats the one before it.
    """
    centre = first + FIRST + FRAME * np.arange(len(frames))
    mean = np.zeros((hops, *frames.shape[1:]), np.float32)
    deviation = np.zeros_like(mean)
    for k in range(hops):
        inside = np.flatnonzero((centre >= k * hop) & (centre < (k + 1) * hop))
        if len(inside) == 0:
            if k:
                mean[k], deviation[k] = mean[k - 1], deviation[k - 1]
            continue
        said = inside[spoken[np.minimum(centre[inside] // 160, len(spoken) - 1)]]
        kept = frames[said if len(said) else inside]
        mean[k], deviation[k] = kept.mean(axis=0), kept.std(axis=0)
    return mean, deviation


@cache
def model_file() -> Path:
    """The encoder's file in the recogniser's wheel.

    Raises FileNotFoundError where the installed moonshine-voice carries none.
    """
    spec = importlib.util.find_spec("moonshine_voice")
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0] if folders else ".") / "assets" / "tiny-en" / "encoder_model.ort"
    if not path.is_file():
        raise FileNotFoundError(f"no speech encoder at {path}: pip install moonshine-voice==0.0.73")
    return path


@cache
def fingerprint() -> str:
    """sha256 of the encoder's file: what is trained on one encoder means nothing on another."""
    return hashlib.sha256(model_file().read_bytes()).hexdigest()


@cache
def _session() -> Any:
    """The encoder with its inner layers as outputs, on one thread."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        options = _options(onnxruntime)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(path)
        # The wheel's format cannot be given more outputs; loading it writes the same graph as ONNX, which can.
        onnxruntime.InferenceSession(str(model_file()), options, providers=["CPUExecutionProvider"])
        model = path.read_bytes()
    return onnxruntime.InferenceSession(
        model + _outputs(LAYERS), _options(onnxruntime), providers=["CPUExecutionProvider"]
    )


def _options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Else it warns that the written graph suits this machine, which is its use.
    options.log_severity_level = 3
    return options


def _outputs(names: tuple[str, ...]) -> bytes:
    """What appended to an ONNX model makes these values outputs.

    In protobuf two messages one after the other are one message with the repeated fields joined: ModelProto.graph is
    field 7, GraphProto.output field 12, ValueInfoProto.name field 1 (onnx.proto3).
    """
    return _field(7, b"".join(_field(12, _field(1, name.encode())) for name in names))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
