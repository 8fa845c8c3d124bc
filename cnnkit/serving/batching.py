"""Images of all requests wait in one queue, and free workers take several of them at a time.

A worker is a thread that decodes its images and asks the model about them together; while one
decodes, another computes. The queue belongs to the event loop, so it needs no lock.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from numpy.typing import NDArray

from cnnkit.errors import ImageError
from cnnkit.prediction import pixels_of
from cnnkit.prediction.predict_images import Prediction, predictions_of, unread
from cnnkit.serving.limits import Limits
from cnnkit.serving.refusal import Refusal, busy
from cnnkit.serving.served_models import ServedModel
from cnnkit.serving.serving_metrics import ServingMetrics
from cnnkit.text import count_of

Image = bytes | NDArray  # a file, or its pixels


@dataclass(eq=False)
class _Waiting:
    """An image that waits, and who waits for its answer."""

    name: str
    image: Image
    model: ServedModel
    answer: asyncio.Future[Prediction]
    since: float = field(default_factory=time.perf_counter)


class Batching:
    """The queue and its workers.

    Args:
        limits: how many images wait, how many a worker takes, and how many workers there are.
        metrics: counts.
    """

    def __init__(self, limits: Limits, metrics: ServingMetrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._waiting: deque[_Waiting] = deque()
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="predict")
        # One batch more than workers is handed over, so that no worker waits for the event loop.
        self._free = limits.workers + 1
        self._running: set[asyncio.Future[None]] = set()

    async def answers(
        self, model: ServedModel, names: Sequence[str], images: Sequence[Image]
    ) -> list[Prediction]:
        """Return one prediction per image, in order.

        Args:
            model: which one answers.
            names: of the images.
            images: encoded, or uint8 pixels with the model's shape.

        Raises:
            Refusal: the queue is full (429), or the answers took too long (503).
            CnnkitError: the model failed.
        """
        if len(self._waiting) + len(images) > self._limits.queue_images:
            self._metrics.refused.labels("queue_full").inc()
            raise busy(f"{count_of(len(self._waiting), 'image')} wait already. Try again.")
        loop = asyncio.get_running_loop()
        own = [
            _Waiting(name, image, model, loop.create_future())
            for name, image in zip(names, images, strict=True)
        ]
        self._waiting.extend(own)
        self._hand_over()
        answers = asyncio.gather(*(each.answer for each in own))
        try:
            return await asyncio.wait_for(answers, self._limits.request_seconds)
        except asyncio.TimeoutError:
            self._metrics.refused.labels("timeout").inc()
            seconds = self._limits.request_seconds
            raise Refusal(
                503,
                f"The answer took longer than {seconds:g} seconds. Send fewer or smaller images.",
                kind="timeout",
                retry_seconds=1,
            ) from None

    @property
    def num_waiting(self) -> int:
        """How many images wait."""
        return len(self._waiting)

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown()

    def _hand_over(self) -> None:
        while self._free and (batch := self._next_batch()):
            self._free -= 1
            task = asyncio.ensure_future(self._answered(batch))
            self._running.add(task)  # otherwise it may be collected as garbage
            task.add_done_callback(self._running.discard)

    def _next_batch(self) -> list[_Waiting]:
        """Take images of one model from the front of the queue: a fair share for each worker."""
        share = -(-len(self._waiting) // self._limits.workers)
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < min(share, self._limits.batch_images):
            if batch and self._waiting[0].model is not batch[0].model:
                break
            one = self._waiting.popleft()
            if not one.answer.done():  # who waited has given up
                batch.append(one)
        return batch

    async def _answered(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, self._predictions, batch)
        await asyncio.wait([work])
        error = work.exception()
        for place, each in enumerate(batch):
            if each.answer.done():  # who waited has given up
                continue
            if error is None:
                each.answer.set_result(work.result()[place])
            else:
                each.answer.set_exception(error)
        self._free += 1
        self._hand_over()

    def _predictions(self, batch: list[_Waiting]) -> list[Prediction]:
        """Decode and answer images, in a worker."""
        begin = time.perf_counter()
        model = batch[0].model
        read = [_read(each) for each in batch]
        decoded = time.perf_counter()
        names, pixels = [], []
        for each, own in zip(batch, read, strict=True):
            if not isinstance(own, Prediction):
                names.append(each.name)
                pixels.append(own)
        answers = iter(predictions_of(model.predictor, names, pixels) if pixels else ())
        found = [own if isinstance(own, Prediction) else next(answers) for own in read]
        self._metrics.answered(
            model,
            found,
            waited=[begin - each.since for each in batch],
            decoding=decoded - begin,
            computing=time.perf_counter() - decoded,
        )
        return found


def _read(waiting: _Waiting) -> NDArray | Prediction:
    """Return the pixels of an image, or its answer if it cannot be read."""
    if not isinstance(waiting.image, bytes):
        return waiting.image
    predictor = waiting.model.predictor
    try:
        return pixels_of(waiting.image, predictor.info.pixels)
    except ImageError as error:
        return unread(waiting.name, predictor, error)
