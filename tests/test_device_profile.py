"""The device profile of a `.tflite`: its arena by hand, its multiply-adds beside `summary`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnkit.arithmetic import read_keras_file
from cnnkit.export.device_profile import Lifetime, arena_size, device_profile


def test_tensors_that_are_not_alive_together_share_memory():
    # The input and the third tensor are both 64 bytes, and the second lies between them in time.
    chain = [Lifetime(64, -1, 0), Lifetime(32, 0, 1), Lifetime(64, 1, 2)]
    assert arena_size(chain) == 64 + 32
    # A shortcut keeps the first one alive until the end.
    assert arena_size([Lifetime(64, -1, 2), *chain[1:]]) == 64 + 32 + 64
    assert arena_size([Lifetime(1, 0, 0)]) == 16  # the alignment
    assert arena_size([]) == 0


_LIFETIMES = st.builds(
    lambda size, first, length: Lifetime(size, first, first + length),
    st.integers(1, 500), st.integers(-1, 9), st.integers(0, 5),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_LIFETIMES, max_size=12))
def test_an_arena_holds_all_that_is_alive_at_once_and_not_more_than_all(tensors):
    padded = [-(-tensor.size // 16) * 16 for tensor in tensors]
    alive = [
        sum(
            size for size, each in zip(padded, tensors, strict=True) if each.first <= t <= each.last
        )
        for t in range(-1, 16)
    ]
    assert max(alive) <= arena_size(tensors) <= sum(padded)


def test_the_profile_of_a_run_has_the_multiply_adds_of_its_layers(trained_run):
    profile = device_profile(trained_run.tflite)
    _, rows = read_keras_file(trained_run.best)
    assert profile.multiply_adds == sum(row.multiply_adds for row in rows)
    assert profile.flash_bytes == trained_run.tflite.stat().st_size
    # 16 x 16 x 3 pixels as float32, and the 14 x 14 x 4 numbers of the convolution beside them.
    pixels, convolution = 16 * 16 * 3 * 4, 14 * 14 * 4 * 4
    assert profile.arena_bytes == pytest.approx(pixels + convolution, rel=0.01)
