"""The folder that holds run folders by default; the options of commands need no more than that."""

RUNS_FOLDER = "runs"
