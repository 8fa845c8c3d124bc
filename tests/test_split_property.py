"""Properties of every split: exact, disjoint, complete, stable, and groups are not divided."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.config.data_section import SplitConfig
from cnnkit.data.records import ImageRecord
from cnnkit.data.split.assignment import Pool, assign_splits
from cnnkit.data.split.folds import deal_units
from cnnkit.data.split.stratified import split_units
from cnnkit.data.split.units import units_of
from cnnkit.errors import DataError

FEW = settings(max_examples=60, deadline=None)
FRACTIONS = st.tuples(st.sampled_from([0.1, 0.2, 0.34]), st.sampled_from([0.1, 0.25, 0.4]))


@st.composite
def collections(draw, *, groups=True):
    """Return (records, hashes) of up to four classes, with copies and groups of any kind."""
    num_groups = draw(st.integers(1, 25))
    records, hashes = [], []
    for label in "abcd"[: draw(st.integers(2, 4))]:
        for i in range(draw(st.integers(3, 25))):
            group = draw(st.none() | st.integers(0, num_groups)) if groups else None
            group = None if group is None else f"g{group}"
            records.append(ImageRecord(f"{label}/{i}", Path("x"), label, group=group))
            # a copy of an earlier image, now and then of another class
            copied = hashes and draw(st.integers(0, 9)) == 0
            hashes.append(draw(st.sampled_from(hashes)) if copied else f"{label}{i}")
    return records, hashes


def divided(records, hashes, fractions, seed=0, kept=None, allow=True):
    config = SplitConfig(test=fractions[0], validation=fractions[1], seed=seed)
    splits, _ = assign_splits(records, hashes, config, allow_missing_classes=allow, kept=kept)
    return splits


def owners_of(records, hashes):
    owners = {}
    for r, digest in zip(records, hashes, strict=True):
        owners[digest] = min(owners.get(digest, r.label), r.label)
    return owners


@FEW
@given(collections(groups=False), FRACTIONS, st.integers(0, 5))
def test_without_groups_each_class_has_exactly_its_fraction(images, fractions, seed):
    records, hashes = images
    splits = divided(records, hashes, fractions, seed)
    side_of = dict(zip(hashes, splits, strict=True))
    owners = owners_of(records, hashes)
    sizes = Counter(owners.values())
    found = Counter((owners[digest], side) for digest, side in side_of.items())
    for label, number in sizes.items():
        test, validation = (max(1, round(part * number)) for part in fractions)
        if test + validation >= number:
            test = validation = 0  # too small, and allowed to be missing
        assert (found[label, "test"], found[label, "validation"]) == (test, validation)


@FEW
@given(collections(), FRACTIONS, st.integers(0, 5))
def test_contents_and_groups_are_never_divided_and_every_image_has_a_split(images, fractions, seed):
    records, hashes = images
    splits = divided(records, hashes, fractions, seed)
    assert set(splits) <= {"train", "validation", "test"}
    for keys in (hashes, [r.group or f"alone {i}" for i, r in enumerate(records)]):
        sides = {}
        for key, split in zip(keys, splits, strict=True):
            assert sides.setdefault(key, split) == split


@FEW
@given(collections(), FRACTIONS)
def test_every_class_is_in_every_split_or_all_small_ones_are_named(images, fractions):
    records, hashes = images
    try:
        splits = divided(records, hashes, fractions, allow=False)
    except DataError as error:
        assert "too few" in str(error)
        return
    owners = owners_of(records, hashes)
    found = {(owners[digest], side) for digest, side in zip(hashes, splits, strict=True)}
    assert len(found) == 3 * len(set(owners.values()))


@FEW
@given(st.dictionaries(st.integers(0, 40), st.integers(1, 12), min_size=3), FRACTIONS)
def test_groups_of_one_class_miss_the_fraction_by_less_than_the_largest(sizes, fractions):
    records = [
        ImageRecord(f"{group}-{i}", Path("x"), label, group=f"{label}{group}")
        for label in ("cat", "owl")
        for group, number in sizes.items()
        for i in range(number)
    ]
    hashes = [f"{r.label} {r.path}" for r in records]
    total = sum(sizes.values())
    targets = [max(1, round(part * total)) for part in fractions]
    if sum(targets) >= total:
        return
    splits = divided(records, hashes, fractions, allow=False)
    found = Counter((r.label, split) for r, split in zip(records, splits, strict=True))
    for label in ("cat", "owl"):
        for part, target in zip(("test", "validation"), targets, strict=True):
            assert abs(found[label, part] - target) <= max(sizes.values())


@FEW
@given(collections(), FRACTIONS, st.randoms(use_true_random=False))
def test_order_and_names_of_files_do_not_matter(images, fractions, chance):
    records, hashes = images
    expected = divided(records, hashes, fractions)
    order = list(range(len(records)))
    chance.shuffle(order)
    renamed = [
        ImageRecord(f"new {i}", Path("y"), records[i].label, group=records[i].group) for i in order
    ]
    found = divided(renamed, [hashes[i] for i in order], fractions)
    assert found == [expected[i] for i in order]


@FEW
@given(collections(groups=False), st.sampled_from([0.1, 0.3]), st.sampled_from([0.0, 0.1, 0.4]))
def test_the_test_images_do_not_depend_on_the_fraction_of_validation(images, test, validation):
    records, hashes = images
    owners = owners_of(records, hashes)
    sizes = Counter(owners.values())
    if any(max(1, round(test * n)) + max(1, round(0.4 * n)) >= n for n in sizes.values()):
        return  # too small a class changes sides as a whole
    one, other = (divided(records, hashes, (test, part)) for part in (validation, 0.2))
    assert [side == "test" for side in one] == [side == "test" for side in other]


@FEW
@given(collections(), FRACTIONS, FRACTIONS, st.data())
def test_images_keep_their_split_when_others_come_and_go(images, fractions, later, data):
    records, hashes = images
    first = data.draw(st.lists(st.booleans(), min_size=len(records), max_size=len(records)))
    old = [i for i, chosen in enumerate(first) if chosen]
    if not old:
        return
    sides = divided([records[i] for i in old], [hashes[i] for i in old], fractions)
    kept = [None] * len(records)
    for i, side in zip(old, sides, strict=True):
        kept[i] = side
    pool = Pool(records, hashes, [r.group for r in records])
    try:
        pool.kept_splits(kept)
    except DataError as error:  # a new image joins two sides
        assert "would have to move to another split" in str(error)
        return
    splits = divided(records, hashes, later, seed=9, kept=kept)
    assert all(side in (None, split) for side, split in zip(kept, splits, strict=True))


@FEW
@given(collections(), st.integers(2, 5), st.integers(0, 5))
def test_folds_divide_no_group_and_are_balanced(images, num_folds, seed):
    records, hashes = images
    owners = owners_of(records, hashes)
    units = units_of(owners, ((d, r.group) for d, r in zip(hashes, records, strict=True)))
    assert sorted(content for unit in units for content in unit.contents) == sorted(owners)
    folds = deal_units(units, num_folds, seed, [None] * len(units))
    assert set(folds) <= set(range(num_folds))
    largest = max(len(unit.contents) for unit in units)
    for label in set(owners.values()):
        counts = Counter()
        for unit, fold in zip(units, folds, strict=True):
            counts[fold] += dict(unit.counts).get(label, 0)
        if largest == 1:
            numbers = [counts[fold] for fold in range(num_folds)]
            assert max(numbers) - min(numbers) <= 1


@FEW
@given(collections(groups=False), st.integers(2, 5), st.data())
def test_folds_stay_when_images_are_added(images, num_folds, data):
    records, hashes = images
    owners = owners_of(records, hashes)
    units = units_of(owners, ())
    number = data.draw(st.integers(0, len(units)))
    old = deal_units(units[:number], num_folds, 0, [None] * number)
    folds = deal_units(units, num_folds, 1, old + [None] * (len(units) - number))
    assert folds[:number] == old


@FEW
@given(collections(), FRACTIONS, st.integers(0, 3))
def test_the_order_of_units_does_not_change_the_split(images, fractions, seed):
    records, hashes = images
    units = units_of(
        owners_of(records, hashes), ((d, r.group) for d, r in zip(hashes, records, strict=True))
    )
    shares = dict(zip(("test", "validation"), fractions, strict=True))
    parts, _ = split_units(units, shares, seed, allow_missing_classes=True)
    order = list(range(len(units)))
    random.Random(seed).shuffle(order)
    shuffled, _ = split_units([units[i] for i in order], shares, seed, allow_missing_classes=True)
    assert shuffled == [parts[i] for i in order]
