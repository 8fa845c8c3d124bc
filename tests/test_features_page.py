"""The page of `cnnkit features`, opened in headless Chromium, against the numbers of Keras."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from test_features_graph import explained

from cnnkit.backend import keras
from cnnkit.explore.features.model_graph import steps_of
from cnnkit.explore.features.page import render, stage_data
from cnnkit.explore.features.stages import stages_of

layers = keras.layers


@pytest.fixture(scope="module")
def stages():
    """Return the stages of a random model that has every kind of stage."""
    keras.utils.set_random_seed(4)
    image = keras.Input((15, 14, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="first")(x)
    x = layers.BatchNormalization(name="normed")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="max")(x)
    y = layers.DepthwiseConv2D(3, padding="same", bias_initializer="normal", name="depth")(x)
    x = layers.ReLU(name="relu")(layers.Add(name="both")([x, y]))
    x = layers.AveragePooling2D(2, strides=1, padding="same", name="mean")(x)
    x = layers.ZeroPadding2D(1, name="zeros")(x)
    x = layers.Conv2D(4, 3, dilation_rate=2, bias_initializer="normal", name="last")(x)
    x = layers.Flatten(name="row")(x)
    x = layers.Dense(20, activation="relu", name="dense")(x)
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="answer")(x))
    normed = model.get_layer("normed")
    normed.set_weights([np.linspace(0.5, 2, 6) + i / 9 for i in range(4)])
    pixels = np.random.default_rng(5).integers(0, 256, (15, 14, 3)).astype(np.uint8)
    return stages_of(steps_of(model), pixels)


def _write(stages, folder, **options):
    data, notes = stage_data(stages, **options)
    page = folder / "features.html"
    values = {"title": "t", "answer": [["cat", 0.75]], "notes": notes, "stages": data}
    page.write_text(render("features", "a </script> & b", values), encoding="utf-8")
    return page


_POINT = """
const find = (id) => document.getElementById(id);
function choose(id, value) {
  find(id).value = value;
  find(id).dispatchEvent(new Event("change"));
}
function pointAt(row, column, height, width) {
  const box = find("map-canvas").getBoundingClientRect();
  find("map-canvas").dispatchEvent(new MouseEvent("mousemove", { bubbles: true,
    clientX: box.left + (column + 0.5) * box.width / width,
    clientY: box.top + (row + 0.5) * box.height / height }));
}
function facts() {
  return { total: find("total").textContent, value: Number(find("total").dataset.value),
    computed: Number(find("total").dataset.computed), how: find("how").textContent,
    seen: find("image-legend").textContent, below: find("below-title").textContent,
    belowShown: !find("below").hidden,
    cells: [...document.querySelectorAll("#windows td")].map((cell) => cell.textContent),
    captions: [...document.querySelectorAll("#windows caption")].map((c) => c.textContent) };
}
"""


def _found(page, script):
    return page.evaluate(f"() => {{ {script} }}")


def test_each_number_that_the_pointer_is_at_is_explained(stages, open_page, tmp_path):
    random = np.random.default_rng(6)
    places = []
    for index, stage in enumerate(stages):
        shape = stage.values.shape
        if shape[:2] == (1, 1):
            continue
        corners = [(0, 0, 0), tuple(side - 1 for side in shape)]
        drawn = [tuple(int(n) for n in random.integers(0, shape)) for _ in range(3)]
        places += [[index, *place, *shape[:2]] for place in corners + drawn]
    script = f"""{_POINT}
return {json.dumps(places)}.map(([layer, row, column, channel, height, width]) => {{
  choose("layer", layer);
  choose("channel", channel);
  pointAt(row, column, height, width);
  return facts();
}});"""
    found = _found(open_page(_write(stages, tmp_path)), script)
    for (index, row, column, channel, *_), shown in zip(places, found, strict=True):
        stage = stages[index]
        where = (stage.name, row, column, channel)
        assert f"row {row}, column {column}, channel {channel}:" in shown["total"], where
        assert shown["value"] == pytest.approx(stage.values[row, column, channel], abs=1e-4), where
        if stage.kind not in ("image", "other"):
            expected = explained(stages, stage, row, column, channel)
            assert shown["computed"] == pytest.approx(expected, abs=1e-3), where
            assert shown["computed"] == pytest.approx(shown["value"], abs=1e-3), where
        top, left, bottom, right = stage.regions.box(row, column)
        if top > bottom or left > right:
            assert shown["seen"] == "only padding", where
        else:
            numbers = [int(n) for n in re.findall(r"\d+", shown["seen"])]
            assert numbers == [top, bottom, left, right, 15, 14], where


def test_the_window_is_shown_with_its_products_and_its_padding(stages, open_page, tmp_path):
    first = next(i for i, stage in enumerate(stages) if stage.name == "first")
    script = f"{_POINT} choose('layer', {first}); choose('channel', 2);"
    script += "pointAt(0, 0, 8, 7); return facts();"
    shown = _found(open_page(_write(stages, tmp_path)), script)
    stage, below = stages[first], stages[first - 1].values
    # 15 x 14 by 3 x 3, stride 2: rows are padded before the map, columns after it
    assert stage.window.before == (1, 0)
    assert sum(cell.startswith("padding") for cell in shown["cells"]) == 3 * 3
    weights, bias = stage.kernel.weights[..., 2], stage.kernel.bias[2]
    products = (below[:2, :3] * weights[1:]).sum(axis=(0, 1))
    assert shown["how"].startswith("18 products add up to")
    for caption in shown["captions"]:
        channel, adds = re.match(r"channel (\d) of rescaling: adds (\S+)", caption).groups()
        assert float(adds) == pytest.approx(products[int(channel)], abs=1e-4)
    order = [int(caption.split()[1]) for caption in shown["captions"]]
    assert order == sorted(range(3), key=lambda c: -abs(products[c]))  # the largest part first
    assert shown["value"] == pytest.approx(products.sum() + bias, abs=1e-4)
    values = [float(cell.split("x")[0]) for cell in shown["cells"][3:9]]
    assert values == pytest.approx(below[:2, :3, order[0]].ravel().tolist(), abs=1e-4)


def test_rows_of_numbers_and_the_keyboard(stages, open_page, tmp_path):
    dense = next(i for i, stage in enumerate(stages) if stage.name == "dense")
    row = next(i for i, stage in enumerate(stages) if stage.name == "row")
    both = next(i for i, stage in enumerate(stages) if stage.name == "both")
    script = f"""{_POINT}
const press = (key) => find("map-canvas").dispatchEvent(
  new KeyboardEvent("keydown", {{ key, bubbles: true }}));
const results = [];
choose("layer", {dense}); pointAt(1, 2, 4, 5); results.push(facts());
choose("layer", {row}); choose("channel", 3); results.push(facts());
choose("layer", {both}); choose("channel", 1); pointAt(1, 1, 4, 4);
press("ArrowRight"); press("ArrowDown"); press("x"); results.push(facts());
press("ArrowRight"); press("ArrowRight"); press("ArrowRight"); results.push(facts());
return results;"""
    pointed, flat, moved, edge = _found(open_page(_write(stages, tmp_path)), script)
    assert "number 7:" in pointed["total"]  # 20 numbers in lines of 5
    assert pointed["computed"] == pytest.approx(stages[dense].values[0, 0, 7], abs=1e-3)
    place = np.unravel_index(3, stages[row - 1].values.shape)
    assert flat["how"] == "the number at row {}, column {} of channel {}".format(*place)
    parts = [stages[parent].values[2, 2, 1] for parent in stages[both].parents]
    assert "row 2, column 2, channel 1" in moved["total"]
    assert [float(n) for n in re.findall(r"has (\S+) there", moved["how"])] == pytest.approx(
        parts, abs=1e-4
    )
    assert "row 2, column 3, channel 1" in edge["total"]


def test_a_small_limit_leaves_sums_out_and_the_page_says_so(stages, open_page, tmp_path):
    page = _write(stages, tmp_path, most_bytes=6000)
    text = page.read_text()
    assert len(text) < len(_write(stages, tmp_path).read_text())
    data, notes = stage_data(stages, most_bytes=6000)
    out = [stage["name"] for stage in data if "preview" in stage]
    assert out and all(name in notes[0] for name in out[:8])
    page.write_text(text)
    index = next(i for i, stage in enumerate(data) if "preview" in stage)
    kept = data[index]["preview"]["channels"][0]
    script = f"{_POINT} choose('layer', {index}); pointAt(1, 2, {stages[index].values.shape[0]},"
    script += f"{stages[index].values.shape[1]}); return facts();"
    shown = _found(open_page(page), script)
    assert shown["how"] == "the exact numbers of this layer are left out of this page"
    values = stages[index].values
    step = float(values.max() - values.min()) / 255
    assert f"channel {kept}:" in shown["total"]
    assert shown["value"] == pytest.approx(values[1, 2, kept], abs=step)


def test_the_page_is_one_file_with_its_title(stages, tmp_path):
    text = _write(stages, tmp_path).read_text()
    assert "<title>a &lt;/script&gt; &amp; b</title>" in text
    assert text.count("</script>") == 2
    assert "@@" not in text
    assert not re.search(r"(src|href)=", text.split('id="data">')[0])


def test_on_a_phone_nothing_leaves_its_box(stages, open_page, tmp_path):
    page = open_page(_write(stages, tmp_path), viewport={"width": 390, "height": 800})
    wider = page.evaluate("""[...document.querySelectorAll("#page, .controls, .controls label")]
        .filter((node) => node.scrollWidth > node.clientWidth && node.clientWidth > 0)
        .map((node) => node.className || node.textContent)""")
    assert wider == []
