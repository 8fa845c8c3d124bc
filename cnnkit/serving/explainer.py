"""Work that needs TensorFlow, in a process of its own, which starts when it is first needed.

So predictions neither wait until TensorFlow is imported nor share their process with it.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

from cnnkit.data.worker_processes import WorkerPool
from cnnkit.errors import CnnkitError, DataError
from cnnkit.serving.refusal import Refusal, busy

_MOST_WAITING = 8
_SECONDS = 120  # importing TensorFlow and loading the model included

Answer = TypeVar("Answer")


class Explainer:
    """The process, which does one job after the other."""

    def __init__(self) -> None:
        self._pool: WorkerPool | None = None
        self._one = asyncio.Lock()
        self._waiting = 0

    async def do(self, job: Callable[[], Answer]) -> Answer:
        """Return what a job returns.

        Args:
            job: an object that can be pickled, and called without arguments.

        Raises:
            Refusal: the job is refused (422), TensorFlow is missing (501), too many jobs wait
                (429), or the process does not answer (503).
        """
        if importlib.util.find_spec("tensorflow") is None:
            text = "This needs TensorFlow, which is not installed on the server."
            raise Refusal(501, f"{text} Predictions do without.", kind="no_tensorflow")
        if self._waiting >= _MOST_WAITING:
            raise busy("Other explanations are being computed. Try again.")
        self._waiting += 1
        try:
            async with self._one:
                return await self._done(job)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    async def _done(self, job: Callable[[], Answer]) -> Answer:
        if self._pool is None:
            self._pool = WorkerPool(_result, 1)
        call = asyncio.to_thread(self._pool.call, [job])
        try:
            (result,) = await asyncio.wait_for(call, _SECONDS)
        except (asyncio.TimeoutError, DataError):  # it hangs, or has ended
            self.close()
            text = "The process that explains did not answer. Try again, or send another image."
            raise Refusal(503, text, kind="failed", retry_seconds=10) from None
        if isinstance(result, CnnkitError):
            raise Refusal(422, str(result), kind=result.kind)
        return result


def _result(job: Callable[[], Any]) -> Any:
    """Do a job, in the process."""
    try:
        return job()
    except CnnkitError as error:
        return _Failed(error)


class _Failed(CnnkitError):
    """An error without what cannot be pickled."""

    def __init__(self, error: CnnkitError) -> None:
        super().__init__(str(error))
        self.kind = error.kind

    def __reduce__(self) -> tuple[Any, ...]:
        return _failed, (str(self), self.kind)


def _failed(text: str, kind: str) -> CnnkitError:
    error = CnnkitError(text)
    error.kind = kind
    return error
