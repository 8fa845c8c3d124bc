"""Work on many items: the same results in threads and in processes, and no process that stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import faults
import healthy_folders
import psutil
import pytest
from conftest import write_tiny_images
from images import data_config, write_classes

from cnnkit.data import parallel
from cnnkit.data.check import check_data
from cnnkit.data.stats import data_stats
from cnnkit.errors import DataError

pytestmark = pytest.mark.skipif(os.cpu_count() == 1, reason="needs two processors")


@pytest.fixture
def in_processes(monkeypatch):
    """Let a few items be enough for processes."""
    monkeypatch.setattr(parallel, "_WORTH_PROCESSES", 2)


def square(number):
    return os.getpid(), number**2


def killed_at(number, fatal, code):
    if number == fatal and code is None:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == fatal:
        os._exit(code)
    return number


def prints(number):
    sys.stdout.write("a library that prints\n")
    return number


def children():
    return psutil.Process().children(recursive=True)


def test_few_items_are_computed_in_this_process():
    found = parallel.compute_all(square, range(100))
    assert {process for process, _ in found} == {os.getpid()}
    assert [value for _, value in found] == [number**2 for number in range(100)]
    assert parallel.compute_all(square, []) == []


def test_many_items_are_computed_in_processes_in_order(in_processes):
    done = []
    found = parallel.compute_all(square, range(500), lambda *counts: done.append(counts))
    processes = {process for process, _ in found}
    assert len(processes) > 1 and os.getpid() not in processes
    assert [value for _, value in found] == [number**2 for number in range(500)]
    assert done == sorted(done) and done[-1] == (500, 500)
    assert children() == []


def test_what_a_function_prints_does_not_disturb_its_results(in_processes):
    assert parallel.compute_all(prints, range(40)) == list(range(40))


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_a_killed_process_is_an_error_that_names_the_image(in_processes):
    function = partial(killed_at, fatal=77, code=None)
    with pytest.raises(DataError, match=r"ended by signal 9 \(SIGKILL\) at \d+.*memory was full"):
        parallel.compute_all(function, range(200))
    assert children() == []


def test_a_process_that_fails_is_an_error_too(in_processes):
    with pytest.raises(DataError, match="failed with exit code 3"):
        parallel.compute_all(partial(killed_at, fatal=0, code=3), range(200))
    assert children() == []


def test_an_exception_while_results_are_collected_ends_all_processes(in_processes):
    def refuse(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel.compute_all(square, range(500), refuse)
    assert children() == []


def spoiled(folder):
    """Return a sound folder into which faults of many kinds are put."""
    healthy_folders.write_healthy(folder)
    for spoil in (
        faults.no_bytes, faults.half_a_png, faults.animation, faults.decimal_numbers,
        faults.copy_in_another_class, faults.mirrored_and_smaller_in_another_class,
    ):  # fmt: skip
        spoil(folder)
    return folder


def findings_and_stats(config):
    return check_data(config).as_dict(), data_stats(config, as_configured=False).as_dict()


def test_processes_find_what_threads_find(tmp_path, monkeypatch):
    config = data_config(spoiled(tmp_path / "photos"))
    in_threads = findings_and_stats(config)
    monkeypatch.setattr(parallel, "_WORTH_PROCESSES", 2)
    assert findings_and_stats(config) == in_threads
    assert len(in_threads[0]["kinds"]) >= 6


# --- programs that start processes

UNGUARDED = """
import sys
print("once", flush=True)
import cnnkit.data.parallel
cnnkit.data.parallel._WORTH_PROCESSES = 2
from cnnkit.config.data_section import DataConfig
from cnnkit.data.check import check_data
print(check_data(DataConfig(source={source!r}, image_size=(8, 8))).num_images)
"""


@pytest.fixture
def work(tmp_path):
    """Return a folder with a script, images, and a file that is named like a module of Python's."""
    write_tiny_images(tmp_path / "images")
    (tmp_path / "script.py").write_text(UNGUARDED.format(source=str(tmp_path / "images")))
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "pickle.py").write_text("raise RuntimeError('not the one that is meant')")
    return tmp_path


@pytest.mark.parametrize(
    "how",
    [
        "a script without a guard",
        pytest.param("standard input", marks=pytest.mark.slow),
        "-c",
        pytest.param("module", marks=pytest.mark.slow),
    ],
)
def test_processes_do_not_run_the_main_program_again(work, how):
    script = work / "script.py"
    words, folder = {
        "a script without a guard": ([script], work / "work"),
        "standard input": (["-"], work / "images"),
        "-c": (["-c", script.read_text()], work / "images"),
        "module": (["-m", "script"], work),
    }[how]
    done = subprocess.run(
        [sys.executable, *words], input=script.read_text(), cwd=folder,
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("once\n24\n", "")


@pytest.fixture(scope="module")
def many_images(tmp_path_factory):
    """Return a folder with so many images that a command starts processes for them."""
    folder = tmp_path_factory.mktemp("many") / "photos"
    return write_classes(folder, {"cat": 2500, "dog": 2500})


def command(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "cnnkit", *map(str, words)], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def started_processes(process, number=2):
    """Wait until a command has started processes and return them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        found = psutil.Process(process.pid).children(recursive=True)
        if len(found) >= number:
            return found
        time.sleep(0.005)
    pytest.fail(f"no process was started: {process.communicate()}")


@pytest.mark.skipif(os.name == "nt", reason="no process groups there")
@pytest.mark.parametrize("delay", [0, 0.4], ids=["as they start", "as they work"])
def test_ctrl_c_ends_a_check_and_its_processes_without_a_traceback(many_images, delay):
    process = command("data", "check", many_images)
    workers = started_processes(process)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    begin = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - begin < 5
    assert (process.returncode, errors) == (130, "Interrupted.\n")
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_a_killed_worker_ends_a_check_with_an_error_not_a_hang(many_images):
    process = command("data", "check", many_images)
    started_processes(process)[0].kill()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert "was ended by signal 9 (SIGKILL) at" in errors and str(many_images) in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_processes_end_by_themselves_if_their_parent_is_killed(many_images):
    process = command("data", "check", many_images)
    workers = started_processes(process)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []


def test_the_installed_command_starts_processes_too(many_images):
    program = Path(sys.executable).with_name("cnnkit")
    if not program.exists():
        pytest.skip("the command is not installed")
    process = subprocess.Popen(
        [program, "data", "check", many_images, "--json"], stdout=subprocess.PIPE, text=True
    )
    started_processes(process)
    assert json.loads(process.communicate()[0])["images"] == 5000
