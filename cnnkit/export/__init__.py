"""Write a run's model in other formats, and prove each on the images that the run stored for it.

What needs TensorFlow is imported only when something is written.
"""

from cnnkit.export.exporting import Export, export_run
from cnnkit.export.formats import FORMATS
from cnnkit.export.golden import DEFAULT_LIMIT, Golden, check_parity, golden_samples

__all__ = [
    "DEFAULT_LIMIT",
    "FORMATS",
    "Export",
    "Golden",
    "check_parity",
    "export_run",
    "golden_samples",
]
