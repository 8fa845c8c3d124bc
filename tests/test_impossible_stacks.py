"""A stack that cannot be built is refused at its layer, with the reason."""

from __future__ import annotations

import pytest
from stacks import layers_of

from cnnkit.arithmetic import (
    StackError,
    check_stack,
)


@pytest.mark.parametrize(
    ("stack", "path", "words"),
    [
        (
            ["pool"] * 5 + ["flatten"],
            (4,),
            "pool of 2 x 2 does not fit: the image is already 1 x 1 here (28 > 14 > 7 > 3 > 1)",
        ),
        (["flatten", {"conv": {"filters": 2, "kernel_size": 3}}], (1,), "conv needs maps"),
        (
            ["flatten", "flatten", "global_pool"],
            (2,),
            "flatten before it returns a row of 784 numbers",
        ),
        (
            [{"conv": {"filters": 4, "kernel_size": 3, "groups": 2}}, "flatten"],
            (0,),
            "groups=2 must",
        ),
        ([{"conv": {"filters": 4, "kernel_size": 3}}], (0,), "maps of 26 x 26 x 4"),
        (
            [{"residual": [{"conv": {"filters": 4, "kernel_size": 3}}]}, "flatten"],
            (0,),
            "the shortcut gives 28 x 28 x 1, but the layers inside give 26 x 26 x 4",
        ),
        (
            [{"residual": ["pool", {"conv": {"filters": 4, "kernel_size": 30}}]}, "flatten"],
            (0, "residual", "layers", 1),
            "conv of 30 x 30 does not fit: the image is already 14 x 14",
        ),
        (
            [{"residual": {"layers": ["ReLU"], "shortcut": ["pool"]}}, "flatten"],
            (0,),
            "the shortcut gives 14 x 14 x 1, but the layers inside give 28 x 28 x 1.",
        ),
        (
            [{"branches": [["pool"], []]}, "flatten"],
            (0,),
            "the branches end with different maps: 14 x 14 x 1, 28 x 28 x 1.",
        ),
        (
            [{"branches": [[], ["flatten", {"pool": 2}]]}, "flatten"],
            (0, "branches", "stacks", 1, 1),
            "pool needs maps",
        ),
        (
            [{"conv": {"filters": 1, "kernel_size": 3, "pad": {"size": 28, "mode": "reflect"}}}],
            (0,),
            "pad with mode: reflect can mirror at most 27 of the 28",
        ),
        (
            [{"residual": ["flatten", {"dense": 10}]}, "flatten"],
            (0,),
            "the shortcut gives 28 x 28 x 1, but the layers inside give 10, and no 1 x 1",
        ),
        (
            [{"conv": {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": [1, 2]}}],
            (0,),
            "strides of 2 and dilation_rate of [1, 2] cannot be combined",
        ),
        (
            [
                {
                    "Conv2DTranspose": {
                        "filters": 4,
                        "kernel_size": 3,
                        "strides": 2,
                        "dilation_rate": 2,
                    }
                }
            ],
            (0,),
            "strides of 2 and dilation_rate of 2 cannot be combined",
        ),
        (
            [
                {
                    "Conv2DTranspose": {
                        "filters": 4,
                        "kernel_size": 3,
                        "strides": [3, 2],
                        "output_padding": 2,
                    }
                }
            ],
            (0,),
            "output_padding of 2 must be less than strides",
        ),
        ([{"Normalization": {"mean": 1}}], (0,), "mean and variance belong together"),
        (
            [{"Normalization": {"mean": [1, 2], "variance": 1}}],
            (0,),
            "mean and variance belong together",
        ),
        (
            [{"Normalization": {"mean": [1, 2], "variance": [1, 2]}}],
            (0,),
            "mean and variance have 2 values, but axis -1 of 28 x 28 x 1 has size 1.",
        ),
        ([{"PReLU": {"shared_axes": [1, 4]}}], (0,), "28 x 28 x 1 has no axis [1, 4]"),
        ([{"group_norm": 2}, "flatten"], (0,), "groups=2 must divide the 1 channels"),
        ([{"Reshape": [3, 3]}, "flatten"], (0,), "784 numbers, which cannot be reshaped to 3 x 3"),
        ([{"layer_norm": {"axis": 4}}, "flatten"], (0,), "28 x 28 x 1 has no axis 4"),
        ([{"Conv1D": {"filters": 2, "kernel_size": 3}}], (0,), "it needs sequences"),
    ],
)
def test_an_impossible_stack_is_refused_at_its_layer(stack, path, words):
    with pytest.raises(StackError) as refused:
        check_stack(layers_of(*stack), (28, 28, 1))
    assert refused.value.path == path
    assert words in refused.value.message
