"""Write scripts that predict with an export and do not need cnnkit."""

from __future__ import annotations

from pathlib import Path

from cnnkit.files import write_text


def write_script(folder: Path, name: str) -> None:
    """Write a script beside an export.

    Args:
        folder: of the export.
        name: of the script, such as `predict_onnx.py`; there is a template for it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # takes a moment to import

    environment = Environment(
        loader=PackageLoader("cnnkit.export"), undefined=StrictUndefined, autoescape=False
    )
    write_text(folder / name, environment.get_template(f"{name}.jinja").render() + "\n")
