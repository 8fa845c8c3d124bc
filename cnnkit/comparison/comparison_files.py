"""Write a comparison into a folder: pictures, JSON, and the images on which the runs differ."""

from __future__ import annotations

from pathlib import Path

from cnnkit.comparison.comparing import Comparison, disagreements
from cnnkit.errors import UsageError
from cnnkit.files import write_csv, write_json
from cnnkit.new_folders import check_writable
from cnnkit.output_guard import check_output
from cnnkit.text import shown

_FILES = (
    *("curves.png", "curves.svg", "accuracies.png", "accuracies.svg"),
    *("comparison.json", "disagreements.csv"),
)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which files would be lost, before anything is computed.

    Args:
        folder: where the comparison will be written.
        overwrite: whether an earlier comparison may be replaced.

    Raises:
        UsageError: nothing can be written there, a file exists, or other files are in the folder.
    """
    check_writable(folder, "Give another --output.")
    for name in _FILES:
        path = folder / name
        check_output(path, "--output", (path.suffix,), overwrite=overwrite)
    others = sorted(path.name for path in folder.glob("*") if path.name not in _FILES)
    if others:  # among photos, the pictures would become training images
        raise UsageError(
            f"--output {shown(str(folder))}: {shown(others[0])} in this folder is not of a "
            "comparison. Choose a new or an empty folder."
        )


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write curves and accuracies as PNG and SVG, comparison.json and disagreements.csv.

    There are no curves if a run has no history.csv, as a cross-validation or a CSV file.
    """
    from cnnkit.plots.compared_runs_plots import plot_accuracies, plot_overlaid_curves

    runs = comparison.runs
    folder.mkdir(parents=True, exist_ok=True)
    if all(run.history for run in runs):
        plot_overlaid_curves({run.name: run.history for run in runs}, folder / "curves.png")
    plot_accuracies(
        [run.name for run in runs],
        [run.accuracy for run in runs],
        [run.accuracy_interval for run in runs],
        [_group(comparison, run.name) for run in runs],
        folder / "accuracies.png",
    )
    header = ("path", "label", *(run.name for run in runs))
    write_csv(folder / "disagreements.csv", header, disagreements(runs))
    write_json(folder / "comparison.json", comparison.to_dict())


def _group(comparison: Comparison, name: str) -> str:
    if name == comparison.best.name:
        return "highest accuracy"
    return "not distinguishable from it" if name in comparison.equals else "worse"
