"""Ctrl-C enters while TensorFlow works; it leaves as KeyboardInterrupt at a moment that is safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held_back() -> Iterator[Callable[[], None]]:
    """Give a function that raises KeyboardInterrupt where Ctrl-C or SIGTERM came in the block.

    TensorFlow cannot go on, not even to save weights, where an interrupt leaves a graph half made.
    A second one is not held back. At the end of the block the function is called too.
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

    held = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is signal.default_int_handler:
                held.append(number)
                signal.signal(number, handle)
    try:
        yield check
    finally:
        for number in held:
            signal.signal(number, signal.default_int_handler)
    check()
