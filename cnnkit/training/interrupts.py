"""Turn Ctrl-C into a KeyboardInterrupt at a moment when TensorFlow can be stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held_back() -> Iterator[Callable[[], None]]:
    """Hold back Ctrl-C and SIGTERM in the block; yield a function that raises them.

    The function raises KeyboardInterrupt if one came. It is also called at the end of the block.
    TensorFlow cannot continue, not even to save weights, after an interrupt in the middle of
    building a graph. A second Ctrl-C is not held back.
    """
    came = False

    def handle(number: int, frame: object) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    replaced = []
    if threading.current_thread() is threading.main_thread():  # only it may set handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            # A program that uses cnnkit may have handlers of its own: these stay.
            if signal.getsignal(number) is signal.default_int_handler:
                replaced.append(number)
                signal.signal(number, handle)
    try:
        yield check
    finally:
        for number in replaced:
            signal.signal(number, signal.default_int_handler)
    check()
