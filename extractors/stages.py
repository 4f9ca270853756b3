"""The stages of one clip, each read from a cache where it was worked out before: what a result rests on is its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from extractors.cache import Cache, Kept, pack

T = TypeVar("T", bound=Kept)


class Stages:
    """What was worked out of one clip so far; with a cache, under keys that are made of the keys before.

    `warnings` holds the sentences that the stages gave; `worked` names those that were worked out rather than read from
    the cache, in the order in which they ended.
    """

    def __init__(self, cache: Cache | None) -> None:
        self.warnings: list[str] = []
        self.worked: list[str] = []
        self._cache = cache
        self._keys: dict[str, str] = {}

    @property
    def kept(self) -> bool:
        """Whether results are kept, so that what they rest on has to be known."""
        return self._cache is not None

    def on(self, *stages: str) -> list[str]:
        """The keys of stages before, which stand for their results. Raises KeyError where one was not asked for."""
        return [self._keys[stage] for stage in stages] if self.kept else []

    def content(self, digest: Callable[[], str]) -> list[str]:
        """What stands for a file or a model that the user named, which is not read where nothing is kept."""
        return [digest()] if self.kept else []

    def name(self, stage: str, result: Kept) -> None:
        """Let what follows rest on the result itself, by whatever way it came."""
        self._keys[stage] = "" if self._cache is None else self._cache.key(stage, pack(result)[1])

    def run(self, stage: str, rests_on: list[Any], make: Callable[[list[str]], T]) -> T:
        """The stage's result, from the cache or from `make`, which is given a list for its warnings.

        rests_on: plain values that JSON can hold, and that say all that the result depends on.
        """
        warnings: list[str] = []
        kept = None
        if self._cache is not None:
            self._keys[stage] = self._cache.key(stage, *rests_on)
            kept = self._cache.get(self._keys[stage])
        if kept is not None:
            found, warnings = cast(T, kept[0]), kept[1]
        else:
            found = make(warnings)
            self.worked.append(stage)
            if self._cache is not None:
                self._cache.put(self._keys[stage], found, warnings)
        self.warnings += [sentence for sentence in warnings if sentence not in self.warnings]
        return found
