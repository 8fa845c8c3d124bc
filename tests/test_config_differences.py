"""In what configs differ: by key, and by entry in lists of different lengths."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.comparison.comparison_text import shortened
from cnnkit.comparison.config_differences import (
    ABSENT,
    config_differences,
    effective_differences,
    flow_text,
)
from cnnkit.config.yaml_reader import read_yaml


def _found(*configs):
    return {each.key: each.values for each in config_differences(configs)}


def test_only_keys_that_differ_are_named_and_absent_ones_are_told_from_null():
    one = {"data": {"source": "a", "split": {"seed": 0}}, "model": {"output": None}}
    two = {"data": {"source": "a", "split": {"seed": 1}}, "model": {}}
    assert _found(one, two) == {"data.split.seed": (0, 1), "model.output": (None, ABSENT)}


def test_lists_of_one_length_are_compared_entry_by_entry():
    one = {"model": {"layers": [{"conv": {"filters": 8}}, "pool", {"dropout": {"rate": 0.2}}]}}
    two = {"model": {"layers": [{"conv": {"filters": 16}}, "pool", {"dropout": {"rate": 0.2}}]}}
    assert _found(one, two) == {"model.layers[0].conv.filters": (8, 16)}


def test_a_layer_more_does_not_make_the_layers_after_it_different():
    one = {"layers": ["flatten", {"dense": {"units": 8}}, "pool"]}
    two = {"layers": ["flatten", {"dropout": {"rate": 0.5}}, {"dense": {"units": 8}}, "pool"]}
    assert _found(one, two) == {"layers": ([], [{"dropout": {"rate": 0.5}}])}
    three = {"layers": ["flatten", {"dense": {"units": 8}}]}
    own = [{"dropout": {"rate": 0.5}}, "pool"]
    assert _found(one, two, three) == {"layers": (["pool"], own, [])}


def test_entries_that_only_some_lists_share_are_shown_for_all_that_have_them():
    with_pool, without = {"layers": ["flatten", "pool"]}, {"layers": ["flatten"]}
    assert _found(with_pool, with_pool, without) == {"layers": (["pool"], ["pool"], [])}
    assert _found(without, with_pool, with_pool) == {"layers": ([], ["pool"], ["pool"])}


def test_values_of_different_kinds_are_one_difference():
    assert _found({"a": {"b": 1}}, {"a": [1]}) == {"a": ({"b": 1}, [1])}
    (difference,) = config_differences([{"a": {"b": 1}}, {}])
    assert difference.rows() == [["b: 1", ""]]


def test_entries_of_lists_are_shown_in_rows():
    (difference,) = config_differences([{"a": ["pool", {"b": [1, 2]}]}, {"a": []}])
    assert difference.rows() == [["pool", ""], ["b: [1, 2]", ""]]


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("abc", max_size=3))
_CONFIGS = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        _SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


@settings(deadline=None)
@given(_CONFIGS, _CONFIGS)
def test_configs_differ_exactly_if_they_are_not_equal(one, two):
    assert _found(one, one) == {}
    assert bool(_found(one, two)) == (one != two)
    assert [each.key for each in config_differences([one, two])] == list(_found(one, two))


def test_the_text_of_a_value_is_yaml():
    value = {"adam": {"learning_rate": 0.001, "amsgrad": False}, "layers": ["pool", None, [1, 2]]}
    assert read_yaml(f"{{{flow_text(value)}}}", "a.yaml").data == value


def test_the_layers_of_one_config_alone_are_in_rows_of_their_own():
    one = {"layers": ["flatten", {"dropout": {"rate": 0.5}}], "epochs": 3}
    rows = {each.key: each.rows() for each in config_differences([one, {"epochs": 5}])}
    assert rows == {
        "layers": [["flatten", ""], ["dropout: {rate: 0.5}", ""]],
        "epochs": [["3", "5"]],
    }


def test_keys_that_every_phase_overrides_are_no_difference():
    phases = [{"train": "linear_probe"}, {"train": "all", "epochs": 5}]
    one = {"training": {"epochs": 20, "warmup_epochs": 1, "phases": phases}}
    two = {"training": {"epochs": 30, "warmup_epochs": 2, "phases": phases}}
    assert list(_found(one, two)) == ["training.epochs", "training.warmup_epochs"]
    (difference,) = effective_differences([one, two])
    assert difference.key == "training.warmup_epochs"


def test_null_and_absent_are_the_same_if_nothing_else_differs():
    one, two = {"data": {"labels": None, "cache": "auto"}}, {"data": {"cache": "disk"}}
    assert [each.key for each in effective_differences([one, two])] == ["data.cache"]
    two["data"]["labels"] = "fixes.csv"
    assert len(effective_differences([one, two])) == 2


def test_wide_cells_are_cut_where_they_differ():
    same = "conv: {filters: 32}, " * 10
    first, second, third = shortened([same + "pool", same + "flatten", "short"])
    assert first == same[:60].strip() + " ..."  # the third differs from the first letter on
    first, second = shortened([same + "pool", same + "flatten"])
    assert first.endswith("}, pool") and second.endswith("}, flatten")
    assert first.startswith("... ") and max(map(len, (first, second))) < 70
