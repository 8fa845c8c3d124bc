"""Write scripts that predict with an export and do not need cnnkit."""

from __future__ import annotations

from pathlib import Path

from cnnkit.data.decoding.wav_sounds import SAMPLE_RATES, UNKNOWN_SIZE
from cnnkit.export.spectrogram_text import spectrogram_values
from cnnkit.files import write_text


def write_script(folder: Path, name: str, *, has_sounds: bool) -> None:
    """Write a script beside an export.

    Args:
        folder: of the export.
        name: of the script, such as `predict_onnx.py`; there is a template for it.
        has_sounds: whether it reads WAV files too.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # takes a moment to import

    environment = Environment(
        loader=PackageLoader("cnnkit.export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    values = {
        "has_sounds": has_sounds,
        "things": "sounds" if has_sounds else "pictures",
        "thing": "sound" if has_sounds else "picture",
        "word": "SOUND" if has_sounds else "PICTURE",
        "rates": [f"{rate:_}" for rate in SAMPLE_RATES],
        "unknown_size": f"0x{UNKNOWN_SIZE:X}",
        **spectrogram_values(),
    }
    write_text(folder / name, environment.get_template(f"{name}.jinja").render(values))
