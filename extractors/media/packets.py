"""A container's packets in the file's order: no more of them than a clip can need, and two recordings joined as one."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import av
from av.container import InputContainer

from extractors.media.opening import clip_start
from extractors.media.tally import Tally

# Packets that a stream may have, at least and for each second that it has reached: TrueHD has the most, 1,200. Without
# a limit a small file of tiny packets takes minutes.
MOST_PACKETS, MOST_A_SECOND = 2_000, 1_300
# Containers of which files are joined by writing one after the other; the times of each begin anew. (ogg: "chained".)
JOINED = {"mpeg", "mpegts", "ogg"}
BACK = 1.0  # seconds by which a stream falls back where another recording begins
# Packets that are kept back until others tell which recording they are of: ten seconds of sound, as much as ffmpeg
# leaves streams apart.
MOST_HELD = 500


def packets(container: InputContainer, *streams: Any, tally: Tally | None = None) -> Iterator[Any]:
    """The streams' packets (all streams' by default) until the file ends, breaks off, or has too many of them.

    Where another recording was joined to the first, its packets are given times that follow. That there are too many
    packets for their time is noted in `tally`.
    """
    start, wanted = clip_start(container), {stream.index for stream in streams}
    count: Counter[int] = Counter()
    # By default zero: not every container names all its streams at its head.
    reached: defaultdict[int, float] = defaultdict(float)
    # Where recordings are joined is seen in all streams alike, so that sound and pictures stay together.
    joined = container.format.name in JOINED
    for packet in _placed(container) if joined else _demuxed(container, streams):
        index = packet.stream.index
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


def appears_midway(container: InputContainer, kind: Literal["video", "audio"]) -> bool:
    """Whether a stream of the kind that was not there at the opening was met on reading.

    So it is where only a later one of joined recordings has sound. PyAV lists the streams at the opening and gives
    nothing of others. False too where ffmpeg knows too little of the stream (AAC in a transport stream).
    """
    try:
        container.streams.best(kind)
    except IndexError:
        return True
    return False


def _demuxed(container: InputContainer, streams: Sequence[Any]) -> Iterator[Any]:
    """The streams' packets, or all, until the file ends or breaks off: what was read stands."""
    with contextlib.suppress(
        av.FFmpegError,
        OSError,
        IndexError,  # at the end PyAV asks for every stream, and has not listed one that appeared midway
    ):
        yield from container.demux(*streams)


def _placed(container: InputContainer) -> Iterator[Any]:
    """All packets of recordings that may be joined, at their times in the whole."""
    joints, held, latest = _Joints(), list[Any](), 0.0
    for packet in _demuxed(container, ()):
        if joints.is_early(packet) and len(held) < MOST_HELD:
            latest = latest if held else joints.end + BACK
            held.append(packet)
            continue
        if begins := bool(held) and joints.leaves(packet):
            joints.begin(held[0])
        if begins or joints.end > latest or packet.stream.index in {one.stream.index for one in held}:
            yield from map(joints.place, held)
            held.clear()
        yield joints.place(packet)
    yield from map(joints.place, held)


@dataclass
class _Joints:
    """Where recordings were joined, and by how many seconds each is moved; as ffmpeg's own tool does it.

    A stream is in the next recording once it falls back itself: the last sound of one may come after the first picture
    of another.
    """

    offsets: list[float] = field(default_factory=lambda: [0.0])
    _ends: dict[int, float] = field(default_factory=dict)
    _part: dict[int, int] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """The seconds that any stream has reached."""
        return max(self._ends.values(), default=0.0)

    def is_early(self, packet: Any) -> bool:
        """Whether a stream that is not in the newest recording yet has a packet long before what was read of that.

        Either it belongs to the next one, of which nothing else was read, or the file is badly interleaved. The streams
        that are in the newest tell: they leave it, but for a last packet, or they go on.
        """
        if packet.dts is None or not packet.size or not self._ends:
            return False
        arriving = packet.stream.index not in self._ends or (
            self._falls_back(packet) and not self._is_newest(packet)
        )
        return arriving and _seconds(packet) + self.offsets[-1] < self.end - BACK

    def leaves(self, packet: Any) -> bool:
        """Whether the packet begins another recording after the newest."""
        return self._falls_back(packet) and self._is_newest(packet)

    def begin(self, packet: Any) -> None:
        """Have a recording follow that begins with the packet."""
        self.offsets.append(self.end - _seconds(packet))

    def place(self, packet: Any) -> Any:
        """The packet, its times moved to where its recording is in the whole."""
        if packet.dts is None or not packet.size:
            return packet
        index, base = packet.stream.index, packet.time_base
        if self.leaves(packet):
            self.begin(packet)
        if index not in self._part or self._falls_back(packet):
            self._part[index] = len(self.offsets) - 1
        offset = self.offsets[self._part[index]]
        end = _seconds(packet) + offset + float((packet.duration or 0) * base)
        self._ends[index] = max(self._ends.get(index, end), end)
        moved = round(offset / base)
        packet.dts += moved
        packet.pts = None if packet.pts is None else packet.pts + moved
        return packet

    def _falls_back(self, packet: Any) -> bool:
        index = packet.stream.index
        if packet.dts is None or not packet.size or index not in self._ends:
            return False
        return _seconds(packet) + self.offsets[self._part[index]] < self._ends[index] - BACK

    def _is_newest(self, packet: Any) -> bool:
        return self._part[packet.stream.index] == len(self.offsets) - 1


def _seconds(packet: Any) -> float:
    return float(packet.dts * packet.time_base)
