"""The classes of the data of a config, without its images if they are known."""

from __future__ import annotations

from collections.abc import Callable

from cnnkit.config import DataConfig
from cnnkit.data.sources.builtin_names import builtin_class_names
from cnnkit.data.sources.class_checks import check_listed, check_two


# `str` stands for a function that takes a text and does nothing with it.
def class_names(data_config: DataConfig, note: Callable[[str], object] = str) -> tuple[str, ...]:
    """Return the classes of a config's data in label order, without reading an image.

    Nothing is drawn, downloaded or written: the classes of a built-in are known.

    Args:
        data_config: the `data` section.
        note: called with a sentence if the classes seem to be deeper in the folder.

    Raises:
        DataError: as `find_images`.
    """
    known = builtin_class_names(data_config.source, data_config.shapes)
    if known is None:
        # Only here, because all that lists images takes a tenth of a second to import.
        from cnnkit.data.sources.listing import find_images, ordered_classes

        source = find_images(data_config)
        if source.doubt:
            note(source.doubt)
        return ordered_classes(source, data_config.classes)
    check_listed(data_config.source, known, data_config.classes or ())
    check_two(data_config.source, data_config.classes or known)
    return data_config.classes or known
