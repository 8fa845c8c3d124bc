r"""CSV and JSONL files of other programs: encodings, separators, `\`, quotation marks."""

from __future__ import annotations

import pytest
from images import data_config, write_classes

from cnnkit.data.sources.listing import find_images
from cnnkit.errors import DataError

ROWS = ["path,label", "cat/00.png,cat", "cat/01.png,cat", "dog/00.png,dog", "dog/01.png,dog"]
TEXT = "\n".join([*ROWS, ""])


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path, {"cat": 2, "dog": 2})


def source_of(folder, text, encoding="utf-8", name="list.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return find_images(data_config(folder / name))


def refusal(folder, text, **options):
    with pytest.raises(DataError) as caught:
        source_of(folder, text, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "encoding", "note"),
    [
        (TEXT, "utf-8-sig", None),
        (TEXT, "utf-16", None),
        (TEXT, "utf-16-le", None),
        (TEXT, "utf-16-be", None),
        (TEXT, "utf-32", None),
        (TEXT.replace("\n", "\r\n"), "utf-16", None),
        (TEXT.replace(",", ";"), "utf-8", "The columns are separated by semicolons."),
        (TEXT.replace(",", "\t"), "utf-16", "The columns are separated by tabs."),
        (TEXT.replace(",", "|"), "utf-8", "The columns are separated by vertical bars."),
        ("sep=;\r\n" + TEXT.replace(",", ";"), "utf-8", "The columns are separated by semicolons."),
        ("sep=,\n" + TEXT, "utf-8", None),
        (TEXT.replace("/", "\\"), "utf-8", "Read with / instead of \\: 4 paths."),
    ],
)
def test_tables_of_other_programs_are_read(folder, text, encoding, note):
    source = source_of(folder, text, encoding)
    assert [(r.path, r.label) for r in source.records] == [
        tuple(row.split(",")) for row in ROWS[1:]
    ]
    assert source.notes == ((note,) if note else ())


def test_trailing_empty_cells_are_ignored(folder):
    assert len(source_of(folder, TEXT.replace("t\n", "t,, \n")).records) == 4


@pytest.mark.parametrize(
    ("name", "written", "note"),
    [
        ("a b.png", "cat/a%20b.png", "Read with the characters that %20 and the like stand for"),
        ("é#.png", "cat/%C3%A9%23.png", "Read with the characters that %20 and the like stand for"),
        ("a b.png", "file://{}/cat/a%20b.png", "Read with the characters that %20"),
        ("50%.png", "cat/50%.png", None),
        ("a%20b.png", "cat/a%20b.png", None),
        ("IMG_1.JPG", "cat/img_1.jpg", "Found although upper and lower case differ on disk"),
        ("IMG_1.JPG", "Cat/IMG_1.jpg", "Found although upper and lower case differ on disk"),
        ("x.png", "CAT\\x.png", "Read with / instead of \\"),
        ("a b.png", "cat\\a%20b.png", "Read with / instead of \\"),
    ],
)
def test_paths_of_other_programs_and_systems_are_found(folder, name, written, note):
    (folder / "cat" / "01.png").rename(folder / "cat" / name)
    source = source_of(folder, row(3, written.format(folder) + ",cat"))
    assert f"cat/{name}" in {record.path for record in source.records}
    assert len(source.notes) == (0 if note is None else 1 + ("\\" in written))
    assert note is None or note in source.notes[0]


def test_a_path_that_fits_two_files_by_case_is_not_guessed(folder):
    for name in ("A.png", "a.png"):
        (folder / "cat" / name).write_bytes((folder / "cat" / "01.png").read_bytes())
    with pytest.raises(DataError, match="cat/A.PNG does not exist"):
        source_of(folder, row(3, "cat/A.PNG,cat"))


def row(number, text):
    return "\n".join([*ROWS[: number - 1], text, *ROWS[number:], ""])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace(".png", ""), "line 2: cat/00 does not exist, but 00.png does: write the ext"),
        (row(3, '"cat/01.png,cat'), "line 3: a quotation mark in this line is not closed before"),
        (row(3, 'cat/01.png,"cat'), "line 3: a quotation mark in this line is not closed before"),
        (row(3, '"cat/01.png,cat') + "x,y\n" * 50_000, "begins in line 3. Perhaps a quotation"),
        (row(3, r"C:\data\cat\01.png,cat"), r"line 3: C:\data\cat\01.png is a path of a Windows"),
        (TEXT[11:], "has no header: its first line is already an image (cat/00.png, cat)"),
        (TEXT.replace("path,label", "filename,class"), "Rename filename to path and class to lab"),
        ("x" * 140_000 + TEXT, "begins in line 1. Perhaps a quotation mark in that line is not"),
        (TEXT.encode("utf-16") + b"\x00", "begins like UTF-16 text, but byte"),
        (row(3, "cat/01.png,cat, small"), "line 3: it has 3 cells, the first line has 2; put quot"),
        (row(3, "a, b.png,cat"), "line 3: it has 3 cells, the first line has 2; put quotation"),
        (row(3, "https://a.org/01.png,cat"), "line 3: https://a.org/01.png is a web address; down"),
        (row(3, "gs://bucket/01.png,cat"), "line 3: gs://bucket/01.png is a web address; downl"),
        ("filename, cat, dog\ncat/00.png, 1, 0\n", "has one column for each class (cat, dog), wit"),
        ("image,choice\ncat/00.png,cat\n", "Rename image to path and choice to label."),
    ],
)
def test_the_cause_and_its_line_are_named(folder, text, message):
    assert message in refusal(folder, text)


def test_a_path_may_have_a_line_break_if_there_is_such_a_file(folder):
    (folder / "cat" / "00.png").rename(folder / "cat" / "a\nb.png")
    source = source_of(folder, row(2, '"cat/a\nb.png",cat'))
    assert "cat/a\nb.png" in {record.path for record in source.records}


def test_a_line_break_in_a_path_is_shown_on_one_line(folder):
    lines = '{"path": "cat/a\\nb.png", "label": "cat"}\n'
    message = refusal(folder, lines, name="list.jsonl")
    assert '  line 1: "cat/a\\nb.png" does not exist' in message.splitlines()[1]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("key", ["label", "group"])
def test_a_missing_value_of_pandas_is_no_class(folder, key, value):
    label = value if key == "label" else '"cat", "group": ' + value
    lines = '{"path": "cat/00.png", "label": "cat"}\n{"path": "cat/01.png", "label": ' + label + "}"
    message = refusal(folder, lines, name="list.jsonl")
    assert f"line 2: {key} is {value}, which stands for a missing value" in message


def test_lines_of_json_may_be_utf_16(folder):
    lines = [f'{{"path": "{p}", "label": "{label}"}}' for p, label in
             (each.split(",") for each in ROWS[1:])]  # fmt: skip
    assert len(source_of(folder, "\n".join(lines), "utf-16", "list.jsonl").records) == 4
