"""JSONL manifests: the rows of a CSV, as one JSON object per line."""

from __future__ import annotations

import json

import pytest
from images import data_config, write_classes

from cnnkit.data.sources.listing import find_images
from cnnkit.errors import DataError


def manifest(tmp_path, *lines, name="list.jsonl"):
    path = tmp_path / name
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_bytes("\n".join(texts).encode())
    return path


def found_in(path, **changes):
    return find_images(data_config(path, **changes)).records


def refusal(path):
    with pytest.raises(DataError) as caught:
        found_in(path)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", ["list.jsonl", "list.NDJSON"])
def test_each_line_is_an_image(tmp_path, name):
    write_classes(tmp_path, {"cat": 2, "owl": 1})
    path = manifest(
        tmp_path,
        {"path": "owl/00.png", "label": " owl ", "split": "Train", "more": [1, {}]},
        "",
        {"label": "cat", "path": "cat/01.png", "split": "val", "group": "p1", "sha256": "0f" * 32},
        {"path": str(tmp_path / "cat" / "00.png"), "label": "cat", "split": "train", "group": None},
        name=name,
    )
    records = found_in(path, allow_missing_classes=True)
    assert [(r.path, r.label, r.split, r.group, r.sha256) for r in records] == [
        ("cat/00.png", "cat", "train", None, None),
        ("cat/01.png", "cat", "validation", "p1", "0f" * 32),
        ("owl/00.png", " owl ", "train", None, None),
    ]
    assert records[1].file.read_bytes() == (tmp_path / "cat" / "01.png").read_bytes()


def test_a_number_as_label_or_group_keeps_its_text(tmp_path):
    write_classes(tmp_path, {"cat": 4})
    labels = ["1", "1.50", "1e-4", '"01"']
    lines = [
        f'{{"path": "cat/{i:02d}.png", "label": {label}, "group": 1.0}}'
        for i, label in enumerate(labels)
    ]
    records = found_in(manifest(tmp_path, *lines))
    assert [r.label for r in records] == ["1", "1.50", "1e-4", "01"]
    assert {r.group for r in records} == {"1.0"}


def test_all_bad_lines_are_reported_at_once(tmp_path):
    write_classes(tmp_path, {"cat": 3})
    path = manifest(
        tmp_path,
        {"path": "cat/00.png", "label": "cat"},
        '{"path": "cat/01.png", "label": "cat"',
        '["cat/01.png", "cat"]',
        {"path": "cat/01.png", "lable": "cat"},
        {"path": "cat/01.png", "label": True},
        {"path": 7, "label": "cat"},
        '{"path": "cat/01.png", "label": "cat", "label": "owl"}',
        {"path": "cat/01.png", "label": ["cat"]},
        {"path": "cat/01.png", "label": None},
        {"path": "cat/none.png", "label": "cat"},
        {"path": "cat/00.png", "label": "owl"},
        {"path": "cat/02.png", "label": "owl", "split": "tset"},
        {"path": "cat/02.png", "label": "owl", "group": "\ud83d"},
        {"path": "\ud83d.png", "label": "owl"},
        '{"\\ud83d": 1}',
    )
    lines = refusal(path)
    assert lines[0] == f"{path} has 14 bad lines:"
    assert "line 2: it is not JSON: Expecting ',' delimiter" in lines[1]
    expected = [
        'line 3: expected an object like {"path": "a.jpg", "label": "cat"}',
        "line 4: it lacks label; it has path, lable",
        "line 5: label is true, expected a text or a number",
        "line 6: path is 7, expected a text",
        "line 7: it has label more than once",
        'line 8: label is ["cat"], expected a text or a number',
        "line 9: cat/01.png has no label",
        f"line 10: cat/none.png does not exist (looked for {tmp_path / 'cat' / 'none.png'})",
        "line 11: cat/00.png is already in line 1",
        "line 12: unknown split 'tset', expected train, validation, test. Did you mean test?",
        "line 13: group has half of a character (\\ud83d)",
        "line 14: path has half of a character (\\ud83d)",
        "line 15: it lacks path and label; it has \ud83d",
    ]
    assert [line.strip() for line in lines[2:-1]] == expected
    assert lines[-1].startswith("Put the files back, or remove their lines.")


def test_an_empty_file_and_one_that_is_not_utf_8_are_refused(tmp_path):
    assert refusal(manifest(tmp_path))[0].endswith("lists no image: it has no lines.")
    path = tmp_path / "latin.jsonl"
    path.write_bytes('{"path": "é", "label": "cat"}'.encode("latin-1"))
    assert "not UTF-8 text (byte 10)" in refusal(path)[0]
