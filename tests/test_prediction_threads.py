"""Images that are answered side by side get the same bits as alone, in the order of the input."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
from predict_command import image_folder

from cnnkit.litert import litert_outputs
from cnnkit.prediction import predict
from cnnkit.runtimes import load_predictor


def test_answers_of_many_images_are_those_of_each_image_alone_bit_for_bit(trained_run):
    paths = sorted(map(str, Path(image_folder(trained_run)).rglob("*.png"))) * 5
    assert len(paths) > 20
    predictor = load_predictor(trained_run.tflite, trained_run.folder.parent)
    together = list(predict(predictor, iter(paths)))
    assert [answer.path for answer in together] == paths
    alone = [next(predict(predictor, [path])) for path in paths]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)


def test_copies_of_a_large_model_do_not_fill_the_memory(trained_run, monkeypatch):
    loaded = []

    def load(path, num_threads):
        loaded.append(num_threads)
        outputs = litert_outputs(path, num_threads)

        def slow(pixels):
            time.sleep(0.05)  # so that all threads want a copy at the same time
            return outputs(pixels)

        return slow

    size = trained_run.tflite.stat().st_size
    monkeypatch.setattr("cnnkit.runtimes.litert_outputs", load)
    monkeypatch.setattr("cnnkit.litert.computer_memory", lambda: 9 * size)  # half: two copies
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(8), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    predictor = load_predictor(trained_run.tflite, trained_run.folder.parent)
    paths = sorted(map(str, Path(image_folder(trained_run)).rglob("*.png"))) * 5
    answers = list(predict(predictor, iter(paths)))
    assert [answer.path for answer in answers] == paths
    assert loaded[0] == 8 and set(loaded[1:]) == {1} and len(loaded) <= 3


def test_each_model_can_be_called_from_several_threads(trained_run):
    for path in (trained_run.tflite, trained_run.best):
        predictor = load_predictor(path, trained_run.folder.parent)
        shape = (24, *predictor.info.pixels.image_size, 3)
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        expected = predictor(pixels)
        shared, found = predictor.for_threads(), {}

        def answer(number, shared=shared, found=found, pixels=pixels):
            found[number] = shared(pixels[number::4])

        threads = [threading.Thread(target=answer, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(4):
            np.testing.assert_array_equal(found[number], expected[number::4])
