"""Stacks of layers to count, and the numbers of their rows."""

from __future__ import annotations

from hypothesis import strategies as st

from cnnkit.config import read_layers


def layers_of(*stack):
    return read_layers(list(stack))


FEW, PADDING = st.integers(1, 3), st.sampled_from(["valid", "same"])
BORDER = st.fixed_dictionaries(
    {"size": st.integers(0, 2), "mode": st.sampled_from(["zeros", "edge", "reflect"])}
)


def drawn(name, **arguments):
    return st.fixed_dictionaries(arguments).map(lambda given: {name: given})


PLAIN = st.one_of(
    drawn("conv", filters=FEW, kernel_size=FEW, strides=FEW, padding=PADDING,
          use_bias=st.booleans()),
    drawn("conv", filters=FEW, kernel_size=st.tuples(FEW, FEW), dilation_rate=FEW),
    drawn("conv", filters=FEW, kernel_size=FEW, strides=FEW, pad=BORDER),
    drawn("depthwise_conv", kernel_size=FEW, depth_multiplier=FEW, padding=PADDING),
    drawn("separable_conv", filters=FEW, kernel_size=FEW, pad=BORDER),
    drawn("pool", type=st.sampled_from(["max", "average"]), pool_size=FEW,
          strides=st.none() | FEW, padding=PADDING),
    drawn("batch_norm", scale=st.booleans(), center=st.booleans()),
    drawn("ZeroPadding2D", padding=FEW),
    drawn("Cropping2D", cropping=FEW),
    st.sampled_from([
        "ReLU", "layer_norm", "PReLU", {"dropout": 0.5}, {"spatial_dropout": 0.1},
        {"activation": "gelu"}, {"group_norm": 1}, {"squeeze_excite": 2},
    ]),
)  # fmt: skip
SAME = st.one_of(
    drawn("conv", filters=FEW, kernel_size=FEW, padding=st.just("same")),
    drawn("pool", pool_size=FEW, strides=st.just(1), padding=st.just("same")),
    st.sampled_from(["batch_norm", {"squeeze_excite": 2}]),
)
STRIDED = drawn("conv", filters=FEW, kernel_size=FEW, strides=FEW, padding=st.just("same"))
STACK = st.lists(SAME, min_size=1, max_size=2)
BLOCK = st.one_of(
    st.tuples(STRIDED, STACK).map(lambda parts: {"residual": [parts[0], *parts[1]]}),
    st.tuples(STACK, STACK).map(lambda parts: {"branches": [*parts, []]}),
)
STACKS = st.lists(st.one_of(PLAIN, PLAIN, BLOCK), min_size=1, max_size=5)
