"""How much of a stream was read, and the sentence that says what it lacks."""

from __future__ import annotations

from dataclasses import dataclass, field

WHOLE = 0.97  # a stream decoded to this share counts as whole: headers round their durations
HOLES = {"audio": 0.5, "video": 2.0}  # seconds without a packet that are told; slow pictures are none
USUAL_GAPS = 5.0  # times the usual time between two pictures that a hole lasts at least


@dataclass
class Tally:
    """How much of a stream was read: packets that decoded, packets that did not, the end of the last, seconds.

    `gaps` are the seconds between packets, and after the last, that the file skips. In a file without an index, nothing
    else tells that a part of it was overwritten. `stopped`: there is more of it, which is not read.
    """

    good: int = 0
    bad: int = 0
    end: float = 0.0
    begin: float = 0.0
    gaps: list[float] = field(default_factory=list)
    stopped: bool = False
    slow: bool = False  # a stream whose packets may come seldom

    def take_time(self, kind: str, start: float, duration: float) -> None:
        """Note that a packet lasts `duration` seconds from `start` on, in a stream of "audio" or "video"."""
        self.slow = kind == "video"
        if self.end > 0 and start - self.end > HOLES[kind]:
            self.gaps.append(start - self.end)
        self.begin = start if self.end <= 0 else self.begin
        self.end = max(self.end, start + duration)

    def take_frames(self, whole: bool) -> None:
        """Note that a packet's frames are as they should be, or not."""
        self.good += whole
        self.bad += not whole

    def spoil(self, count: int = 1) -> None:
        """Note that so many of what counted as good came to nothing."""
        self.good = max(0, self.good - count)
        self.bad += count

    @property
    def missing(self) -> float:
        """Seconds that the file skips; a slide every four seconds skips none, though a camera's picture would."""
        usual = self.slow * (self.end - self.begin) / max(self.good + self.bad, 1)
        return sum(gap for gap in self.gaps if gap > USUAL_GAPS * usual)

    def warning(self, what: str, promised: int, duration: float) -> str | None:
        """A sentence with the share decoded, or None where all was.

        `promised` is the packet count the header gives (0 where it gives none) and `duration` the clip's,
        seconds.
        """
        if self.stopped:
            return f"The file is damaged: reading its {what} ended at {self.end:.1f} s."
        expected = max(promised, self.good + self.bad)
        if not promised and duration > 0 and self.end < WHOLE * duration - 1:
            expected = max(expected, round((self.good + self.bad) * duration / max(self.end, 0.04)))
        if expected == 0 or self.good >= WHOLE * expected:
            return f"The file holds no {what} for {self.missing:.1f} s of its time." if self.missing else None
        unit = "frames" if what == "pictures" else "packets of sound"
        share = round(100 * self.good / expected)
        return f"The file is damaged or cut short: decoded {self.good:,} of {expected:,} {unit}, {share} %."
