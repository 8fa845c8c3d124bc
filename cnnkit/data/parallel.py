"""A sequence enters; what a function makes of its items leaves, in order, computed in threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Small enough that no thread is without work at the end; several of them wait for each thread.
_BATCHES_A_THREAD = 32
_WAITING_A_THREAD = 3


def num_threads() -> int:
    """Return how many threads read files at once."""
    return min(32, os.cpu_count() or 1)


def in_threads(
    function: Callable[[int, Item], Result], items: Sequence[Item], longest_batch: int
) -> Iterator[list[Result]]:
    """Yield lists of results, so many at a time as a thread computes in one go.

    A batch costs what a single call would cost to hand over. The threads never wait for the slowest
    batch of a round, and no more batches are in memory than keep them at work.

    Args:
        function: called with (position, item).
        items: what to call it with.
        longest_batch: the largest number of items a list.
    """
    threads = num_threads()
    length = max(1, min(longest_batch, len(items) // (_BATCHES_A_THREAD * threads)))

    def compute(start: int) -> list[Result]:
        part = items[start : start + length]
        return [function(position, item) for position, item in enumerate(part, start)]

    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for start in range(0, len(items), length):
            waiting.append(pool.submit(compute, start))
            if len(waiting) > _WAITING_A_THREAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
