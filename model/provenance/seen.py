"""What trained the shipped weights, so that no figure is ever taken from it.

Sentences and faces are kept as 32-bit checksums (of the text without case and spaces; of the pixels, the same for a
mirror image), speakers by name. A checksum says "seen" of something new once in about 150,000 times.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.provenance.sums import check

NAME = "seen.npz"


@dataclass(frozen=True)
class Seen:
    """Sorted checksums of sentences and of faces, and names of speakers."""

    sentences: NDArray[np.uint32]
    images: NDArray[np.uint32]
    speakers: NDArray[np.str_]

    @classmethod
    def nothing(cls) -> Seen:
        """Nothing was seen: everything can be reported on."""
        return cls.of([], [], np.zeros((0, 1, 1), np.uint8))

    @classmethod
    def of(cls, sentences: Iterable[str], speakers: Iterable[str], images: NDArray[np.uint8]) -> Seen:
        """The mark of sentences, speakers and face images [n, H, W]."""
        said = np.unique(np.array([text_mark(s) for s in sentences], np.uint32))
        return cls(said, np.unique(face_marks(images)), np.array(sorted(speakers), str))

    @classmethod
    def load(cls, folder: Path) -> Seen:
        """What folder/seen.npz holds, or the one in the folder around it, of which a warning is given.

        So a network that learnt from the same data may lie in a folder of its own inside another's. Raises
        FileNotFoundError where the checkpoint came without one, and DamagedWeightsError where it is not the one that
        came with it.
        """
        path, around = folder / NAME, folder.resolve().parent / NAME
        if not path.is_file() and around.is_file():
            warnings.warn(
                f"{folder} has no {NAME} of its own: it is taken to have learnt from what {around} names",
                stacklevel=2,
            )
            path = around
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing: without it nobody can tell what the weights were trained on; "
                "train again, or restore the file"
            )
        check(path)
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**arrays)

    def save(self, folder: Path) -> None:
        """Write folder/seen.npz."""
        np.savez_compressed(folder / NAME, **vars(self))

    def sentence(self, text: str) -> bool:
        """Whether this sentence trained something."""
        mark = np.uint32(text_mark(text))
        # They are sorted: a thousand times as fast as to look at all.
        at = np.searchsorted(self.sentences, mark)
        return bool(at < len(self.sentences) and self.sentences[at] == mark)

    def speaker(self, name: str) -> bool:
        """Whether this speaker's voice trained something."""
        return name in self.speakers

    def faces(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which of the images [n, H, W] trained something."""
        return np.isin(face_marks(images), self.images)

    def marked(self, marks: NDArray[np.str_]) -> NDArray[np.bool_]:
        """The same of faces given by their marks, as text."""
        return np.isin(marks.astype(np.uint32), self.images)


def text_mark(text: str) -> int:
    """Checksum of a sentence's letters and signs, whatever its case and spaces."""
    return zlib.crc32("".join(text.lower().split()).encode())


def face_marks(images: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Checksums [n] of images [n, H, W], the same for a face and its mirror image."""
    marks = [min(zlib.crc32(i.tobytes()), zlib.crc32(i[:, ::-1].tobytes())) for i in images]
    return np.array(marks, np.uint32)
