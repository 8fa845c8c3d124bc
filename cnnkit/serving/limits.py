"""What the server accepts and how much it does at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass

MEGA = 1_000_000


@dataclass(frozen=True)
class Limits:
    """The limits of a server; a request beyond one of them is refused, and its answer says which.

    Args:
        body_bytes: of one request.
        held_bytes: of all requests that are being answered.
        image_pixels: of one image, at the size at which it is decoded.
        request_images: images in one request.
        queue_images: images that wait; with a full queue the answer is 429.
        request_seconds: for a request to arrive, and again for its answer to be computed.
        batch_images: images that a worker takes at a time.
        workers: images that are decoded and answered side by side.
        drain_seconds: after SIGTERM, how long new requests are still answered.
    """

    body_bytes: int = 32 * MEGA
    held_bytes: int = 512 * MEGA
    image_pixels: int = 50 * MEGA
    request_images: int = 32
    queue_images: int = 128
    request_seconds: float = 30.0
    batch_images: int = 8
    workers: int = os.cpu_count() or 1
    drain_seconds: float = 1.0
