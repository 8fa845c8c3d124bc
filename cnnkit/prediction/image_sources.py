"""The images for what a user names: paths, globs, archives, and addresses on networks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cnnkit.data.sources.ignored import Ignored
from cnnkit.prediction.archived_images import with_archives
from cnnkit.prediction.find_images import ARCHIVES, NoImages, find_images

_ADDRESS = "[a-zA-Z][a-zA-Z0-9+.-]+://"
_WEB = ("http://", "https://")


class ImageSources:
    """Turns names into images; all addresses of one server share its connections.

    Args:
        allow_private: whether http and https may lead to this computer or into private networks.
    """

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._web_image: Callable[[str], Any] | None = None

    def find(self, patterns: Iterable[str | bytes], ignored: Ignored) -> Iterator[Any]:
        """Yield the images for paths, folders, globs, archives and addresses, in their order.

        Args:
            patterns: what the user names; the bytes of image files stay as they are.
            ignored: gets the files inside folders and archives that are not images.
        """
        for pattern in patterns:
            if isinstance(pattern, bytes):
                yield pattern
            elif not is_address(pattern):
                yield from with_archives(find_images([pattern], ignored), ignored)
            elif pattern.lower().endswith(ARCHIVES):
                yield NoImages(pattern, "archives are read from disk only; download it first")
            elif pattern.lower().startswith(_WEB):
                yield self.named(pattern)
            else:
                from cnnkit.prediction.stored_images import find_stored_images

                yield from find_stored_images(pattern, ignored)

    def named(self, name: str) -> Any:
        """Return the image with a path or an address; a folder or a glob is not looked into."""
        if not is_address(name):
            return name
        if name.lower().startswith(_WEB):
            return self._web(name)
        from cnnkit.prediction.stored_images import StoredImage

        return StoredImage(name)

    def _web(self, url: str) -> Any:
        if self._web_image is None:
            # Imported when needed: urllib3 and ssl take longer than the answer of an image.
            from cnnkit.prediction.web_connections import WebConnections
            from cnnkit.prediction.web_images import WebImage

            connections = WebConnections(allow_private=self._allow_private)
            self._web_image = lambda each: WebImage(each, connections)
        return self._web_image(url)


def is_address(name: str) -> bool:
    """Tell whether a name is an address, such as `s3://photos/1.jpg`, and no file on disk.

    >>> is_address("s3://photos/1.jpg"), is_address("photos/1.jpg"), is_address("C:/1.jpg")
    (True, False, False)
    """
    return re.match(_ADDRESS, name) is not None and not os.path.lexists(name)
