"""What is found in a source, and why one is refused."""

from __future__ import annotations

import pytest
from images import data_config

from cnnkit.data.sources.listing import find_images
from cnnkit.errors import DataError


def found_in(source, **changes):
    return find_images(data_config(source, **changes))


def refusal(source, **changes):
    with pytest.raises(DataError) as caught:
        found_in(source, **changes)
    return str(caught.value)
