"""`cnnkit code`: learning rates, pixels and splits are those of cnnkit; the script runs alone."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from keras_scripts import module_of, run_alone, written
from places import CONFIGS

from cnnkit.cli import main
from cnnkit.errors import UsageError
from cnnkit.keras_script.write_script import keras_script


@pytest.mark.parametrize(
    "schedule, warmup",
    [
        ("constant", 0),
        ("constant", 1.5),
        ("cosine", 0),
        ("{cosine: {final_fraction: 0.1}}", 2),
        ("cosine", 6),
        ("{cosine_restarts: {first_epochs: 2, m_mul: 0.5}}", 1),
        ("{polynomial: {power: 2}}", 1),
        ("{exponential: {decay_rate: 0.5, every_epochs: 2}}", 0),
        ("{inverse_time: {decay_rate: 0.5}}", 1),
        ("{step: {every_epochs: 2}}", 0),
        ("{piecewise_constant: {boundaries: [1, 4], factors: [0.5, 0.1]}}", 0),
    ],
)
def test_the_learning_rate_of_every_step_is_that_of_cnnkit(schedule, warmup, tmp_path):
    from cnnkit.training.history import History
    from cnnkit.training.learning_rate import LearningRate
    from cnnkit.training.phases import phases_of

    text = (
        "data: {source: digits, image_size: 8}\nmodel: {layers: [flatten]}\n"
        f"training: {{epochs: 6, schedule: {schedule}, warmup_epochs: {warmup}}}\n"
    )
    code, config = written(text, tmp_path)
    script = module_of(code, tmp_path)
    model = script.build_model()
    script.prepare(model, 5)
    ours = LearningRate(phases_of(config)[0], 5, History(tmp_path / "history.csv", "val_loss"))
    for step in range(30):
        model.optimizer.iterations.assign(step)
        expected = ours.at(step // 5, step % 5)
        assert float(model.optimizer.learning_rate) == pytest.approx(expected, rel=1e-5, abs=1e-9)


_PICTURES = [
    ("photo.jpg", "RGB", (301, 200), 1),
    ("turned.jpg", "RGB", (300, 201), 6),
    ("large.jpg", "RGB", (999, 703), 8),
    ("grey.jpg", "L", (90, 61), 3),
    ("clear.png", "RGBA", (57, 80), 1),
    ("palette.gif", "P", (40, 40), 1),
    ("ink.jpg", "CMYK", (64, 40), 1),
]


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("colour", ["rgb", "grayscale"])
def test_pixels_are_those_of_cnnkit(resize, colour, tmp_path):
    from PIL import Image

    from cnnkit.data.pixels import PixelSettings, read_pixels

    text = (
        f"data: {{source: {tmp_path}, image_size: [33, 48], color_mode: {colour}, "
        f"resize: {resize}, background: 90}}\nmodel: {{layers: [flatten]}}\n"
    )
    code, config = written(text, tmp_path)
    script = module_of(code, tmp_path)
    random = np.random.default_rng(1)
    for name, mode, size, orientation in _PICTURES:
        bands = len(Image.new(mode, (1, 1)).getbands())
        coarse = random.integers(0, 256, (9, 9, bands), dtype=np.uint8)
        picture = Image.fromarray(coarse.squeeze(), None if mode != "CMYK" else "CMYK")
        picture = picture.resize(size).convert(mode)
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(tmp_path / name, **({"exif": exif} if orientation > 1 else {}))
        with Image.open(tmp_path / name) as image:
            found = script.to_pixels(image)
        expected = read_pixels(str(tmp_path / name), PixelSettings.of(config.data))
        np.testing.assert_array_equal(found, expected, err_msg=name)


_TINY = """
data:
  source: SOURCE
  image_size: 16
  batch_size: 4
  resize: crop
  split: {test: 0.2, validation: 0.2}
augmentation:
  - random_flip: horizontal
  - random_resized_crop: {scale: [0.5, 1]}
  - random_contrast: 0.2
model:
  layers: [conv: {filters: 4, kernel_size: 3, activation: relu}, global_pool]
  tta: flips
training:
  epochs: 1
  class_weights: auto
  early_stopping: {patience: 1}
  schedule: plateau
  optimizer: {adam: {learning_rate: 0.01}}
"""


def test_a_script_of_a_folder_trains_in_a_process_without_cnnkit(tiny_images, tmp_path):
    config = tmp_path / "tiny.yaml"
    config.write_text(_TINY.replace("SOURCE", str(tiny_images)))
    done = CliRunner().invoke(main, ["code", str(config), "-o", str(tmp_path / "tiny.py")])
    assert done.exit_code == 0, done.output
    finished = run_alone(tmp_path / "tiny.py", tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"accuracy: [01]\.\d{3} of \d+ images", finished.stdout)


def _write_folders(folder, names, numbers):
    """Write images of different colours: `numbers` of them into each of the folders."""
    from PIL import Image

    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(numbers):
            colour = (place * 5, number * 40, 90)
            Image.new("RGB", (8, 8), colour).save(folder / name / f"{number}.png")


_MANY = [f"k{number:02}" for number in range(32)]  # more than a script lists
_FOLDER = "data: {{source: {}, image_size: 8{}}}\nmodel: {{layers: [flatten]}}\n"


def _data(text, folder):
    """Return what a script defines, and its images."""
    code, _ = written(text, folder)
    script = module_of(code, folder)
    return script, script.load_data()


def test_many_classes_are_found_in_the_folder_of_the_training_images(tmp_path):
    source = tmp_path / "images"
    for split in ("train", "val", "test"):
        _write_folders(source / split, _MANY, 1)
    (source / "train" / ".git").mkdir()
    script, data = _data(_FOLDER.format(source, ""), tmp_path)
    assert script.CLASS_NAMES == _MANY
    assert {split: len(labels) for split, (_, labels) in data.items()} == dict.fromkeys(
        ("train", "validation", "test"), 32
    )


def test_many_classes_of_a_config_keep_their_order(tmp_path):
    _write_folders(tmp_path / "images", _MANY, 3)
    classes = _MANY[:0:-1]
    text = _FOLDER.format(tmp_path / "images", f", classes: [{', '.join(classes)}]")
    script, _ = _data(text, tmp_path)
    assert script.CLASS_NAMES == classes


def test_every_class_is_in_every_split_if_a_share_is_less_than_an_image_of_each(tmp_path):
    _write_folders(tmp_path / "images", _MANY, 4)
    _, data = _data(_FOLDER.format(tmp_path / "images", ""), tmp_path)
    for split in ("validation", "test"):
        assert sorted(data[split][1]) == list(range(32))


def test_hidden_files_are_ignored_and_all_extensions_of_the_folder_are_read(tmp_path):
    from PIL import Image

    source = tmp_path / "images"
    _write_folders(source, ["a", "b"], 5)
    (source / "a" / ".thumbnails").mkdir()
    for name in (".thumbnails/0.png", "._0.png", "wide.PPM"):
        Image.new("RGB", (8, 8)).save(source / "a" / name)
    script, _ = _data(_FOLDER.format(source, ""), tmp_path)
    files, labels = script.find_files(script.DATA)
    assert [path.rpartition("/")[2] for path in files[labels == 0]] == [
        "0.png", "1.png", "2.png", "3.png", "4.png", "wide.PPM",
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_nothing_waits_for_a_better_epoch_if_the_last_weights_are_the_best(tmp_path):
    text = (
        "data: {source: digits, image_size: 8}\nmodel: {layers: [flatten]}\n"
        "training: {monitor: epoch, schedule: plateau, early_stopping: {patience: 1}, epochs: 2}\n"
    )
    code, _ = written(text, tmp_path)
    script = module_of(code, tmp_path)
    model, data = script.build_model(), script.load_data()
    script.train(model, data)  # Keras does not know how to compare numbers of epochs
    assert "EarlyStopping" not in code and "ReduceLROnPlateau" not in code


def test_a_phase_begins_with_the_best_weights_of_the_one_before(tmp_path):
    text = (
        "data: {source: digits, image_size: 32}\n"
        "model: {backbone: {name: MobileNet, weights: none}}\n"
        "training: {phases: [{train: head, epochs: 2}, {train: all, epochs: 1}]}\n"
    )
    code, _ = written(text, tmp_path)
    train = code[code.index("def train(") : code.index("def evaluate(")]
    calls = re.findall(r"^    (?:model\.)?(prepare_.|fit|load_weights)\(", train, re.M)
    assert calls == ["prepare_1", "fit", "load_weights", "prepare_2", "fit", "load_weights"]


def test_a_script_of_a_run_uses_the_split_of_the_run(trained_run, tmp_path):
    code = keras_script(trained_run.folder, folder=tmp_path)
    data = module_of(code, tmp_path).load_data()
    rows = trained_run.read_split()
    for split, (files, labels) in data.items():
        own = [row for row in rows if row["split"] == split]
        assert len(files) == len(labels) == len(own) > 0
        names = [trained_run.class_names()[label] for label in labels]
        assert names == [row["label"] for row in own]
        assert [path[-len(row["path"]) :] for path, row in zip(files, own, strict=True)] == [
            row["path"] for row in own
        ]


@pytest.mark.parametrize(
    "key, reason",
    [
        ("training.precision=mixed_float16", "training.precision: the script computes with"),
        ("training.schedule=one_cycle", "training.schedule: Keras has no one_cycle"),
        ("training.balanced_sampling=true", "training.balanced_sampling: "),
        ("augmentation=[mixup]", "augmentation[0] (mixup): "),
        ("data.labels=fixed.csv", "data.labels: only a run knows"),
        ("data.split.validation=0", "data.split.validation: the script chooses the best epoch"),
        ("data.sample_range=[0, 4095]", "data.sample_range: "),
    ],
)
def test_other_keys_that_a_script_cannot_say_are_refused(key, reason, tmp_path):
    text = "data: {source: digits, image_size: 8}\nmodel: {layers: [flatten]}\n"
    with pytest.raises(UsageError, match=re.escape(reason)):
        written(text, tmp_path, [key])


@pytest.mark.parametrize(
    "backbone, reason",
    [
        ("{name: EfficientNetLite0}", "model.backbone.name: EfficientNetLite0 is not in keras"),
        ("{hub: https://tfhub.dev/x}", "model.backbone.hub: Keras 3 has no layer"),
        ("{run: runs/x}", "model.backbone.run: the script has no access"),
    ],
)
def test_backbones_without_a_plain_constructor_are_refused(backbone, reason, tmp_path):
    text = f"data: {{source: digits, image_size: 32}}\nmodel: {{backbone: {backbone}}}\n"
    with pytest.raises(UsageError, match=re.escape(reason)):
        written(text, tmp_path)


def test_json_has_the_script_and_nothing_else_is_on_stdout():
    done = CliRunner().invoke(main, ["code", str(CONFIGS / "digits_lenet5.yaml"), "--json"])
    assert json.loads(done.stdout)["code"].startswith('"""digits_lenet5')


def test_the_command_that_runs_the_script_can_be_pasted(tmp_path):
    output = tmp_path / "my script.py"
    done = CliRunner().invoke(
        main, ["code", str(CONFIGS / "digits_lenet5.yaml"), "-o", str(output)]
    )
    assert f"Run it: python '{output}'" in done.output
