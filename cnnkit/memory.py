"""How much memory there is, and one sentence in place of a traceback if it was not enough."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnkit.errors import CnnkitError, OutOfMemoryError
from cnnkit.text import size_text

# What NumPy, Pillow, TensorFlow, LiteRT, ONNX Runtime and GPU drivers write. Names of exceptions do
# not tell: TensorFlow raises ResourceExhaustedError for a full disk and too many open files too.
_LACKING = (
    r"(?i)\bOOM\b|out.of.memory|bad_alloc|(failed|unable|could not|cannot)( to)? allocate"
    r"|allocation (has )?failed|array is too big|maximum allowed dimension exceeded"
    r"|overflow when multiplying|would have more than 2\*\*63|too large to allocate"
)
_CGROUPS = Path("/sys/fs/cgroup")


def computer_memory() -> int | None:
    """Return the bytes that a program can use at most, None if the system does not say.

    It is the memory of the computer, or of the container or job that we are in, and the swap space;
    or what `ulimit -v` allows.
    """
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
    limits = [limit for file in _limit_files() if (limit := _number_in(file)) is not None]
    return min(min([physical, *limits]) + _swap_space(), _address_space())


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that led to it, says that there was not enough memory."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        if not isinstance(error, CnnkitError) and re.search(_LACKING, str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def explaining_lack_of_memory(explanation: Callable[[], str]) -> Iterator[None]:
    """Turn every error that means a lack of memory into one with a sentence for the user.

    Args:
        explanation: returns what needs how much, and what to lower. Called only after an error.

    Raises:
        OutOfMemoryError: the block has raised such an error.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, CnnkitError) or not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(f"There is not enough memory. {explanation()}") from error


def this_computer_has() -> str:
    """Return `this computer has 16.0 GB`, for the middle of a sentence."""
    memory = computer_memory()
    return f"this computer has {size_text(memory)}" if memory else "this computer has less"


def _address_space() -> int:
    """Return the bytes that the shell's `ulimit -v` allows this process, or a very large number."""
    try:
        import resource  # not on Windows
    except ImportError:
        return sys.maxsize
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _limit_files() -> Iterator[Path]:
    """Yield the files with the limits of our control group and of those around it."""
    yield _CGROUPS / "memory" / "memory.limit_in_bytes"  # version 1
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    place = _CGROUPS / own.strip("/")
    yield from (folder / "memory.max" for folder in (place, *place.parents))


def _number_in(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file; "max" means no limit
        return None


def _swap_space() -> int:
    try:
        found = re.search(r"SwapTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0
