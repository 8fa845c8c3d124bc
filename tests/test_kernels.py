"""`cnnkit kernels`: the operators, filtered pictures, and one pixel worked out by hand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from images import file_bytes, four_corners, noise, write_image
from PIL import Image
from places import DOCS

from cnnkit.cli import main
from cnnkit.explore.kernels.filtered_picture import read_picture, shown_range
from cnnkit.explore.kernels.layer_chain import Chain, run_chain
from cnnkit.explore.kernels.operators import OPERATORS

PAGE = DOCS / "kernels.md"
MAGNITUDES = ("sobel", "scharr", "prewitt")


def run(*words, exit_code=0):
    result = CliRunner().invoke(main, ["kernels", *map(str, words)])
    assert result.exit_code == exit_code, result.output
    return result.stderr if exit_code else result.stdout


def answer(values, name):
    return run_chain(np.array(values, float), OPERATORS[name], Chain())[-1].output


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Change into a temporary folder, because `kernels` writes kernels.png where it is started."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def image(tmp_path):
    return write_image(tmp_path / "noise.png", width=24, height=20)


# --- the operators


def test_every_classic_operator_has_a_sentence_and_a_source():
    assert {"identity", "sharpen", "unsharp_5x5", "edge_diagonal", "laplacian_8"} <= set(OPERATORS)
    for name, operator in OPERATORS.items():
        assert operator.sentence.endswith("."), name
        assert operator.source, name
        assert len({kernel.weights.shape for kernel in operator.kernels}) == 1


@pytest.mark.parametrize("name", OPERATORS)
def test_a_flat_picture_stays_as_bright_or_becomes_0(name):
    keeps = ("identity", "sharpen", "unsharp_5x5", "box", "average", "gaussian")
    expected = 100 if name.startswith(keeps) else 0
    np.testing.assert_allclose(answer([[100] * 7] * 7, name), expected, atol=1e-9)


@pytest.mark.parametrize("family", MAGNITUDES)
def test_a_step_upwards_is_positive_in_its_direction(family):
    step = np.repeat([[0, 0, 1, 1]], 4, axis=0)  # brighter on the right
    assert (answer(step, f"{family}_x") > 0).all()
    assert (answer(step, f"{family}_y") == 0).all()
    assert (answer(step.T, f"{family}_y") > 0).all()  # brighter below
    assert np.array_equal(answer(step, f"{family}_magnitude"), answer(step, f"{family}_x"))


def test_each_line_detector_responds_most_to_its_own_line():
    down = np.eye(3)  # \ falls to the right
    lines = {
        "line_oblique_135": down,
        "line_oblique_45": down[:, ::-1],
        "line_vertical": np.tile([0, 1, 0], (3, 1)),
        "line_horizontal": np.tile([0, 1, 0], (3, 1)).T,
    }
    for own_name, line in lines.items():
        found = {name: answer(line, name).item() for name in lines}
        assert max(found, key=found.get) == own_name
        assert found[own_name] == 6


def test_unsharp_masking_is_twice_the_picture_minus_its_blur():
    values = np.random.default_rng(0).integers(0, 256, (9, 9)).astype(float)
    inner = values[2:-2, 2:-2]
    expected = 2 * inner - answer(values, "gaussian_5x5")
    np.testing.assert_allclose(answer(values, "unsharp_5x5"), expected, atol=1e-9)


def test_the_list_shows_each_matrix():
    text = run("--list")
    assert "gaussian_3x3, 3 x 3, divided by 16\n  1  2  1\n  2  4  2\n  1  2  1\n" in text
    found = {row["name"]: row for row in json.loads(run("--list", "--json"))}
    assert list(found) == list(OPERATORS)
    assert found["sharpen"]["kernels"][0] == {
        "weights": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        "divisor": 1,
    }


# --- pictures


def test_a_picture_keeps_its_proportions_and_is_never_made_larger(tmp_path):
    for size, expected in (((40, 24), (10, 16, 3)), ((12, 6), (6, 12, 3)), ((300, 2), (1, 16, 3))):
        noise(*size).save(tmp_path / "a.png")
        assert read_picture(tmp_path / "a.png", 16, grayscale=False).shape == expected
    assert read_picture(tmp_path / "a.png", 16, grayscale=True).shape == (1, 16, 1)


def test_a_picture_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    path = tmp_path / "a.jpg"
    path.write_bytes(file_bytes(four_corners(40, 24), "JPEG", exif=exif, quality=95))
    pixels = read_picture(path, 40, grayscale=False)
    assert pixels.shape == (40, 24, 3)
    assert pixels[2, 2].argmax() == 2  # blue, stored at the bottom left, is at the top


def test_all_operators_are_drawn(image, tmp_path):
    file = tmp_path / "grid.png"
    found = json.loads(run(image, "-o", file, "--json"))
    assert [row["name"] for row in found["kernels"]] == list(OPERATORS)
    assert found["size"] == [20, 24, 3]
    identity = found["kernels"][0]["stages"][0]
    pixels = np.asarray(Image.open(image))[1:-1, 1:-1]
    assert (identity["lowest"], identity["highest"]) == (pixels.min(), pixels.max())
    with Image.open(file) as grid:
        assert grid.width > 1200 and grid.height > 800
        assert np.asarray(grid.convert("L")).std() > 10


def test_steps_are_convolution_relu_and_pooling(image, tmp_path):
    words = ("--kernel", "sobel_x", "--stride", "2", "--padding", "same", "--relu", "--pool", "max")
    found = json.loads(run(image, *words, "--grayscale", "--json", "-o", tmp_path / "a.png"))
    stages = found["kernels"][0]["stages"]
    assert [stage["name"] for stage in stages] == ["convolution", "ReLU", "max pooling"]
    assert [stage["size"] for stage in stages] == [[10, 12, 1], [10, 12, 1], [5, 6, 1]]
    assert stages[0]["lowest"] < 0 == stages[1]["lowest"]
    assert stages[1]["highest"] == stages[2]["highest"] == stages[0]["highest"] > 0


def test_own_kernels_come_from_text_and_yaml(image, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("emboss: [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]\n$half$: [[1/2, 1/2]]\n")
    words = ("--kernel", own, "--kernel", "[[0,1],[1,0]]", "-o", tmp_path / "a.png")
    table = run(image, *words).splitlines()
    assert table[0] == "noise.png, 20 x 24 x 3 (rows x columns x channels)"
    sizes = [(line.split("  ")[0], line.split("  ")[-3:]) for line in table[3:6]]
    assert [name for name, _ in sizes] == ["emboss", "$half$", "own kernel"]
    assert "18 x 22 x 3" in table[3] and "20 x 23 x 3" in table[4] and "19 x 23 x 3" in table[5]


def test_the_range_that_is_drawn_from_black_to_white():
    grey_levels = np.array([-40.0, 300.0])
    assert shown_range(grey_levels, keeps_brightness=True) == (0, 255)
    assert shown_range(np.array([-3.0, 3.0]), keeps_brightness=False) == (-3, 3)
    assert shown_range(np.array([0.0, 7.0, 7.0]), keeps_brightness=False)[0] == 0
    assert shown_range(np.zeros(4), keeps_brightness=False) == (0, 1)
    one_strong_edge = np.append(np.full(999, 2.0), 500.0)
    assert shown_range(one_strong_edge, keeps_brightness=False) == (0, 2)


# --- one pixel by hand


def test_one_pixel_is_worked_out(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save("a.png")
    text = run("a.png", "--kernel", "[[-1,2]]", "--worked", "1,2", "--relu")
    assert "own kernel, 1 x 2\n  -1   2\n[1, 2]: rows 1 to 1, columns 2 to 3\n" in text
    assert "  red\n    18  21   x   -1   2   18*(-1) + 21*2 = 24\n" in text
    assert "  blue\n    20  23   x   -1   2   20*(-1) + 23*2 = 26\n" in text
    assert "after ReLU, max(x, 0): 24, 25, 26\n" in text
    assert "for all three channels:\n  24 + 25 + 26 = 75\n" in text
    assert not (tmp_path / "kernels.png").exists()
    found = json.loads(run("a.png", "--kernel", "[[-1,2]]", "--worked", "1,2", "--json"))
    assert found["file"] is None
    assert found["kernels"][0]["worked"]["products"][0][0] == [[-18, 42]]
    assert found["kernels"][0]["worked"]["value"] == [24, 25, 26]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--worked", "18,0"), "--worked 18,0: sobel_x gives 18 rows and 22 columns here"),
        (("--worked", "0,22"), "a column from 0 to 21"),
        (("--worked", "3"), 'expected two numbers of at least 0, for example 2,1, received "3"'),
        (("--worked", "-1,2"), "expected two"),
        (("--kernel", "sobel_z"), "Did you mean sobel_"),
        (("--kernel", "[[1,2],[3]]"), "different lengths"),
        (("--kernel", json.dumps([[1] * 25])), "window of 1 x 25 does not fit into a map of 20"),
        (("--pool-padding", "same"), "no effect without --pool"),
    ],
)
def test_wrong_words_are_refused(image, words, message, tmp_path):
    assert message in run(image, "--kernel", "sobel_x", *words, exit_code=2)
    assert not (tmp_path / "kernels.png").exists()


def test_wrong_files_are_refused(image, tmp_path):
    assert "nope.png: there is no such file." in run(tmp_path / "nope.png", exit_code=1)
    (tmp_path / "a.png").write_text("hello")
    assert "a.png: it is not an image" in run(tmp_path / "a.png", exit_code=1)
    assert "Name an image" in run(exit_code=2)
    (tmp_path / "none.yaml").write_text("{}")
    assert "has no kernel" in run(image, "--kernel", tmp_path / "none.yaml", exit_code=2)
    before = image.read_bytes()
    said = run(image, "--kernel", "identity", "-o", image, exit_code=2)
    assert "a file that this command reads" in said
    assert image.read_bytes() == before


def test_names_that_are_not_utf8_are_kept(image, tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9 $x$.png"
    with open(name, "wb") as file:
        file.write(image.read_bytes())
    code = "import sys; from cnnkit.cli import main; main(sys.argv[1:])"
    words = ["kernels", name, "--kernel", "identity", "--json", "-o", tmp_path / "out.png"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True)
    assert json.loads(done.stdout)["image"] == os.fsdecode(name)
    assert (tmp_path / "out.png").stat().st_size > 1000


def test_a_real_photograph(shared_data, tmp_path):
    found = json.loads(
        run(shared_data / "photos" / "owl.jpg", "--json", "-o", tmp_path / "owl.png")
    )
    assert max(found["size"]) == 256
    ends = {row["name"]: row["stages"][0] for row in found["kernels"]}
    assert ends["gaussian_5x5"]["lowest"] >= 0 and ends["gaussian_5x5"]["highest"] <= 255
    assert ends["sobel_x"]["lowest"] < -100 and ends["sobel_x"]["highest"] > 100
    assert ends["sobel_magnitude"]["lowest"] >= 0


# --- the page


def test_the_page_lists_every_operator():
    text = PAGE.read_text(encoding="utf-8")
    table = [f"| `{name}` | {operator.sentence} |" for name, operator in OPERATORS.items()]
    assert "\n".join(table) in text


def test_the_page_shows_what_convolve_prints():
    text = PAGE.read_text(encoding="utf-8").replace("\\\n    ", "")
    found = re.findall(r"^\$ cnnkit (convolve .*)\n((?:.*\n)*?)```", text, re.M)
    assert len(found) == 2
    for words, expected in found:
        result = CliRunner().invoke(main, shlex.split(words))
        assert result.stdout == expected
