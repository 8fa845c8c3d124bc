"""Refuse a folder for results in which an evaluation would replace something else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.evaluation.scores import RESULT_FILES
from cnnkit.output_guard import check_output
from cnnkit.text import shown


def check_result_folder(
    output: Path, *, overwrite: bool, inputs: Iterable[str | os.PathLike[str]] = ()
) -> None:
    """Refuse a folder that has other files than results, or results that may not be replaced.

    Args:
        output: the folder, which need not exist.
        overwrite: whether results in it may be replaced.
        inputs: files that the command reads, which are never replaced.

    Raises:
        UsageError: the folder is refused.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file. Give a folder as --output.")
    inputs = list(inputs)
    for file in RESULT_FILES:
        extensions = (Path(file).suffix,)
        check_output(output / file, "--output", extensions, overwrite=overwrite, inputs=inputs)
    if not output.is_dir():
        return
    # Among photos, the pictures of an evaluation would become training images.
    for other in sorted(each.name for each in output.iterdir() if each.name not in RESULT_FILES):
        if not other.startswith("."):
            raise UsageError(
                f"--output {shown(str(output))}: {shown(other)} in this folder is not a result of "
                "an evaluation. Choose a new or an empty folder."
            )
