"""Pack a SavedModel folder into text for a `.keras` file, unpack it, and check that it is trusted.

The text contains the module's program, with zeros for its weights. The weights themselves are saved
by Keras, like those of every other layer.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnkit.backend import tf
from cnnkit.data.cache.folder import cache_folder
from cnnkit.errors import UsageError
from cnnkit.quiet import quiet_stderr

TRUST_VARIABLE = "CNNKIT_TRUST_MODULES"
_TRUSTED_NAME = "trusted_modules.txt"
_trusted_here: set[str] = set()  # in this process, in case the cache folder cannot be written


def load_module(folder: Path, name: str) -> Any:
    """Return the loaded SavedModel of a folder.

    Args:
        folder: the folder with the saved_model.pb.
        name: of the module, for messages.

    Raises:
        UsageError: TensorFlow cannot load it.
    """
    # A module in the format of TF1 Hub has two graphs, and one must be chosen by its tags: that for
    # inference has none. TensorFlow's own SavedModels have the tag "serve".
    for tags in (None, [], ["serve"]):
        with quiet_stderr():
            try:
                return tf.saved_model.load(str(folder), tags=tags)
            except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
                first = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            except tf.errors.OpError as error:
                first = error.message.splitlines()[0]
        if "tags" not in first:
            break
    raise UsageError(f"model.backbone.hub: TensorFlow cannot load {name}: {first}")


def pack_module(folder: Path) -> tuple[str, str]:
    """Return a SavedModel folder as text, with zeros for its weights, and the sha256 of the text.

    The same module always gives the same text. This also marks the module as trusted on this
    computer, because the user has named it in a config.
    """
    archive = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(archive, "w") as packed:
        zeros = Path(scratch)
        # Keras saves the weights; zeros in their place shrink to almost nothing when compressed.
        _write_zeros(folder / "variables", zeros / "variables")
        files = [*folder.glob("saved_model.*"), *(folder / "assets").rglob("*")]
        parts = {path.relative_to(folder).as_posix(): path for path in files}
        parts |= {path.relative_to(zeros).as_posix(): path for path in zeros.rglob("*")}
        for name, path in sorted(parts.items()):
            if path.is_file():
                entry = zipfile.ZipInfo(
                    name
                )  # without a date, so that equal modules give equal text
                packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    sha256 = hashlib.sha256(archive.getvalue()).hexdigest()
    _trust(sha256)
    return base64.b64encode(archive.getvalue()).decode(), sha256


@contextlib.contextmanager
def unpacked_module(text: str, sha256: str) -> Iterator[Path]:
    """Unpack the text of `pack_module` into a temporary folder.

    Raises:
        UsageError: the text has changed, or the module is not trusted on this computer.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        content = b""  # which fails the check that follows
    # Before anything is unpacked: the trust is in this hash, so the content must have it.
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UsageError(
            "The hub module inside the model is damaged: its content does not have the sha256 "
            f"{sha256}. Use another copy of the model."
        )
    _check_trust(sha256)
    with tempfile.TemporaryDirectory(prefix="cnnkit-module-") as folder:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            packed.extractall(folder)
        yield Path(folder)


def _write_zeros(source: Path, target: Path) -> None:
    """Write a checkpoint like that of a SavedModel, with zeros for all floating-point variables.

    Other variables, such as integers, keep their values.
    """
    prefix = str(source / "variables")
    if not Path(f"{prefix}.index").is_file():
        return  # a module without variables
    checkpoint = tf.train.load_checkpoint(prefix)
    dtypes = checkpoint.get_variable_to_dtype_map()
    shapes = checkpoint.get_variable_to_shape_map()
    names = sorted(dtypes)
    tensors = [
        tf.zeros(shapes[name], dtypes[name])
        if dtypes[name].is_floating
        else tf.constant(checkpoint.get_tensor(name), dtypes[name])
        for name in names
    ]
    target.mkdir()
    # The raw operation keeps the names as they are; tf.train.Checkpoint would make its own.
    tf.raw_ops.SaveV2(
        prefix=str(target / "variables"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=tensors,
    )


def _trust(sha256: str) -> None:
    if sha256 in _trusted():
        return
    _trusted_here.add(sha256)
    # Without a cache folder that can be written, the trust ends with this process.
    with contextlib.suppress(OSError, UsageError):
        path = cache_folder() / _TRUSTED_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="ascii") as file:
            file.write(f"{sha256}\n")


def _trusted() -> set[str]:
    named = set(os.environ.get(TRUST_VARIABLE, "").replace(",", " ").split())
    with contextlib.suppress(OSError, UsageError, ValueError):
        named |= set((cache_folder() / _TRUSTED_NAME).read_text(encoding="ascii").split())
    return named | _trusted_here


def _check_trust(sha256: str) -> None:
    if sha256 not in _trusted():
        raise UsageError(
            "The model contains a TF Hub module that has not been used on this computer before. A "
            "module is a program and can read and write your files. If you trust the source of the "
            f"model, set the environment variable {TRUST_VARIABLE}={sha256} and try again."
        )
