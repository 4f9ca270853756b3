"""A container's packets in the file's order: no more of them than a clip can need, and two recordings joined as one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av
from av.container import InputContainer

from extractors.media.opening import clip_start
from extractors.media.tally import Tally

# Packets that a stream may have, at least and for each second that it has reached: TrueHD has the most, 1,200. Without
# a limit a small file of tiny packets takes minutes.
MOST_PACKETS, MOST_A_SECOND = 2_000, 1_300
# Containers of which files are joined by writing one after the other; the times of each begin anew.
JOINED = {"mpeg", "mpegts"}
BACK = 1.0  # seconds by which a stream falls back where another recording begins


def packets(container: InputContainer, *streams: Any, tally: Tally | None = None) -> Iterator[Any]:
    """The streams' packets (all streams' by default) until the file ends, breaks off, or has too many of them.

    Where another recording was joined to the first, its packets are given times that follow. That there are too many
    packets for their time is noted in `tally`.
    """
    start, wanted = clip_start(container), {stream.index for stream in streams}
    # Where recordings are joined is seen in all streams alike, so that sound and pictures stay together.
    looked_at = [] if container.format.name in JOINED else list(streams)
    count: Counter[int] = Counter()
    joints = _Joints()
    # By default zero: not every container names all its streams at its head.
    reached: defaultdict[int, float] = defaultdict(float)
    try:
        for packet in container.demux(*looked_at):
            index = packet.stream.index
            if container.format.name in JOINED:
                joints.place(packet)
            if wanted and index not in wanted:
                continue
            time = packet.pts if packet.pts is not None else packet.dts
            if time is not None:
                reached[index] = max(reached[index], float(time * packet.time_base) - start)
            count[index] += 1
            if count[index] > MOST_PACKETS + MOST_A_SECOND * reached[index]:
                if tally is not None:
                    tally.stopped = True
                return
            yield packet
    except (av.FFmpegError, OSError):
        return  # cut short: what was read stands


@dataclass
class _Joints:
    """Where recordings were joined, and by how many seconds each is moved; as ffmpeg's own tool does it.

    A stream is in the next recording once it falls back itself: the last sound of one may come after the first picture
    of another.
    """

    offsets: list[float] = field(default_factory=lambda: [0.0])
    _ends: dict[int, float] = field(default_factory=dict)
    _part: dict[int, int] = field(default_factory=dict)

    def place(self, packet: Any) -> None:
        """Move the packet's times to where its recording is in the whole."""
        if packet.dts is None or not packet.size:
            return
        index, base = packet.stream.index, packet.time_base
        time = float(packet.dts * base)
        part = self._part.setdefault(index, len(self.offsets) - 1)
        if index in self._ends and time + self.offsets[part] < self._ends[index] - BACK:
            self._part[index] = part = part + 1
            if part == len(self.offsets):
                self.offsets.append(max(self._ends.values()) - time)
        time += self.offsets[part]
        self._ends[index] = max(self._ends.get(index, time), time + float((packet.duration or 0) * base))
        moved = round(self.offsets[part] / base)
        packet.dts += moved
        packet.pts = None if packet.pts is None else packet.pts + moved
