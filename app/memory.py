"""How much memory a clip will take, how much there is, and how what was freed goes back to the system."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from app.settings import whole_number
from extractors.groups import MINE, ROOT, folders_of
from extractors.records import InputError, MediaInfo

SETTING = "COUPLED_MAMBA_MEMORY"
# Bytes, fitted to `python -m app.longrun`: a clip of 3 min held 1.45 GB at most and one of 30 min 1.46 GB, 0.07 GB of
# each a compiler that only developers install. Long clips free the recognisers before the rest
# (extractors/words/recognition.py), so a second more takes less than its samples and the voice's rows do.
MODELS = 1_400_000_000  # the process with every model at work
A_SECOND = 5_000  # of any clip: features on the grid, and the answer
A_SECOND_HEARD = 35_000  # of sound: samples, and what the voice is described by
A_SECOND_SEEN = 5_000  # of pictures: crops of faces, and what they show
PICTURES = 24  # held at once by a decoder with its threads
A_PIXEL = 1.5


def need(info: MediaInfo) -> int:
    """Bytes that the process will hold at most while it analyses the clip, models included."""
    return MODELS + _growth(info)


def _growth(info: MediaInfo) -> int:
    second = A_SECOND + A_SECOND_HEARD * info.has_audio + A_SECOND_SEEN * info.has_video
    return round(info.duration * second + PICTURES * A_PIXEL * info.width * info.height)


def check_memory(info: MediaInfo) -> None:
    """Refuse a clip that will not fit, before the work.

    Raises:
        InputError: it needs more than there is, or than COUPLED_MAMBA_MEMORY allows the process; both numbers are told.
    """
    wanted, allowed = need(info), most_allowed()
    held, free = resident(), available()
    # What the process holds already is not asked for again, but a clip's own part may still lie ahead.
    ahead = max(wanted - held, _growth(info))
    if allowed and wanted > allowed:
        raise InputError(
            f"The clip needs about {wanted / 1e9:.1f} GB of memory, more than the {allowed / 1e9:.1f} GB that "
            f"{SETTING} allows: cut it or raise the setting."
        )
    if not allowed and free is not None and ahead > free:
        raise InputError(
            f"The clip needs about {ahead / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB is free: cut it, or close "
            f"what else is running; where that number is wrong, set {SETTING} to the bytes there are."
        )


def most_allowed() -> int:
    """Bytes that the process may take, 0 for what there is. Raises InputError where the setting is no number."""
    return whole_number(SETTING, 0)


def resident() -> int:
    """Bytes of memory that the process holds now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def available() -> int | None:
    """Bytes that the process can still take: of the machine, or of its control groups; None where nobody says."""
    found = [n for n in (_of_machine(), *_of_groups()) if n is not None]
    return min(found, default=None)


def _of_machine(path: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _of_groups(root: Path = ROOT, mine: Path = MINE) -> list[int]:
    """What is left under the limit of the process's control group and of each above it."""
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}
    return [
        left
        for version, folder in folders_of("memory", root, mine)
        for left in _left(folder, *names[version])
    ]


def _left(folder: Path, limit: str, used: str) -> list[int]:
    try:
        most, now = ((folder / name).read_text(encoding="ascii").strip() for name in (limit, used))
        # Pages of files that were read are let go of when memory is short.
        stat = (folder / "memory.stat").read_text(encoding="ascii").split()
    except OSError:
        return []
    if not most.isdigit() or not now.isdigit():  # "max"
        return []
    cached = int(stat[stat.index("inactive_file") + 1]) if "inactive_file" in stat else 0
    return [max(0, int(most) - int(now) + cached)]


def give_back() -> None:
    """Return what was freed to the system: glibc otherwise keeps the holes between what is left."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return  # another C library
