"""Turn Ctrl-C into a KeyboardInterrupt at a moment when TensorFlow can be stopped."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_held_back(say: Callable[[], object] | None = None) -> Iterator[Callable[[], None]]:
    """Hold back Ctrl-C and SIGTERM in the block; yield a function that raises them.

    The function raises KeyboardInterrupt if one came. It is also called at the end of the block.
    TensorFlow cannot continue, not even to save weights, after an interrupt in the middle of
    building a graph. A second Ctrl-C is not held back.

    Args:
        say: called once, in another thread, as soon as an interrupt comes.
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
        for number in _SIGNALS:
            # A program that uses cnnkit may have handlers of its own: these stay.
            if signal.getsignal(number) is signal.default_int_handler:
                replaced.append(number)
                signal.signal(number, handle)
    try:
        with _saying_at_once(say, replaced) if say and replaced else contextlib.nullcontext():
            yield check
    finally:
        for number in replaced:
            signal.signal(number, signal.default_int_handler)
    check()


@contextmanager
def _saying_at_once(say: Callable[[], object], numbers: Collection[int]) -> Iterator[None]:
    """Call `say` in a thread when the first of these signals comes.

    Python runs a handler only after TensorFlow has returned from a batch, which may take long. The
    number of the signal is written to a socket at once, and nothing else is safe at that moment; a
    thread waits for it and may then do anything.
    """
    receiver, sender = socket.socketpair()
    # set_wakeup_fd refuses a socket that could block.
    sender.setblocking(False)
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    if before != -1:  # a program that uses cnnkit, such as an event loop, waits for signals so
        signal.set_wakeup_fd(before)

    def wait() -> None:
        while number := receiver.recv(1):
            if number[0] in numbers:
                with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                    say()
                return

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        if before == -1:
            signal.set_wakeup_fd(-1)
        sender.close()  # ends the thread
        thread.join()
        receiver.close()
