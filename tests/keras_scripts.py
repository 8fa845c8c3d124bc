"""Run the scripts of `cnnkit code` in this process, for several test files."""

from __future__ import annotations

import subprocess
import sys
import types


def module_of(code, folder):
    """Return what a script defines; its main part does not run."""
    module = types.ModuleType("script")
    module.__file__ = str(folder / "script.py")
    exec(compile(code, module.__file__, "exec"), module.__dict__)
    return module


def written(text, folder, overrides=()):
    """Return the script of a config with 10 classes, and the config."""
    from cnnkit.explore.summarize import config_and_classes
    from cnnkit.keras_script.write_script import keras_script

    file = folder / "written.yaml"
    file.write_text(text)
    config, _ = config_and_classes(file, overrides, 10)
    return keras_script(file, overrides, 10, folder=folder), config


def run_alone(file, folder):
    """Run a script in a new process, in which cnnkit cannot be imported."""
    (folder / "cnnkit.py").write_text("raise ImportError('cnnkit is not for scripts')")
    return subprocess.run(
        [sys.executable, file],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
