"""From a clip to timestamped tracks of words, voice and face, and from those to one common grid.

Names are loaded when first used (PEP 562), so `import extractors` costs next to nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from extractors.records import (
    MODALITIES,
    Frame,
    Glance,
    Grid,
    InputError,
    MediaInfo,
    Sound,
    Span,
    Track,
    Transcript,
    Word,
)

# onnxruntime, once imported, reports its use to its makers and keeps an identifier of the machine, unless it is told
# not to; here, before any of this package's modules imports it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Limits": "media.opening",
    "probe": "media.reading",
    "read_frames": "media.reading",
    "read_looks": "media.reading",
    "read_sound": "media.reading",
    "find_speech": "voice.vad",
    "recognise": "words.recognition",
    "read_transcript": "words.subtitles",
    "read_embedded": "words.embedded",
    "align_words": "words.align",
    "embed_words": "words.embeddings",
    "embed_sentences": "words.embeddings",
    "describe_voice": "voice.features",
    "voice_features": "voice.features",
    "FaceTrack": "face.features",
    "describe_faces": "face.features",
    "describe_track": "face.features",
    "find_faces": "face.features",
    "face_features": "face.features",
    "ExpressionNet": "face.expression",
    "load_expression": "face.expression",
    "to_grid": "grid",
    "spread": "grid",
    "Cache": "cache",
    "ClipReader": "clip",
    "read_tracks": "tracks",
}

__all__ = [
    "MODALITIES",
    "Cache",
    "ClipReader",
    "ExpressionNet",
    "FaceTrack",
    "Frame",
    "Glance",
    "Grid",
    "InputError",
    "Limits",
    "MediaInfo",
    "Sound",
    "Span",
    "Track",
    "Transcript",
    "Word",
    "align_words",
    "describe_faces",
    "describe_track",
    "describe_voice",
    "embed_sentences",
    "embed_words",
    "face_features",
    "find_faces",
    "find_speech",
    "load_expression",
    "probe",
    "read_embedded",
    "read_frames",
    "read_looks",
    "read_sound",
    "read_tracks",
    "read_transcript",
    "recognise",
    "spread",
    "to_grid",
    "voice_features",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'extractors' has no attribute {name!r}")
    value = getattr(import_module(f"extractors.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
