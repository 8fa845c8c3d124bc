"""Get a published file whose size and sha256 are known: from disk, or from the network."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnkit.data.file_contents import Progress
from cnnkit.errors import DataError
from cnnkit.locks import only_one_process
from cnnkit.version import VERSION

Note = Callable[[str], None]

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 30
# Waits before each new attempt; an attempt that received something starts the list again.
_PAUSES_SECONDS = (0.5, 1.0, 2.0)
# Answers of a busy server or a slow proxy; any other one would be the same the next time.
_WORTH_ANOTHER_ATTEMPT = (408, 425, 429, 500, 502, 503, 504)
_SAME_NEXT_TIME = (socket.gaierror, ssl.SSLCertVerificationError)


@dataclass(frozen=True)
class RemoteFile:
    """One published file whose content never changes.

    Args:
        url: where it is published.
        size: in bytes.
        sha256: of its content.
        name: its path in the folder of downloads, and in Keras's folder of data sets.
        keras_names: other names that Keras gives it there.
    """

    url: str
    size: int
    sha256: str
    name: str
    keras_names: tuple[str, ...] = ()


class _DownloadError(Exception):
    """An attempt failed; the text is the reason. `is_passing` if another attempt may succeed."""

    def __init__(self, reason: str, *, is_passing: bool) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


def fetch(
    file: RemoteFile, folder: Path, progress: Progress | None = None, note: Note | None = None
) -> Path:
    """Return the path of a verified file; it is downloaded unless it is already there.

    A download that was interrupted or killed continues where it stopped. If several
    processes need the same file, one downloads it and the others wait.

    Args:
        file: what to get.
        folder: where downloads go, and files that are put there by hand; Keras's folder is searched
            too.
        progress: called with (bytes received, bytes in all).
        note: called with one sentence on each thing the user should know.

    Raises:
        DataError: the download failed, or another file is in its place; the text says where to put
            the right one by hand.
    """
    note = note or (lambda sentence: None)
    path = folder / file.name
    try:
        found = _find_on_disk(file, path, note)
        if found is not None:
            return found
        path.parent.mkdir(parents=True, exist_ok=True)
        with only_one_process(
            lock_of_download(path),
            lambda: note(f"Another process is downloading {path}; waiting for it."),
        ):
            if not path.exists():  # else another process was first
                _download(file, path, progress or (lambda done, total: None), note)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}. Set the environment variable "
            "CNNKIT_CACHE to a folder with room that you may write to."
        ) from error
    return path


def lock_of_download(path: Path) -> Path:
    """Return the lock file that a process holds while it downloads a file."""
    return path.with_name(f".{path.name}.lock")


def _find_on_disk(file: RemoteFile, path: Path, note: Note) -> Path | None:
    """Return the file from our folder or Keras's. A wrong one in ours is an error."""
    if path.exists():
        found = _mismatch(file, path)
        if found:
            raise DataError(
                f"{path} is not the file that was published: it has {found}. Expected "
                f"{file.size:,} bytes, sha256 {file.sha256}. Remove it, or put the file of "
                f"{file.url} in its place; then run the command again."
            )
        return path
    home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    for name in (file.name, *file.keras_names):
        candidate = home / "datasets" / name
        if candidate.is_file():
            found = _mismatch(file, candidate)
            if not found:
                return candidate
            note(f"Ignored: {candidate} is not the file that was published: it has {found}.")
    return None


def _mismatch(file: RemoteFile, path: Path) -> str:
    """Return the size and sha256 of a file that is not the published one, else an empty string."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if (size, digest.hexdigest()) == (file.size, file.sha256):
        return ""
    return f"{size:,} bytes, sha256 {digest.hexdigest()}"


def _download(file: RemoteFile, path: Path, progress: Progress, note: Note) -> None:
    part = path.with_name(f"{path.name}.part")
    resumed = _size(part) > 0
    rest = f", of which {_size(part):,} are there already" if resumed else ""
    note(f"Downloading {file.url} ({file.size:,} bytes{rest}) to {path}.")
    _receive_all(file, path, part, progress, note)
    found = _mismatch(file, part)
    if found and resumed:  # the part that an earlier run left may be the damaged one
        note(f"{part} is damaged; downloading all of it again.")
        part.unlink()
        _receive_all(file, path, part, progress, note)
        found = _mismatch(file, part)
    if found:
        part.unlink()
        raise _by_hand(file, path, f"the received file has {found}, so it was removed")
    # Only a verified file gets the name of the download.
    part.replace(path)


def _receive_all(file: RemoteFile, path: Path, part: Path, progress: Progress, note: Note) -> None:
    """Fill `part` up to the published size, with new attempts after passing failures."""
    pauses = list(_PAUSES_SECONDS)
    while True:
        before = _size(part)
        try:
            _receive(file, part, progress)
            return
        except _DownloadError as error:
            if _size(part) > before:
                pauses = list(_PAUSES_SECONDS)
            if not error.is_passing or not pauses:
                raise _by_hand(file, path, str(error)) from error
            note(f"{file.name}: {error}; trying again.")
            time.sleep(pauses.pop(0))


def _by_hand(file: RemoteFile, path: Path, reason: str) -> DataError:
    kept = _size(path.with_name(f"{path.name}.part"))
    rest = f" The {kept:,} bytes received so far are kept; the next run continues." * bool(kept)
    return DataError(
        f"{file.url} could not be downloaded: {reason}.{rest}\n"
        f"To put the file there by hand, download it on another machine, save it as\n  {path}\n"
        f"({file.size:,} bytes, sha256 {file.sha256}) and run the command again."
    )


def _receive(file: RemoteFile, part: Path, progress: Progress) -> None:
    """Ask once for the missing bytes and append what the server sends.

    Another length is refused at once: it is the log-in page of a network, or a notice. Nothing else
    is examined, as the caller compares the sha256 of the whole file.
    """
    have = _size(part)
    if have > file.size:
        part.unlink()
        have = 0
    if have == file.size:
        return
    needed, free = file.size - have, shutil.disk_usage(part.parent).free
    if free < needed:
        reason = f"it needs {needed:,} bytes and {part.parent} has room for {free:,}"
        raise _DownloadError(reason, is_passing=False)
    with _open_url(file.url, have) as response:
        is_rest = response.status == 206  # a server without ranges sends the whole file
        have = have if is_rest else 0
        length = response.headers.get("Content-Length")
        if length not in (None, str(file.size - have)):
            reason = f"the server sends {length} bytes instead of {file.size - have}"
            raise _DownloadError(reason, is_passing=False)
        with part.open("ab" if is_rest else "wb") as stream:
            for chunk in _chunks(response):
                stream.write(chunk)
                have += len(chunk)
                progress(min(have, file.size), file.size)
                if have >= file.size:
                    return
    reason = f"the connection ended after {have:,} of {file.size:,} bytes"
    raise _DownloadError(reason, is_passing=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _open_url(url: str, first_byte: int) -> http.client.HTTPResponse:
    # Not compressed on the way, so that sizes and ranges are those of the file.
    headers = {"User-Agent": f"cnnkit/{VERSION}", "Accept-Encoding": "identity"}
    if first_byte:
        headers["Range"] = f"bytes={first_byte}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error) from error


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        # Unlike `read`, it returns what has arrived: less is lost if the connection ends.
        while chunk := response.read1(_CHUNK_BYTES):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error) from error


def _network_error(error: Exception) -> _DownloadError:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        reason = f"the server answered {error.code} {error.reason}"
        return _DownloadError(reason, is_passing=error.code in _WORTH_ANOTHER_ATTEMPT)
    cause = getattr(error, "reason", error)  # URLError wraps what happened
    reason = getattr(cause, "strerror", None) or str(cause) or repr(cause)
    if isinstance(cause, TimeoutError):
        reason = f"the server sent nothing for {_TIMEOUT_SECONDS} seconds"
    if isinstance(cause, socket.gaierror):
        reason = "the server's name cannot be looked up (is there a network?)"
    return _DownloadError(reason, is_passing=not isinstance(cause, _SAME_NEXT_TIME))
