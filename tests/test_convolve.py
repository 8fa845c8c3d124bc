"""`cnnkit convolve`: worked examples from lectures with every step, and wrong input."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from cnnkit.cli import main

FIVE = "[[3,3,2,1,0],[0,0,1,3,1],[3,1,2,2,3],[2,0,0,2,2],[2,0,0,0,1]]"
KERNEL = "[[0,1,2],[2,2,0],[0,1,2]]"
BINARY = "[[1,1,1,0,0],[0,1,1,1,0],[0,0,1,1,1],[0,0,1,1,0],[0,1,1,0,0]]"
CROSS = "[[1,0,1],[0,1,0],[1,0,1]]"
MAX_POOLED = "[[1,1,2,4],[5,6,9,3],[3,2,4,4],[1,2,0,7]]"
BOTH_POOLED = "[[4,3,1,5],[1,3,4,8],[4,5,4,3],[6,5,9,4]]"
OVER_THE_EDGE = "[[0,1,0,0,0],[0,1,1,1,0],[1,0,1,2,1],[1,4,2,1,0],[0,0,1,2,1]]"


def run(*words, exit_code=0):
    result = CliRunner().invoke(main, ["convolve", *map(str, words)])
    assert result.exit_code == exit_code, result.output
    return result.stderr if exit_code else result.stdout


def document(*words):
    return json.loads(run(*words, "--json"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((FIVE, "--kernel", KERNEL), [[12, 12, 17], [10, 17, 19], [9, 6, 14]]),
        ((BINARY, "--kernel", CROSS), [[4, 3, 4], [2, 4, 3], [2, 3, 4]]),
        ((MAX_POOLED, "--pool", "max"), [[6, 9], [3, 7]]),
        ((BOTH_POOLED, "--pool", "max"), [[4, 8], [6, 9]]),
        ((BOTH_POOLED, "--pool", "average"), [[2.75, 4.5], [5, 5]]),
        (
            (OVER_THE_EDGE, "--pool", "max", "--pool-padding", "same"),
            [[1, 1, 0], [4, 2, 1], [0, 2, 1]],
        ),
        ((MAX_POOLED, "--pool", "max", "--flatten"), [6, 9, 3, 7]),
        ((MAX_POOLED, "--flatten"), [1, 1, 2, 4, 5, 6, 9, 3, 3, 2, 4, 4, 1, 2, 0, 7]),
        (("[[1,-2],[-3,4]]", "--relu"), [[1, 0], [0, 4]]),
        # the kernel is not flipped: flipped, this would be 123
        (("[[1,2,3]]", "--kernel", "[[1,10,100]]"), [[321]]),
        (("[[1,2,3]]", "--kernel", "[[1/3,1/3,1/3]]"), [[2]]),
    ],
)
def test_the_worked_examples(words, expected):
    found = document("--input", *words)
    assert found["output"] == expected
    assert found["stages"][-1]["output"] == expected


def test_every_step_is_printed():
    text = run("--input", FIVE, "--kernel", KERNEL)
    assert "rows and columns: floor((5 - 3)/1) + 1 = 3\n" in text
    step = """\
[0, 0]: rows 0 to 2, columns 0 to 2
  3  3  2   x   0  1  2   3*0 + 3*1 + 2*2 =  7
  0  0  1   x   2  2  0   0*2 + 0*2 + 1*0 =  0
  3  1  2   x   0  1  2   3*0 + 1*1 + 2*2 =  5
                                      sum = 12
"""
    assert step in text
    assert text.count("sum = ") == 9
    assert text.endswith(
        "result of the convolution, 3 x 3\n  12  12  17\n  10  17  19\n   9   6  14\n"
    )


def test_the_steps_of_pooling_leave_out_what_is_outside_the_map():
    text = run("--input", OVER_THE_EDGE, "--pool", "average", "--pool-padding", "same")
    assert "floor((5 + 0 + 1 - 2)/2) + 1 = 3\n" in text
    assert "[2, 1]: rows 4 to 5, columns 2 to 3\n  1  2\n  -  -\n  (1 + 2) / 2 = 1.5\n" in text
    assert "[2, 2]: rows 4 to 5, columns 4 to 5\n  1  -\n  -  -\n  (1) / 1 = 1\n" in text
    text = run("--input", MAX_POOLED, "--pool", "max")
    assert "[0, 1]: rows 0 to 1, columns 2 to 3\n  2  4\n  9  3\n  max(2, 4, 9, 3) = 9\n" in text


def test_an_added_border_is_in_brackets():
    words = ("--input", "[[1,2],[3,4]]", "--kernel", "[[1,0],[0,-1]]", "--pad", "1")
    text = run(*words, "--pad-mode", "edge")
    assert "border 1 above, 1 below, 1 left, 1 right\n" in text
    assert "floor((2 + 2*1 - 2)/1) + 1 = 3\n" in text
    first = text[text.index("[0, 1]:") : text.index("[0, 2]:")]
    assert first.splitlines()[1:4] == [
        "  [1]  [2]   x    1   0   1*1 + 2*0    =  1",
        "    1    2   x    0  -1   1*0 + 2*(-1) = -2",
        "                                   sum = -1",
    ]


def test_a_divisor_and_a_magnitude_are_worked_out():
    text = run("--input", "[[1,2,3],[4,5,6],[7,8,9]]", "--kernel", "box_blur")
    assert "box_blur, 3 x 3, divided by 9\n" in text
    assert "sum = 45 / 9 = 5\n" in text
    text = run("--input", "[[0,0,1],[0,0,1],[0,0,1]]", "--kernel", "sobel_magnitude")
    assert "magnitude = sqrt(4^2 + 0^2) = 4\n" in text


def test_what_is_left_out_is_reported():
    text = run("--input", FIVE, "--kernel", KERNEL, "--steps", 2)
    assert text.count("sum = ") == 2
    assert "7 of 9 steps are left out; --steps 9 prints all.\n" in text
    found = document("--input", FIVE, "--kernel", KERNEL, "--steps", 2)
    assert len(found["stages"][0]["steps"]) == 2
    assert found["stages"][0]["steps_left_out"] == 7
    wide = json.dumps([[1] * 40] * 50)
    text = run("--input", wide, "--relu")
    left_out = "... 18 more rows and 8 more columns are left out here; --json has them."
    assert text.count(left_out) == 2


def test_the_steps_in_json_add_up():
    words = ("--kernel", "laplacian_4", "--stride", "2,1", "--padding", "same", "--relu")
    found = document("--input", FIVE, *words, "--pool", "max", "--pool-padding", "same")
    convolution, relu, pooling = found["stages"]
    assert [formula["quantity"] for formula in convolution["size"]] == ["rows", "columns"]
    for formula in convolution["size"] + pooling["size"]:
        assert eval(formula["expression"], {"floor": np.floor}) == formula["result"]
    for step in convolution["steps"]:
        value = convolution["output"][step["row"]][step["column"]]
        assert np.sum(step["products"]) == value == step["value"]
    assert np.min(convolution["output"]) < 0 == np.min(relu["output"])
    for step in pooling["steps"]:
        inside = [value for row in step["window"] for value in row if value is not None]
        assert max(inside) == step["value"]
    assert None in pooling["steps"][-1]["window"][1]


def test_files_are_read_like_text(tmp_path):
    matrix, kernel = tmp_path / "matrix.csv", tmp_path / "kernel.yaml"
    matrix.write_text(FIVE.replace("],[", "\n").strip("[]") + "\n\n", encoding="utf-8-sig")
    kernel.write_text(f"mine: {KERNEL}\n")
    expected = document("--input", FIVE, "--kernel", KERNEL)["output"]
    found = document("--input", matrix, "--kernel", kernel)
    assert found["output"] == expected
    assert found["stages"][0]["kernel"] == "mine"
    kernel.with_suffix(".csv").write_text("0, 1, 2\n2, 2, 0\n0, 1, 2\n")
    assert document("--input", matrix, "--kernel", kernel.with_suffix(".csv"))["output"] == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--kernel", "[[1,2],[3]]"), "rows have different lengths (2, 1)"),
        (("--kernel", "[[1,x],[3,4]]"), '--kernel: [0, 1]: "x" is not a number'),
        (("--kernel", "[[1,2],[3,true]]"), '--kernel: [1, 1]: "True" is not a number'),
        (("--kernel", "[[1,1/0]]"), '"1/0" is not a number'),
        (("--kernel", "[[.nan]]"), "is not a number"),
        (("--kernel", "[[1e400]]"), "is too large"),
        (("--kernel", "[]"), "this is not a matrix. Give rows of numbers"),
        (("--kernel", "[[]]"), "the rows are empty"),
        (("--kernel", "[1,2]"), "this is not a matrix"),
        (("--kernel", "[[1,2]"), "--kernel:1:"),
        (("--kernel", "soble_x"), "Did you mean sobel_x?"),
        (("--kernel", "none.csv"), "none.csv: No such file"),
        (("--kernel", "gaussian_5x5"), "window of 5 x 5 does not fit into a map of 2 x 2"),
        (("--pool", "max", "--pool-size", "3"), "window of 3 x 3 does not fit into a map of 2 x 2"),
        (("--kernel", "identity", "--pad", "2", "--pad-mode", "reflect"), "can mirror at most 1"),
        (("--kernel", "identity", "--pad", "1", "--padding", "same"), "both add a border"),
        (("--kernel", "identity", "--pad-mode", "edge"), "--pad-mode edge needs --pad"),
        (
            ("--kernel", "identity", "--pad", "9999999"),
            "the map would be 20000000 x 20000000, which is more",
        ),
        (("--kernel", "[[1,1]]", "--padding", "same", "--dilation-rate", "9" * 8), "2 x 100000001"),
        (("--pool", "max", "--pool-size", "8000", "--pool-padding", "same"), "8000 x 8000, which"),
        (("--kernel", "identity", "--pad", "9" * 5000), "is too large"),
        (("--kernel", "[[" + "x" * 500 + "]]"), 'x\u2026" is not a number'),
        (("--kernel", "identity", "--stride", "0"), 'of at least 1, for example 2,1, received "0"'),
        (("--kernel", "identity", "--stride", "1,2,3"), 'received "1,2,3"'),
        (("--pool-size", "2"), "--pool-size has no effect without --pool"),
        (("--stride", "2", "--relu"), "--stride has no effect without --kernel"),
        ((), "There is nothing to do"),
    ],
)
def test_wrong_input_is_refused(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in run("--input", "[[1,2],[3,4]]", *words, exit_code=2)


def test_wrong_files_are_refused(tmp_path):
    several, table, binary = (tmp_path / name for name in ("two.yaml", "head.csv", "bytes.csv"))
    several.write_text("a: [[1]]\nb: [[2]]\n")
    table.write_text("x,y\n1,2\n")
    binary.write_bytes(b"\xff\xfe1")
    refused = run("--input", "[[1]]", "--kernel", several, exit_code=2)
    assert "has 2 kernels (a, b), but one is needed" in refused
    assert '[0, 0]: "x" is not a number' in run("--input", table, "--relu", exit_code=2)
    assert "not UTF-8" in run("--input", binary, "--relu", exit_code=2)
    assert "has named matrices" in run("--input", several, "--relu", exit_code=2)
    table.write_text("1e999999999,1\n")
    assert '[0, 0]: "1e999999999" is too large' in run("--input", table, "--relu", exit_code=2)
    table.write_text("1" * 140_000)
    assert "not a table of numbers: field larger" in run("--input", table, "--relu", exit_code=2)
    several.write_text("- [0x" + "f" * 5000 + "]")
    assert '"0xffff' in run("--input", several, "--relu", exit_code=2)
    assert "is not a .csv" in run("--input", tmp_path, "--relu", exit_code=2)


def test_windows_of_too_many_numbers_are_refused(tmp_path):
    matrix, kernel = tmp_path / "large.csv", tmp_path / "kernel.csv"
    matrix.write_text((",".join("1" * 600) + "\n") * 600)
    kernel.write_text((",".join("1" * 300) + "\n") * 300)
    words = ("--input", matrix, "--kernel", kernel, "--pad", "150")
    assert "The windows have 32,508,090,000 numbers" in run(*words, exit_code=2)


def test_convolve_imports_nothing_heavy():
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = 'tensorflow keras matplotlib sklearn scipy cv2 PIL'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    words = ["convolve", "--input", FIVE, "--kernel", "sobel_x", "--relu"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"
