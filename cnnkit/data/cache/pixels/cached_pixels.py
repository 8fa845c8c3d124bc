"""Read each image file once and return its hash, with a store of all pixels."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np

from cnnkit.data.cache.folder import remove_unused
from cnnkit.data.cache.pixels.contents import SortedContents, from_bytes, from_hex
from cnnkit.data.cache.pixels.filling import NoRows, new_rows
from cnnkit.data.cache.pixels.pack import Pack, last_used, open_packs, pack_folders
from cnnkit.data.cache.pixels.read_once import ReadFile, read_files
from cnnkit.data.cache.pixels.storage_choice import Place, choose_place
from cnnkit.data.cache.pixels.store import Originals, PixelStore
from cnnkit.data.decoding.sample_kinds import range_note, sound_note
from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.file_contents import Progress
from cnnkit.data.pixels import PixelSettings
from cnnkit.text import count_of, size_text

Note = Callable[[str], None]

# How much of another pack is in memory at once while it is copied.
_COPIED_BYTES = 32 << 20


def open_pixels(
    files: Sequence[ImageFile],
    settings: PixelSettings,
    *,
    cache: str = "auto",
    limit_gb: float = 50.0,
    progress: Progress | None = None,
    note: Note | None = None,
) -> tuple[PixelStore, list[str | None], dict[int, str]]:
    """Read every file once, decode what no earlier pack has, and keep the pixels.

    If an earlier pack has all contents, it is used. Otherwise a new one is made, with the rows of
    earlier packs as far as they have them.

    Args:
        files: all files of a data set. Copies of one content are decoded and kept once.
        settings: size, colour mode, resize policy and background.
        cache: `disk` keeps pixels in the cache folder, `memory` keeps new pixels in memory, `off`
            keeps none (all files are decoded now to find broken ones, and again on demand), and
            `auto` chooses.
        limit_gb: for all packs in the cache folder; the least recently used ones are removed.
        progress: called with (files read, files in all), not for each single file.
        note: called with one sentence on what `auto` chose, on pictures of more than 8 bits, and on
            anything unusual.

    Returns:
        The store; the sha256 of each file in hex, None if it cannot be read; and, by position, the
        reason for each file that cannot be read or decoded.

    Raises:
        DataError: there is no room where `cache` wants the pixels, or it cannot be written.
    """
    note = note or (lambda sentence: None)
    place = choose_place(len(files), settings, cache, limit_gb)
    packs = [] if cache == "off" else open_packs(settings, note)
    # With packs, perhaps nothing new has to be kept: then the first new row is checked.
    if not packs:
        place.check()
    with new_rows(place, settings, len(files)) as rows:
        listing = _read_all(files, settings, packs, rows, progress)
        contents, file_of = listing.decodable()
        originals = Originals(files, settings, contents, file_of)
        # A pack with all images is used as it is, even if it has others too.
        whole = next((pack for pack in packs if (pack.rows(contents) >= 0).all()), None)
        if whole is not None:
            store = PixelStore(originals, whole.contents, whole, note, is_new=False)
        elif place.kind == "off" or not len(contents):
            store = PixelStore(originals, contents, None, note)
        else:
            for pack in packs:
                _copy(pack, contents, originals, rows, note)
            store = PixelStore(originals, *rows.finish(), note)
    kinds = listing.kinds()
    for sentence in (sound_note(kinds), range_note(kinds, settings.sample_range)):
        if sentence:
            note(sentence)
    # Only then is the place news to the user.
    if cache == "auto":
        note(_choice(store, len(contents), place))
    if store.pack is not None:
        store.pack.touch()
        remove_unused(pack_folders(), limit_gb, store.pack.folder, note, last_used)
    return store, listing.hashes, listing.reasons


class _Listing:
    """The hash of every file, or why it cannot be read or decoded."""

    def __init__(self) -> None:
        self.hashes: list[str | None] = []
        self.reasons: dict[int, str] = {}
        self._errors: dict[str, str] = {}
        self._kinds: list[str] = []

    def add(self, found: ReadFile) -> None:
        """Add the next file."""
        digest = None if found.content is None else found.content.hex()
        if digest is None:
            self.reasons[len(self.hashes)] = found.reason
        elif found.reason:
            self._errors[digest] = found.reason
        self.hashes.append(digest)
        self._kinds.append(found.kind)

    def decodable(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the contents that can be decoded, and for each the place of a file with it.

        Copies of a content that cannot be decoded get their reasons here: threads may have decoded
        a later copy than the first.
        """
        for position, digest in enumerate(self.hashes if self._errors else ()):
            if digest in self._errors:
                self.reasons[position] = self._errors[digest]
        found = {
            place: digest
            for place, digest in enumerate(self.hashes)
            if digest is not None and place not in self.reasons
        }
        # Copies share a row, and any of their files will do to decode it.
        contents, first = np.unique(from_hex(list(found.values())), return_index=True)
        return contents, np.array(list(found), np.int64)[first]

    def kinds(self) -> Counter[str]:
        """Return the number of files by their sample kind; to be called after `decodable`."""
        return Counter(
            kind for place, kind in enumerate(self._kinds) if kind and place not in self.reasons
        )


def _read_all(
    files: Sequence[ImageFile],
    settings: PixelSettings,
    packs: Sequence[Pack],
    rows: NoRows,
    progress: Progress | None,
) -> _Listing:
    listing = _Listing()
    # What a pack has is read and hashed, but not decoded.
    packed = SortedContents(np.concatenate([from_bytes(b""), *(p.contents for p in packs)]))
    with closing(read_files(files, settings, packed.__contains__)) as batches:
        for batch in batches:
            for found in batch:
                listing.add(found)
                if found.content is not None and found.pixels is not None:
                    rows.add(found.content, found.pixels, found.crc32)
            if progress is not None:
                progress(len(listing.hashes), len(files))
    return listing


def _copy(pack: Pack, contents: np.ndarray, originals: Originals, rows: NoRows, note: Note) -> None:
    """Copy the contents that are still missing from a pack, some rows at a time."""
    missing = contents[SortedContents(rows.contents).places(contents) < 0]
    # In the order of the rows, so that the disk reads forward.
    chosen = np.sort(pack.rows(missing))
    chosen = chosen[chosen >= 0]
    # Read through a store, which checks each row: a damaged one must not spread.
    store = PixelStore(originals, pack.contents, pack, note)
    step = max(1, _COPIED_BYTES // int(np.prod(originals.settings.shape)))
    for start in range(0, len(chosen), step):
        part = chosen[start : start + step]
        for row, pixels in zip(part, store.read(part), strict=True):
            content = pack.contents[row : row + 1].tobytes()
            rows.add(content, pixels, zlib.crc32(pixels))


def _choice(store: PixelStore, num_images: int, place: Place) -> str:
    """Return a sentence on the number and size of images, where they are kept, and why there."""
    height, width, channels = store.settings.shape
    size = size_text(num_images * height * width * channels)
    if store.pack is not None:
        kept = f"{'kept on disk in' if store.is_new else 'read from'} {store.pack.folder}"
    else:
        kept = "kept in memory" if store.place == "memory" else "decoded again in every epoch"
        kept += place.why and f": {place.why}"
    images = count_of(num_images, "image")
    return f"pixels: {images} of {height} x {width} x {channels}, {size}, {kept}."
