"""What TensorFlow computes on, and why it sees no GPU."""

from __future__ import annotations

import os
import platform
import shutil

from cnnkit.backend import tf


def device_facts() -> list[tuple[str, str]]:
    """Return names and values: the devices, and how TensorFlow was built and set."""
    devices = tf.config.list_physical_devices()
    names = ", ".join(device.name.removeprefix("/physical_device:") for device in devices)
    gpus = [device for device in devices if device.device_type == "GPU"]
    return [
        ("devices", names),
        ("GPU", ", ".join(map(_gpu, gpus)) if gpus else f"none: {_why_no_gpu()}"),
        ("oneDNN", _one_dnn()),
    ]


def _gpu(device: tf.config.PhysicalDevice) -> str:
    details = tf.config.experimental.get_device_details(device)
    return str(details.get("device_name", device.name))


def _why_no_gpu() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return f"the environment variable CUDA_VISIBLE_DEVICES={hidden} hides all GPUs"
    if platform.system() == "Windows":
        return "TensorFlow for Windows has no GPU support; install it in WSL2"
    if platform.system() == "Darwin":
        return "TensorFlow for macOS computes on the processor"
    if shutil.which("nvidia-smi") is None and not os.path.exists("/dev/nvidia0"):
        return "no NVIDIA driver was found (there is no nvidia-smi)"
    if not tf.test.is_built_with_cuda():
        return "this TensorFlow was built without CUDA"
    return (
        "there is an NVIDIA driver, but TensorFlow cannot load its CUDA libraries. Install them "
        "with: pip install 'tensorflow[and-cuda]'"
    )


def _one_dnn() -> str:
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return "off, by TF_ENABLE_ONEDNN_OPTS=0: training on the CPU takes about twice as long"
    return "on"
