"""Groups of connected items, against a plain loop."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.data.connected import connected_groups, connecting_pairs

_PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


def _joined_in_turn(num_items, pairs):
    """Return the group of each item as a set, and the positions of the pairs that joined two."""
    groups = [{item} for item in range(num_items)]
    joining = []
    for position, (first, second) in enumerate(pairs):
        if groups[first] is not groups[second]:
            joining.append(position)
            groups[first] |= groups[second]
            for item in groups[first]:
                groups[item] = groups[first]
    return groups, joining


@settings(deadline=None)  # SciPy is imported in the first example
@given(_PAIRS)
def test_connected_items_have_one_number(pairs):
    groups, _ = _joined_in_turn(10, pairs)
    numbers = connected_groups(10, pairs)
    for item in range(10):
        assert {other for other in range(10) if numbers[other] == numbers[item]} == groups[item]
    firsts = [number for i, number in enumerate(numbers) if number not in numbers[:i]]
    assert firsts == list(range(len(firsts)))


@settings(deadline=None)  # SciPy is imported in the first example
@given(_PAIRS)
def test_the_connecting_pairs_are_those_that_join_two_groups(pairs):
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    assert connecting_pairs(10, pairs) == _joined_in_turn(10, pairs)[1]


def test_nothing_is_connected_without_pairs():
    assert connected_groups(3, []).tolist() == [0, 1, 2]
    assert connecting_pairs(3, []) == []
