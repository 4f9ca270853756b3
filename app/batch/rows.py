"""A row of the table: what is told of one clip, and how a finished clip is known again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.analysis import MODALITIES, SCHEMA, Analysis
from app.telling.wording import presence_share

KEY = 20  # hexadecimal digits of a key: no two of a billion clips share one


@dataclass(frozen=True)
class Row:
    """One clip. `state` is "done" or "failed"; a failed clip has a `reason` and no numbers.

    Scores are in -3..3; words, voice and face are each alone, None where it was not observed; *_share is the part
    (0..1) of the clip in which it was. `json` and `report` are paths from the table's folder; key as of `key_of`.
    """

    clip: str
    state: str
    reason: str = ""
    seconds: float | None = None
    label: str = ""
    score: float | None = None
    low: float | None = None
    high: float | None = None
    words: float | None = None
    voice: float | None = None
    face: float | None = None
    words_share: float | None = None
    voice_share: float | None = None
    face_share: float | None = None
    warnings: str = ""
    json: str = ""
    report: str = ""
    key: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values by the columns' names."""
        return asdict(self)


def row_of(analysis: Analysis, clip: str, key: str = "", json: str = "", report: str = "") -> Row:
    """The row of an analysed clip."""
    feeling = analysis.sentiment
    between = feeling.interval
    alone = {m: round(a.score, 4) for m, a in feeling.alone.items()}
    shares = {m: round(presence_share(analysis, m), 4) for m in MODALITIES}
    return Row(
        clip=clip,
        state="done",
        seconds=round(analysis.clip.duration, 3),
        label=feeling.clip.label,
        score=round(feeling.clip.score, 4),
        low=round(between.low, 4) if between else None,
        high=round(between.high, 4) if between else None,
        words=alone.get("text"),
        voice=alone.get("audio"),
        face=alone.get("visual"),
        words_share=shares["text"],
        voice_share=shares["audio"],
        face_share=shares["visual"],
        warnings=" ".join(analysis.warnings),
        json=json,
        report=report,
        key=key,
    )


def key_of(clip: str | Path) -> str:
    """What a clip's result is kept under: a hash of its bytes, of all that works on them and of what is set for it.

    So a clip that was renamed is known again, and a result of an earlier version of the program or of its weights, or
    of another language, is never taken for one of this. Raises OSError where the clip cannot be read, InputError where
    a setting cannot be used.
    """
    with Path(clip).open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{content} {version()} {settings()}".encode()).hexdigest()[:KEY]


def settings() -> str:
    """What the environment sets of which an answer is made: limits, language, models in place of the packaged ones."""
    from extractors.face.detect import yunet_content
    from extractors.media.opening import Limits
    from extractors.words.languages import ENGLISH, language_setting
    from extractors.words.other_languages import whisper_content

    language = language_setting()
    models = [yunet_content(), "" if language == ENGLISH else whisper_content()]
    return json.dumps([language, *models, asdict(Limits.from_environment())])


@cache
def version() -> str:
    """A hash of the extractors, of the network's code and weights, and of the schema."""
    from extractors.cache import version_of_extractors

    whole = hashlib.sha256(f"{SCHEMA} {version_of_extractors()}".encode())
    rooms = [Path(__file__).parents[2] / name for name in ("model", "kernels")]
    kinds = {".py", ".json", ".safetensors"}
    for path in sorted(p for room in rooms for p in room.rglob("*") if p.suffix in kinds):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
