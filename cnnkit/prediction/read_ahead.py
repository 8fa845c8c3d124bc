"""Work on a few images ahead, in threads, and give the results in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from cnnkit.prediction.find_images import name_of
from cnnkit.usable_cores import usable_cores

Image = TypeVar("Image")
Result = TypeVar("Result")

_END = object()  # put into the queue after the last image


def read_ahead(
    images: Iterable[Image], read: Callable[[Image], Result]
) -> Iterator[tuple[str, Future[Result]]]:
    """Yield (name, future of what `read` returns) for each image, in order.

    As many images are read at a time as there are cores.
    """
    workers = usable_cores()
    with ThreadPoolExecutor(workers) as pool:
        # Twice the workers: while one result is used, each worker has a next image to begin with.
        yield from in_order(images, partial(pool.submit, read), num_ahead=2 * workers)


def in_order(
    images: Iterable[Image],
    start: Callable[[Image], Future[Result]],
    *,
    num_ahead: int,
    stopped: threading.Event | None = None,
) -> Iterator[tuple[str, Future[Result]]]:
    """Yield (name, future) for each image, in order.

    The images come from a thread of their own, because asking for the next one may block: paths on
    stdin may arrive slowly, and the answers so far should not wait for them.

    Args:
        images: anything that `start` takes.
        start: begins the work on an image; called in that thread.
        num_ahead: how many results may wait to be used.
        stopped: is set when nobody wants the results any more, so that the work need not go on.
    """
    waiting: queue.Queue = queue.Queue(maxsize=num_ahead)
    ended = threading.Event() if stopped is None else stopped

    def feed() -> None:
        try:
            for image in images:
                waiting.put((name_of(image), start(image)))
                if ended.is_set():
                    return
        except BaseException as error:  # passed on: the consumer raises it
            waiting.put(error)
        else:
            waiting.put(_END)

    # A daemon: it may be waiting for a line of standard input that never comes.
    threading.Thread(target=feed, daemon=True).start()
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
