"""Write a run's model in other formats, and prove each on the images that the run stored for it.

`formats.py` needs TensorFlow, so it is imported only when something is written.
"""

from cnnkit.export.exporting import FILE_NAMES, Export, export_run
from cnnkit.export.golden import DEFAULT_LIMIT, Golden, check_parity, golden_samples

__all__ = [
    "DEFAULT_LIMIT",
    "FILE_NAMES",
    "Export",
    "Golden",
    "check_parity",
    "export_run",
    "golden_samples",
]
