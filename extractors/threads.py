"""Libraries held to one thread for a while, by several analyses at once; and two branches of one side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
Stop = Callable[[BaseException | None], None]


class OneThread:
    """A library's number of threads, which is the process's: one while anybody holds it, and then as it was.

    per_thread: threads keep numbers of their own besides, as torch's do, so each puts its own back when it is done.
    """

    def __init__(
        self, count: Callable[[], int], put: Callable[[int], object], per_thread: bool = False
    ) -> None:
        self._count, self._put, self._per_thread = count, put, per_thread
        self._lock = threading.Lock()
        self._before: list[int] = []  # the number as it was, once for each that holds it

    @contextmanager
    def held(self) -> Iterator[None]:
        """One thread until the context ends; who comes in meanwhile puts back what was there before all."""
        with self._lock:
            self._before.append(self._before[0] if self._before else self._count())
            self._put(1)
        try:
            yield
        finally:
            with self._lock:
                before = self._before.pop()
                if self._per_thread or not self._before:
                    self._put(before)


def side_by_side(look: Callable[[], A], listen: Callable[[], B], stop: Stop) -> tuple[A, B]:
    """What both give, `look` in a thread beside; where one fails, `stop` is told why, to have the other end early.

    The thread has as many of torch's as the caller: by itself it would have what the process has just then, which is
    one while some other analysis finds speech.
    """
    import torch

    count = torch.get_num_threads()
    with ThreadPoolExecutor(1, "faces", initializer=torch.set_num_threads, initargs=(count,)) as beside:
        looking = beside.submit(look)
        looking.add_done_callback(lambda done: stop(done.exception()))
        try:
            heard = listen()
            return looking.result(), heard
        except BaseException as error:
            stop(error)
            raise
