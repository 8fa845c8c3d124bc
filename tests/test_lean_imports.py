"""What is left out while Keras is imported, and that only commands leave it out."""

import gc
import subprocess
import sys

import pytest

from cnnkit.lean_imports import hidden_packages, uncollected


def test_a_hidden_package_is_missing_in_the_block_only():
    sys.modules.pop("wsgiref", None)
    with hidden_packages("wsgiref"), pytest.raises(ImportError):
        import wsgiref
    import wsgiref  # noqa: F811

    assert wsgiref.__name__ == "wsgiref"


def test_what_is_imported_already_stays():
    import json

    with hidden_packages("json"):
        import json as again
    assert again is json


def test_packages_come_back_after_an_error():
    sys.modules.pop("wsgiref", None)
    with pytest.raises(ZeroDivisionError), hidden_packages("wsgiref"):
        _ = 1 / 0
    import wsgiref  # noqa: F401


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_before(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
        gc.unfreeze()


def _imported(program):
    """Return which of the packages a fresh process has after a program."""
    names = "('pandas', 'scipy', 'sklearn', 'matplotlib')"
    program += f"; import sys; print(*[name for name in {names} if name in sys.modules])"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_command_imports_keras_without_data_frames_and_pictures():
    assert _imported("import cnnkit.cli, cnnkit.backend") == []


def test_a_command_can_import_them_later():
    program = "import cnnkit.cli, cnnkit.backend, sklearn.linear_model, matplotlib.figure"
    assert {"sklearn", "scipy", "matplotlib"} <= set(_imported(program))


def test_a_program_has_all_of_keras():
    program = (
        "import cnnkit.backend, keras, sklearn;"
        " assert issubclass(keras.wrappers.SKLearnClassifier, sklearn.base.BaseEstimator)"
    )
    assert "sklearn" in _imported(program)
