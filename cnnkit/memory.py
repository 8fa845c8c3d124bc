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
    limits = [limit for limit, _ in _group_limits()]
    return min(min([physical, *limits]) + _swap_space(), _address_space())


def free_memory() -> int:
    """Return the bytes that a program can take now, before others, or swapped ones, are in need.

    It is what the computer has free, and what the limit of our container or job leaves, with the
    free swap space.
    """
    import psutil

    free = [psutil.virtual_memory().available, *(left for _, left in _group_limits())]
    used = psutil.Process().memory_info().vms
    return max(0, min(min(free) + psutil.swap_memory().free, _address_space() - used))


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


def _group_limits() -> Iterator[tuple[int, int]]:
    """Yield (limit, bytes left of it) of our control group and of those around it."""
    for folder, limit_name, used_name, cached_name in _groups():
        limit = _number_in(folder / limit_name)
        if limit is not None:
            used = _number_in(folder / used_name) or 0
            # Files that were read are counted as used, but are given back when there is need.
            yield limit, limit - used + _cached_files(folder / "memory.stat", cached_name)


def _groups() -> Iterator[tuple[Path, str, str, str]]:
    """Yield the folders of our control groups, with the names of their files and of a row."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    places = {names: place.strip("/") for _, names, place in (line.split(":", 2) for line in lines)}
    first, second = _CGROUPS / "memory", _CGROUPS
    own = first / places.get("memory", "")  # version 1
    for folder in (own, *own.parents):
        if folder.is_relative_to(first):
            yield folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    own = second / places.get("", "")  # version 2
    for folder in (own, *own.parents):
        if folder.is_relative_to(second):
            yield folder, "memory.max", "memory.current", "inactive_file"


def _cached_files(stat: Path, name: str) -> int:
    try:
        rows = dict(line.split() for line in stat.read_text().splitlines())
        return int(rows.get(name, 0))
    except (OSError, ValueError):
        return 0


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
