"""`scripts/kills.py`: thirty kills at random moments, and one at each change of a file."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from places import SCRIPTS


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks its trainings")
@pytest.mark.parametrize(("options", "fewest"), [(["--kills", "30"], 30), (["--writes"], 90)])
def test_a_killed_training_ends_as_one_in_one_go(options, fewest):
    command = [sys.executable, SCRIPTS / "kills.py", "--kills", "0", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    sys.stdout.write(done.stdout)  # the table; `pytest -s` shows it
    assert done.returncode == 0
    assert done.stdout.count("| the same |") >= fewest
    assert "Trainings that ended differently: 0." in done.stdout
