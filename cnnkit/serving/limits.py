"""What the server accepts and how much it does at a time."""

from __future__ import annotations

from dataclasses import dataclass

MEGA = 1_000_000


@dataclass(frozen=True)
class Limits:
    """The limits of a server; a request beyond one of them is refused, and its answer says which.

    Args:
        body_bytes: of one request.
        image_pixels: of one image, at the size at which it is decoded.
        request_images: images in one request.
        queue_images: images that wait; with a full queue the answer is 429.
        request_seconds: for a request to arrive, and again for its answer to be computed.
        batch_images: images that a worker takes at a time.
        workers: images that are decoded and answered side by side.
        drain_seconds: after SIGTERM, how long new requests are still answered.
    """

    body_bytes: int
    image_pixels: int
    request_images: int
    queue_images: int
    request_seconds: float
    batch_images: int
    workers: int
    drain_seconds: float

    @property
    def held_bytes(self) -> int:
        """Of all requests that are being answered."""
        return max(16 * self.body_bytes, 512 * MEGA)
