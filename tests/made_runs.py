"""Runs that were never trained: folders with the files that a list of runs looks at."""

from __future__ import annotations

from cnnkit.runs import create_run

_FILES = ("config.yaml", "classes.txt", "split.csv", "history.csv", "model.tflite", "golden.npz")


def made_run(runs_folder, name, *, seconds=60.0, accuracy=0.5, log_loss=1.0, data="photos", **info):
    """Return a finished run with these metrics on validation and on test."""
    run = create_run(name, runs_folder)
    metrics = {"num_images": 40, "accuracy": accuracy, "log_loss": log_loss}
    with run.recording():
        run.update(
            metrics={"validation": metrics, "test": metrics},
            epochs=3,
            best_epoch=2,
            parameters=1234,
            data={"source": data, "fingerprint": data, "counts": {"train": {"cat": 7, "owl": 8}}},
        )
    run.update(seconds=seconds, **info)
    for path in (*(run.folder / name for name in _FILES), run.best, run.last):
        path.write_text("x")
    return run
