"""Wait until the processes of all machines have started, or say which have not.

TensorFlow waits without an end for a machine that never comes, and does not say for which.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.text import first_few

_PAUSE = 0.2  # seconds between two tries
_CONNECTING = 5.0  # seconds of one try


def meet(addresses: Sequence[str], machine: int, minutes: float) -> None:
    """Return as soon as every machine has been there.

    Args:
        addresses: host:port of all machines.
        machine: the number of this one.
        minutes: how long to wait.

    Raises:
        UsageError: an address is none, or the port of this machine is taken.
        CnnkitError: some did not come in time.
    """
    places = [_host_and_port(address) for address in addresses]
    missing = {place: address for place, address in zip(places, addresses, strict=True)}
    del missing[places[machine]]
    end = time.monotonic() + 60 * minutes
    with _listening(places[machine][1], addresses[machine]):
        while missing:
            for place in list(missing):
                if _is_there(place):
                    del missing[place]
            if missing and time.monotonic() > end:
                raise CnnkitError(
                    f"{first_few(list(missing.values()))} did not come within {minutes:g} minutes "
                    "(runtime.wait_minutes). Start the same command on all machines of TF_CONFIG, "
                    "each with its own task.index, and let them reach each other's ports."
                )
            time.sleep(_PAUSE)


@contextlib.contextmanager
def _listening(port: int, address: str) -> Iterator[None]:
    """Let others see that this process has started; TensorFlow takes the port afterwards."""
    try:
        server = socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise UsageError(
            f"TF_CONFIG gives this machine the address {address}, but port {port} cannot be used: "
            f"{error.strerror}. Give it another port, on all machines."
        ) from error
    with server:
        yield


def _is_there(place: tuple[str, int]) -> bool:
    # A host whose name is not known may only not have started yet.
    with contextlib.suppress(OSError), socket.create_connection(place, _CONNECTING):
        return True
    return False


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"TF_CONFIG has the address {address!r}; expected one like host1:2222.")
    return host.strip("[]"), int(port)
