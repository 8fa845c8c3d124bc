"""Exercises about transfer learning: which layers learn in which phase, and how many weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cnnkit.arithmetic import formulas_of
from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.exercise import Exercise
from cnnkit.quiz.small_networks import Network, conv, pool
from cnnkit.quiz.typed_answers import Answer, Choice, Decimal, Names, Whole, decimal_text


@dataclass(frozen=True)
class _Transfer:
    """A pretrained backbone of three convolutions with a new head."""

    network: Network
    backbone: tuple[str, ...]  # the layers with weights
    head: tuple[str, ...]

    @property
    def weights(self) -> dict[str, int]:
        """The number of weights of each layer that has some, by name."""
        rows = zip(self.network.names, self.network.rows, strict=True)
        return {name: row.parameters for name, row in rows if row.parameters}

    def lines(self) -> tuple[str, ...]:
        first, *rest = self.network.lines()
        # The pooling that ends the maps is the first layer of the head.
        start = self.network.names.index("global_pool")
        width = len("backbone  ")
        parts = ["backbone" if i < start else "head" for i in range(len(rest))]
        rows = [f"{part.ljust(width)}{line}" for part, line in zip(parts, rest, strict=True)]
        return (" " * width + first, *rows)

    def counting(self, learning: Sequence[str]) -> Iterator[str]:
        """Yield the formulas of the parameters, and which of them learn."""
        for position, name in enumerate(self.network.names):
            for formula in formulas_of(self.network.rows, position):
                if formula.quantity == "parameters":
                    state = "learns" if name in learning else "frozen"
                    yield f"{name}: {formula.expression} = {formula.result:,}, {state}"

    def exercise(
        self, question: str, answer: Answer, learning: Sequence[str], *end: str, **given: Any
    ) -> Exercise:
        facts = {
            **self.network.given,
            "names": self.network.names,
            "backbone": list(self.backbone),
            "head": list(self.head),
            **given,
        }
        lines = (*self.counting(learning), *end)
        return Exercise(question, answer, lines, self.lines(), facts)


def _transfer(draw: Draw) -> _Transfer:
    side = draw.pick((16, 32, 64))
    filters = draw.pick(((4, 8, 8), (4, 6, 8), (8, 8, 16), (2, 4, 8)))
    layers = [conv(filters[0], 3, 2, "same"), conv(filters[1], 3, 1, "same"), pool("max", 2, 2)]
    layers += [conv(filters[2], 3, 1, "same"), {"global_pool": {}}]
    units = draw.pick((0, 4, 8, 10))
    layers += [{"dense": {"units": units}}] if units else []
    network = Network((side, side, 3), layers, draw.pick((2, 3, 4, 5)))
    head = tuple(name for name in network.names if name in ("dense", "output"))
    return _Transfer(network, ("conv_1", "conv_2", "conv_3"), head)


def _phase(draw: Draw, transfer: _Transfer) -> tuple[str, Any, tuple[str, ...]]:
    """Return a phase in words, as `train` in a config, and the layers that learn in it."""
    first = draw.pick(transfer.backbone)
    start = transfer.backbone.index(first)
    number = draw.whole(1, 2)
    return draw.pick(
        (
            ("only the head learns (train: head)", "head", transfer.head),
            (
                f"the backbone learns from {first} on, and the head does, too "
                f"(train: {{backbone_from: {first}}})",
                {"backbone_from": first},
                transfer.backbone[start:] + transfer.head,
            ),
            (
                f"the last {number} of the backbone's layers with weights learn, and the head "
                f"does, too (train: {{last_layers: {number}}})",
                {"last_layers": number},
                transfer.backbone[-number:] + transfer.head,
            ),
            ("everything learns (train: all)", "all", transfer.backbone + transfer.head),
        )
    )


def trainable_weights(draw: Draw) -> Exercise:
    """Ask how many weights learn in a phase."""
    transfer = _transfer(draw)
    words, train, learning = _phase(draw, transfer)
    counts = [transfer.weights[name] for name in learning]
    ask = ("How many parameters are trainable?", "How many weights learn, biases included?")
    total = f"trainable: {' + '.join(map(str, counts))} = {sum(counts):,}"
    question = f"In a phase of the training, {words}. {draw.pick(ask)}"
    return transfer.exercise(question, Whole(sum(counts)), learning, total, train=train)


def frozen_weights(draw: Draw) -> Exercise | None:
    """Ask how many weights stay as they are in a phase."""
    transfer = _transfer(draw)
    words, train, learning = _phase(draw, transfer)
    counts = [count for name, count in transfer.weights.items() if name not in learning]
    if not counts:
        return None
    ask = ("How many parameters are frozen?", "How many weights stay as they were pretrained?")
    total = f"frozen: {' + '.join(map(str, counts))} = {sum(counts):,}"
    question = f"In a phase of the training, {words}. {draw.pick(ask)}"
    return transfer.exercise(question, Whole(sum(counts)), learning, total, train=train)


def learning_layers(draw: Draw) -> Exercise:
    """Ask which layers learn in a phase."""
    transfer = _transfer(draw)
    words, train, learning = _phase(draw, transfer)
    names = tuple(transfer.weights)
    ask = ("The weights of which layers change?", "Which layers learn?")
    question = f"In a phase of the training, {words}. {draw.pick(ask)}"
    return transfer.exercise(question, Names(learning, names), learning, train=train)


def scaled_pixel(draw: Draw) -> Exercise:
    """Ask what a backbone sees for a pixel."""
    pixel = draw.whole(0, 255)
    low, value = draw.pick(((-1, pixel / 127.5 - 1), (0, pixel / 255)))
    formula = f"{pixel}/127.5 - 1" if low else f"{pixel}/255"
    words = (
        f"A backbone was trained on pixels from {low} to 1, so its preprocessing maps 0 to {low} "
        f"and 255 to 1, evenly in between. What does it make of a pixel of {pixel}?",
        f"Pixels from 0 to 255 are scaled evenly to the range {low} to 1 that a backbone expects. "
        f"Which number does {pixel} become?",
    )
    return Exercise(
        draw.pick(words),
        Decimal(value, 0.01),
        (f"{formula} = {decimal_text(value)}",),
        given={"pixel": pixel, "range": [low, 1]},
    )


_REASONS = (
    (
        "The head was trained with Adam at a learning rate of 0.001. Now the whole backbone is "
        "fine-tuned. Which of these learning rates is the sensible one?",
        ("0.0001", "0.01", "1"),
        "The pretrained weights are good already. Fine-tuning takes a tenth of the rate of the "
        "head or less, because large steps would destroy them.",
    ),
    (
        "Why does the head learn first, while the backbone is frozen?",
        (
            "The new head begins with random weights, and its large gradients would spoil the "
            "pretrained ones",
            "A frozen backbone reads more images in each step",
            "Without this, the output layer would have the wrong number of classes",
        ),
        "The gradients pass through the random head first. As long as it is wrong, they change "
        "good weights of the backbone for no reason.",
    ),
    (
        "You have 200 photographs of 4 kinds of flowers, and a backbone trained on a million "
        "photographs. What do you try first?",
        (
            "Freeze the backbone and train a new head",
            "Train all layers from random weights",
            "Freeze the head and train the backbone",
        ),
        "200 photographs are too few to learn edges and textures from, and the backbone knows "
        "them already. The head is new, so it has to learn.",
    ),
    (
        "While the backbone is frozen, its features of each image (without augmentation) can be "
        "computed once and kept for all epochs. Why?",
        (
            "Frozen weights do not change, so the same image always gives the same features",
            "The features of a frozen backbone are the same for all images",
            "The head has no weights",
        ),
        "Features depend on the image and on the weights. If neither changes, they stay the same.",
    ),
)


def reason(draw: Draw) -> Exercise:
    """Ask for a reason or a choice, with one right option."""
    question, options, solution = draw.pick(_REASONS)
    shown = draw.shuffled(options)
    return Exercise(question, Choice(tuple(shown), shown.index(options[0])), (solution,))


TRANSFER = (trainable_weights, learning_layers, reason, frozen_weights, scaled_pixel)
