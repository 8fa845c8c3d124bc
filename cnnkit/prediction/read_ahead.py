"""Work on a few images ahead, in threads, and give the results in order."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from cnnkit.prediction.find_images import name_of

Image = TypeVar("Image")
Result = TypeVar("Result")

_END = object()  # put into the queue after the last image


def read_ahead(
    images: Iterable[Image],
    read: Callable[[Image], Result],
    *,
    num_threads: int | None = None,
    stopped: threading.Event | None = None,
) -> Iterator[tuple[str, Future[Result]]]:
    """Yield (name, future of what `read` returns) for each image, in order.

    The images come from a thread of their own, because asking for the next one may block: paths on
    stdin may arrive slowly, and the answers so far should not wait for them.

    Args:
        images: anything that `read` takes.
        read: called in several threads.
        num_threads: how many; by default one per core.
        stopped: set when nobody wants the results any more, so that `read` need not go on.
    """
    workers = num_threads or os.cpu_count() or 1
    # Twice the workers: while one result is used, each worker has a next image to begin with.
    waiting: queue.Queue = queue.Queue(maxsize=2 * workers)
    ended = threading.Event() if stopped is None else stopped

    def feed(pool: ThreadPoolExecutor) -> None:
        try:
            for image in images:
                waiting.put((name_of(image), pool.submit(read, image)))
                if ended.is_set():
                    return
        except BaseException as error:  # passed on: the consumer raises it
            waiting.put(error)
        else:
            waiting.put(_END)

    with ThreadPoolExecutor(workers) as pool:
        # A daemon: it may be waiting for a line of standard input that never comes.
        threading.Thread(target=feed, args=(pool,), daemon=True).start()
        try:
            while (item := waiting.get()) is not _END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            ended.set()
            # The feeder may wait for a free place in the queue: make room, so that it can stop.
            while not waiting.empty():
                waiting.get_nowait()
