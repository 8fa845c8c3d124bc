"""Each trouble of `scripts/troubles.py`, trained: its verdict comes first; healthy runs get none.

The seed is not one of those that the rules were made with.
"""

from __future__ import annotations

import sys

import pytest
from places import SCRIPTS

pytestmark = pytest.mark.usefixtures("no_pictures")

sys.path.insert(0, str(SCRIPTS))

from diagnoses import table, verdicts_of  # noqa: E402
from grey_images import digits  # noqa: E402
from troubles import HEALTHY, TROUBLES, Trouble  # noqa: E402

_SEED = 7


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_the_verdict_of_a_trouble_comes_first(trouble, tmp_path):
    assert verdicts_of(trouble, _SEED, tmp_path, digits())[0] in trouble.verdicts


@pytest.mark.slow
@pytest.mark.parametrize("trouble", HEALTHY, ids=lambda trouble: trouble.name)
def test_a_healthy_training_gets_no_verdict(trouble, tmp_path):
    assert verdicts_of(trouble, _SEED, tmp_path, digits()) == []


def test_the_table_counts_first_and_later_verdicts():
    trouble = Trouble("few images", ("overfitting",), make=lambda folder, seed, images: {})
    runs = [["overfitting", "plateau"], ["overfitting"], []]
    last = table({trouble: runs}).splitlines()[-1]
    assert last == "| few images | 2 | +1 | 1 |"
