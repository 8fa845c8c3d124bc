"""Facts about the machine: versions, processor, memory, disk, cache, installed weights."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from cnnkit.backbone_networks import NETWORKS
from cnnkit.data.cache.folder import cache_folder
from cnnkit.data.cache_report import CacheReport
from cnnkit.errors import CnnkitError
from cnnkit.memory import computer_memory
from cnnkit.model.backbones.package_weights import package_weights
from cnnkit.text import count_of, size_text
from cnnkit.usable_cores import usable_cores
from cnnkit.version import VERSION

_PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "ai-edge-litert", "tensorflow-hub", "onnx")
# Instructions that TensorFlow's kernels have a faster version for, the widest last.
_INSTRUCTIONS = ("avx", "avx2", "avx512f", "neon", "asimd")
# Those that change what is computed, how fast, or where files are.
_VARIABLES = (
    *("CNNKIT_CACHE", "KERAS_HOME", "TFHUB_CACHE_DIR", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"),
    *("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_XLA_FLAGS"),
    *("XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "TF_DETERMINISTIC_OPS", "TF_GPU_ALLOCATOR"),
    *("TF_FORCE_GPU_ALLOW_GROWTH", "TF_CONFIG"),
)


def machine_facts() -> Iterator[tuple[str, str]]:
    """Yield names and values of what can be known without TensorFlow."""
    yield "cnnkit", VERSION
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    for name in _PACKAGES:
        yield name, _version(name)
    yield "CUDA packages", ", ".join(_cuda_packages()) or "none installed by pip"
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield "processor", _processor()
    yield "memory", size_text(memory) if (memory := computer_memory()) else "unknown"
    yield "cache", _cache()
    yield "runs", f"{Path.cwd()}, {size_text(shutil.disk_usage(Path.cwd()).free)} free"
    yield "weights", "; ".join(_weights())
    variables = [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    yield "variables", ", ".join(variables) or "none that matter are set"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cuda_packages() -> list[str]:
    """Return the libraries that `pip install 'tensorflow[and-cuda]'` brings."""
    found = {one.name: one.version for one in distributions() if one.name.startswith("nvidia-")}
    return [f"{name} {number}" for name, number in sorted(found.items())]


def _processor() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:  # not on Linux
        info = ""
    named = re.search(r"model name\s*:\s*(.+)", info)
    name = named[1].strip() if named else platform.processor() or platform.machine()
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)", info, re.MULTILINE)
    known = flags[1].split() if flags else []
    instructions = ", ".join(one for one in _INSTRUCTIONS if one in known)
    cores = count_of(usable_cores(), "core")
    return f"{name}, {cores}" + (f", {instructions}" if instructions else "")


def _cache() -> str:
    folder = cache_folder()
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = size_text(shutil.disk_usage(place).free)
    return f"{folder}, {size_text(CacheReport.now().num_bytes)} used, {free} free"


def _weights() -> Iterator[str]:
    """Yield which ImageNet weights can be used without a download."""
    for row in NETWORKS.values():
        if not row.package:
            continue
        try:
            package_weights(row)
            yield f"{row.name} installed"
        except CnnkitError as error:
            yield f"{row.name}: {error}"
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    files = sorted(file.name for file in folder.glob("*.h5")) if folder.is_dir() else []
    if files:
        yield f"{count_of(len(files), 'file')} in {folder}"
