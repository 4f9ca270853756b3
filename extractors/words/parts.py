"""A transcript in parts, so that it can be told how far its words are, and the parts' tracks in one again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from extractors.records import Track, Transcript

SENTENCES = 48  # whose words are embedded between two reports: a few batches of the encoder's


def part_sentences(transcript: Transcript) -> list[Transcript]:
    """The transcript in parts of at most SENTENCES whole sentences, in order; one part where it is empty."""
    numbers = sorted(set(transcript.sentences))
    parts = []
    for first in range(0, max(1, len(numbers)), SENTENCES):
        kept = set(numbers[first : first + SENTENCES])
        chosen = [i for i, number in enumerate(transcript.sentences) if number in kept]
        words = tuple(transcript.words[i] for i in chosen)
        parts.append(
            replace(transcript, words=words, sentences=tuple(transcript.sentences[i] for i in chosen))
        )
    return parts


def join_tracks(tracks: list[Track]) -> Track:
    """Tracks with the same columns, one after the other."""
    if len(tracks) == 1:
        return tracks[0]
    parts = {
        name: np.concatenate([getattr(track, name) for track in tracks])
        for name in ("values", "start", "end", "confidence")
    }
    return Track(**parts, columns=tracks[0].columns)
