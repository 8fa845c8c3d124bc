"""Call a function on every item of a sequence, in threads or in processes, results in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from cnnkit.data.worker_processes import WorkerPool, can_start_processes

Item = TypeVar("Item")
Result = TypeVar("Result")

# Short batches, so that no thread runs out of work near the end; several wait for each thread.
_BATCHES_PER_THREAD = 32
_WAITING_PER_THREAD = 3

_BATCH_ITEMS = 16
# A process takes about half a second to start, in which threads get a good part of this many done.
_WORTH_PROCESSES = 5000


def num_threads() -> int:
    """Return how many threads, or processes, read files at once."""
    # Not above 32, the most that ThreadPoolExecutor starts by default.
    return min(32, os.cpu_count() or 1)


def compute_all(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Return what a function makes of each item, in order, using all processors.

    Python runs one thread at a time, so threads that read small images wait for each other much of
    the time. If there are many items, processes do the work.

    Args:
        function: takes an item. It can be pickled, as can the items and the results: defined at the
            top of a module, or a `functools.partial` of such a function.
        items: what to call it with; their text names them in the message of an error.
        progress: called with (number of items done, number of all items).

    Raises:
        DataError: a process ended before it was done, because the memory was full for example.
    """
    num_processes = num_threads()
    if len(items) >= _WORTH_PROCESSES and num_processes > 1 and can_start_processes():
        batches = _in_processes(function, items, num_processes)
    else:
        batches = in_threads(lambda _, item: function(item), items, _BATCH_ITEMS)
    results: list[Result] = []
    with closing(batches):  # an interruption stops the threads and processes at once
        for batch in batches:
            results += batch
            if progress is not None:
                progress(len(results), len(items))
    return results


def in_threads(
    function: Callable[[int, Item], Result], items: Sequence[Item], longest_batch: int
) -> Generator[list[Result], None, None]:
    """Yield the results of a function in order, in lists of what a thread computes in one go.

    Handing over a batch costs as much as handing over a single call. No thread waits for the
    slowest batch of the others, and memory holds only as many batches as keep all threads busy.

    Args:
        function: called with (position, item).
        items: what to call it with.
        longest_batch: the largest number of items per list.
    """
    threads = num_threads()
    stopped = threading.Event()

    def compute(start: int, batch: Sequence[Item]) -> list[Result]:
        results: list[Result] = []
        for position, item in enumerate(batch, start):
            if stopped.is_set():
                break
            results.append(function(position, item))
        return results

    return _in_order(compute, items, threads, longest_batch, stopped.set)


def _in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], num_processes: int
) -> Generator[list[Result], None, None]:
    """Yield the results of a function in order; each thread here waits for one process."""
    pool = WorkerPool(function, num_processes)

    def compute(start: int, batch: Sequence[Item]) -> list[Result]:
        return pool.call(batch)

    try:
        yield from _in_order(compute, items, num_processes, _BATCH_ITEMS, pool.stop)
    finally:
        pool.close()


def _in_order(
    compute: Callable[[int, Sequence[Item]], list[Result]],
    items: Sequence[Item],
    num_threads: int,
    longest_batch: int,
    stop: Callable[[], None],
) -> Generator[list[Result], None, None]:
    """Yield what threads compute of batches, in order.

    Args:
        compute: called with the position of a batch and its items.
        items: all items.
        num_threads: how many batches are computed at once.
        longest_batch: the largest number of items per batch.
        stop: called at the end; what is still being computed is not needed then.
    """
    length = max(1, min(longest_batch, len(items) // (_BATCHES_PER_THREAD * num_threads)))
    pool = ThreadPoolExecutor(num_threads)
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for start in range(0, len(items), length):
            waiting.append(pool.submit(compute, start, items[start : start + length]))
            # Only some batches wait: results that are done before an earlier one take memory.
            if len(waiting) > _WAITING_PER_THREAD * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        stop()
        pool.shutdown(cancel_futures=True)
