"""Read and verify the records of a TFRecord file, without TensorFlow.

A record is its length (uint64), a masked CRC-32C of the length, the data, and a masked CRC-32C of
the data, all little-endian. The data is a `tf.train.Example` in protobuf's wire format.
"""

from __future__ import annotations

import functools
import os
import re
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from cnnkit.errors import DataError
from cnnkit.files import open_regular

ENCODED = "image/encoded"

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_NAME = re.compile(
    r".+\.(tfrecords?|record)(-\d+-of-\d+)?|.+-\d+-of-\d+(\.(tfrecords?|record))?", re.IGNORECASE
)


def is_tfrecord_name(path: str) -> bool:
    """Return whether a name is that of a TFRecord file: `a.tfrecord`, `train-00000-of-00004`."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


class DamagedRecordError(OSError):
    """A record cannot be read; the text is the reason."""


@dataclass(frozen=True, slots=True)
class RecordImage:
    """The encoded image in one record of a TFRecord file.

    Args:
        file: path of the TFRecord file.
        number: of the record in the file, from 0.
        offset: where its data begin in the file, in bytes.
        length: of its data in bytes.
    """

    file: str
    number: int
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.file}#{self.number}"

    def read_bytes(self) -> bytes:
        """Return the encoded image; raises OSError if it cannot be read."""
        with open_regular(self.file) as stream:
            return encoded_image(example_features(read_data(stream, self.offset, self.length)))


def read_frames(file: str, stream: IO[bytes]) -> Iterator[RecordImage]:
    """Yield the place of each record. The caller may read from the stream in between.

    Raises:
        DamagedRecordError: a length is damaged, or the file ends inside a record.
    """
    size = os.fstat(stream.fileno()).st_size
    position = number = 0
    while position < size:
        stream.seek(position)
        header = stream.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise DamagedRecordError("the file ends inside it")
        length, checksum = _HEADER.unpack(header)
        # Checked before the length is used: a damaged one may be any number.
        if checksum != _masked_crc(header[:8]):
            raise DamagedRecordError(_no_length(header, number))
        end = position + _HEADER.size + length + _CHECKSUM.size
        if end > size:
            raise DamagedRecordError("the file ends inside it")
        yield RecordImage(file, number, position + _HEADER.size, length)
        position, number = end, number + 1


def _no_length(header: bytes, number: int) -> str:
    if number == 0 and header[:2] == b"\x1f\x8b":
        return "the file is compressed with gzip; unpack it first"
    return "its length is damaged" if number else "the file is not a TFRecord file, or is damaged"


def read_data(stream: IO[bytes], offset: int, length: int) -> bytes:
    """Return the data of a record.

    Raises:
        DamagedRecordError: the data do not fit their checksum.
    """
    stream.seek(offset)
    content = stream.read(length + _CHECKSUM.size)
    data = content[:length]
    if content[length:] != _CHECKSUM.pack(_masked_crc(data)):
        raise DamagedRecordError("its data are damaged")
    return data


def _masked_crc(data: bytes) -> int:
    # Only here and not at the top, because most sources are no TFRecord files.
    import google_crc32c

    crc = google_crc32c.value(data)
    # The mask of the TFRecord format: a checksum of data that contain checksums stays useful.
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def example_features(data: bytes) -> Any:
    """Return the features of a `tf.train.Example`, a mapping from name to Feature.

    Raises:
        DamagedRecordError: the data are not a `tf.train.Example`.
    """
    from google.protobuf.message import DecodeError

    try:
        return _example_class().FromString(data).features.feature
    except DecodeError as error:
        raise DamagedRecordError("it is not a tf.train.Example") from error


def encoded_image(features: Any) -> bytes:
    """Return the bytes of the image file in a record.

    Raises:
        DamagedRecordError: the record has none, or several.
    """
    values: Sequence[bytes] = features[ENCODED].bytes_list.value if ENCODED in features else ()
    if len(values) != 1:
        has = ", ".join(sorted(features)) or "none"
        count = f"{len(values)} values" if ENCODED in features else "no feature"
        raise DamagedRecordError(
            f"expected one image in {ENCODED}, but it has {count}; features: {has}"
        )
    return values[0]


def record_at(place: str) -> RecordImage | None:
    """Return the record of a path like `photos/train.tfrecord#12`; None if there is no such record.

    Raises:
        DataError: the file is damaged.
    """
    file, mark, number = place.rpartition("#")
    # isdigit alone accepts characters such as a superscript 2, which int() refuses.
    if not mark or not (number.isascii() and number.isdigit() and is_tfrecord_name(file)):
        return None
    try:
        facts = os.stat(file)
    except OSError:
        return None
    offsets, lengths = _places(file, facts.st_size, facts.st_mtime_ns)
    index = int(number)
    if index >= len(offsets):
        return None
    return RecordImage(file, index, offsets[index], lengths[index])


@functools.lru_cache(maxsize=4096)
def _places(file: str, size: int, changed: int) -> tuple[array[int], array[int]]:
    """Return the offsets and lengths of all records.

    The result is kept as long as the size and the time of the file's last change are the same.
    """
    # Sixteen bytes per record: files may hold a million of them.
    offsets, lengths = array("Q"), array("Q")
    try:
        with open_regular(file) as stream:
            for frame in read_frames(file, stream):
                offsets.append(frame.offset)
                lengths.append(frame.length)
    except OSError as error:
        raise record_error(file, len(offsets), error) from error
    return offsets, lengths


def record_error(file: str, number: int, error: OSError) -> DataError:
    """Return the error that names the file and the record."""
    return DataError(f"{file}, record {number}: {error.strerror or error}.")


@functools.cache
def _example_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    # The compiled class is a part of TensorFlow, which takes seconds to import.
    file = text_format.Parse(_EXAMPLE_PROTO, descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("cnnkit.Example"))


# The parts of tensorflow/core/example/example.proto and feature.proto that are used here.
_EXAMPLE_PROTO = """
name: "cnnkit/example.proto" package: "cnnkit" syntax: "proto3"
message_type {
  name: "BytesList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES }
}
message_type {
  name: "Int64List"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 }
}
message_type {
  name: "Feature"
  field { name: "bytes_list" number: 1 type: TYPE_MESSAGE type_name: ".cnnkit.BytesList" }
  field { name: "int64_list" number: 3 type: TYPE_MESSAGE type_name: ".cnnkit.Int64List" }
}
message_type {
  name: "Features"
  field {
    name: "feature" number: 1 label: LABEL_REPEATED
    type: TYPE_MESSAGE type_name: ".cnnkit.Features.FeatureEntry"
  }
  nested_type {
    name: "FeatureEntry" options { map_entry: true }
    field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field {
      name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".cnnkit.Feature"
    }
  }
}
message_type {
  name: "Example"
  field { name: "features" number: 1 type: TYPE_MESSAGE type_name: ".cnnkit.Features" }
}
"""
