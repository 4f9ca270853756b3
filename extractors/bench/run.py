"""What `extractors.bench` hands from stage to stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from extractors.cache import Cache
from extractors.records import MediaInfo, Sound, Span, Track, Transcript


@dataclass
class Run:
    """What the stages have made so far, for those that follow."""

    clip: Path
    info: MediaInfo | None = None
    sound: Sound | None = None
    speech: tuple[Span, ...] = ()
    transcript: Transcript = field(default_factory=Transcript)
    tracks: dict[str, Track] = field(default_factory=dict)
    folder: Path = Path()
    corrections: int = 0

    @property
    def cache(self) -> Cache:
        """One of the run's own."""
        return Cache(self.folder / "cache")

    @property
    def duration(self) -> float:
        """The clip's seconds."""
        return self.info.duration if self.info else 0.0


Step = Callable[[Run], str]  # does its part and says what it found
