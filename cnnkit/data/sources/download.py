"""The address, size and sha256 of a file enter; the file leaves, put there by hand or fetched."""

from __future__ import annotations

import contextlib
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

from cnnkit.data.reading import Progress
from cnnkit.errors import DataError
from cnnkit.locks import only_one_process
from cnnkit.version import VERSION

Note = Callable[[str], None]

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 30
# Waited before each new attempt; an attempt that brought something begins anew.
_PAUSES_SECONDS = (0.5, 1.0, 2.0)
_WORTH_ANOTHER_ATTEMPT = (408, 425, 429, 500, 502, 503, 504)


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


class _BrokenOffError(Exception):
    """A passing failure of the network; the text is the reason."""


class _RefusedError(Exception):
    """A failure that another attempt would meet again; the text is the reason."""


def fetch(
    file: RemoteFile, folder: Path, progress: Progress | None = None, note: Note | None = None
) -> Path:
    """Return the path of a verified file; it is downloaded where nobody put it by hand.

    A download that is interrupted, even by a kill, goes on where it stopped. Two processes that
    want one file wait for each other.

    Args:
        file: what to get.
        folder: where files are put by hand and downloads go; Keras's folder is looked in too.
        progress: called with (bytes there, bytes in all).
        note: called with one sentence on each thing the user should know.

    Raises:
        DataError: the file cannot be had, or the one that is there is another; the text says where
            to put it by hand.
    """
    note = note or (lambda sentence: None)
    path = folder / file.name
    try:
        found = _put_by_hand(file, path, note)
        if found is not None:
            return found
        path.parent.mkdir(parents=True, exist_ok=True)
        with only_one_process(path.with_name(f".{path.name}.lock"), _waiting(path, note)):
            if not path.exists():  # else another process was first
                _download(file, path, progress or (lambda done, total: None), note)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}. Set the environment variable "
            "CNNKIT_CACHE to a folder with room that you may write to."
        ) from error
    return path


def _waiting(path: Path, note: Note) -> Callable[[], None]:
    return lambda: note(f"Another process downloads {path}; waiting for it.")


def _put_by_hand(file: RemoteFile, path: Path, note: Note) -> Path | None:
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
            note(f"Left aside: {candidate} is another file than expected: it has {found}.")
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
    if found and resumed:  # what an earlier run left may be the fault
        note(f"{part} is damaged; downloading it afresh.")
        part.unlink()
        _receive_all(file, path, part, progress, note)
        found = _mismatch(file, part)
    if found:
        part.unlink()
        raise _by_hand(file, path, f"what came has {found}, so it was thrown away")
    part.replace(path)


def _receive_all(file: RemoteFile, path: Path, part: Path, progress: Progress, note: Note) -> None:
    """Fill `part` up to the published size, with new attempts after passing failures."""
    pauses = list(_PAUSES_SECONDS)
    while True:
        before = _size(part)
        try:
            _receive(file, part, progress)
            return
        except _RefusedError as error:
            raise _by_hand(file, path, str(error)) from error
        except _BrokenOffError as error:
            if _size(part) > before:
                pauses = list(_PAUSES_SECONDS)
            if not pauses:
                raise _by_hand(file, path, str(error)) from error
            note(f"{file.name}: {error}; trying again.")
            time.sleep(pauses.pop(0))


def _by_hand(file: RemoteFile, path: Path, reason: str) -> DataError:
    kept = _size(path.with_name(f"{path.name}.part"))
    rest = f" The {kept:,} bytes that came are kept; the next run goes on from there." * bool(kept)
    return DataError(
        f"{file.url} could not be downloaded: {reason}.{rest}\n"
        f"To put the file there by hand, fetch it elsewhere, save it as\n  {path}\n"
        f"({file.size:,} bytes, sha256 {file.sha256}) and run the command again."
    )


def _receive(file: RemoteFile, part: Path, progress: Progress) -> None:
    """Ask once for the missing bytes and append what comes."""
    have = _size(part)
    if have > file.size:
        part.unlink()
        have = 0
    if have == file.size:
        return
    needed, free = file.size - have, shutil.disk_usage(part.parent).free
    if free < needed:
        raise _RefusedError(f"it needs {needed:,} bytes and {part.parent} has room for {free:,}")
    with _response(file, have) as response:
        have = _first_byte(response, have, file)
        with part.open("ab" if have else "wb") as stream:
            for chunk in _chunks(response):
                have += len(chunk)
                if have > file.size:
                    raise _RefusedError(f"more than the {file.size:,} bytes of the file came")
                stream.write(chunk)
                progress(have, file.size)
    if have < file.size:
        raise _BrokenOffError(f"the connection ended after {have:,} of {file.size:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def _response(file: RemoteFile, have: int) -> Iterator[http.client.HTTPResponse]:
    headers = {"User-Agent": f"cnnkit/{VERSION}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(file.url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"the server answered {error.code} {error.reason}"
        passing = error.code in _WORTH_ANOTHER_ATTEMPT
        raise (_BrokenOffError if passing else _RefusedError)(reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error) from error
    with response:
        yield response


def _network_error(error: Exception) -> Exception:
    reason = getattr(error, "reason", error)  # URLError wraps what happened
    if isinstance(reason, TimeoutError):
        return _BrokenOffError(f"nothing came for {_TIMEOUT_SECONDS} seconds")
    if isinstance(reason, socket.gaierror):
        return _RefusedError("the server's name cannot be looked up (is there a network?)")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _RefusedError(f"the server's certificate is not trusted ({reason.verify_message})")
    return _BrokenOffError(getattr(reason, "strerror", None) or str(reason) or repr(reason))


def _first_byte(response: http.client.HTTPResponse, have: int, file: RemoteFile) -> int:
    """Return the place of the first byte that comes; 0 where the server sends the whole file.

    A page of another length (a portal's log-in, a notice) is refused before anything is written.
    Nothing need be remembered of the file's version: its sha256 is known and is checked at the end.
    """
    begin = 0
    if response.status == 206:
        begin = have
        expected = f"bytes {have}-{file.size - 1}/"
        received = response.headers.get("Content-Range", "")
        if not received.startswith(expected):
            raise _RefusedError(f"asked for {expected}..., the server sent {received!r}")
    length = response.headers.get("Content-Length")
    if length is not None and length != str(file.size - begin):
        raise _RefusedError(f"the server sends {length} bytes instead of {file.size - begin}")
    return begin


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read1(_CHUNK_BYTES):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error) from error
