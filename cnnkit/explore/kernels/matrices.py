"""Read matrices and kernels from text, CSV files and YAML files."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.config.yaml_reader import read_yaml
from cnnkit.errors import UsageError
from cnnkit.explore.kernels.operators import OPERATORS, Kernel, Operator, find_operator

_YAML_EXTENSIONS = (".yaml", ".yml", ".json")
_EXTENSIONS = (".csv", *_YAML_EXTENSIONS)
_LARGEST = 1e100  # so that products and their sums stay finite
_MOST_LETTERS = 60  # of a wrong value that a message quotes
_FORM = 'Give rows of numbers of the same length, such as "[[1,2,3],[4,5,6]]".'


def read_matrix(text: str, option: str) -> np.ndarray:
    """Return the matrix that an option gives as text or as a .csv, .yaml or .json file.

    Args:
        text: a matrix such as `[[1,2],[3,4]]`, or the path of a file. A number may be a fraction
            such as `1/9`.
        option: name of the option, for messages.

    Returns:
        (rows, columns) floats.

    Raises:
        UsageError: it is not one matrix of numbers, or the file cannot be read.
    """
    if text.lstrip().startswith("["):
        return _matrix(read_yaml(text, option).data, option)
    data = _read_file(text, option)
    if isinstance(data, dict):
        raise UsageError(f"{text} has named matrices, but {option} takes one matrix. {_FORM}")
    return _matrix(data, text)


def read_operators(text: str) -> list[Operator]:
    """Return the operator or matrix that `--kernel` gives, or all kernels of a file.

    Raises:
        UsageError: no operator has this name, or it is not a matrix of numbers.
    """
    if text.lstrip().startswith("["):
        return [_own("own kernel", _matrix(read_yaml(text, "--kernel").data, "--kernel"))]
    if text in OPERATORS or not _is_file(text):
        return [find_operator(text)]
    data = _read_file(text, "--kernel")
    if data == {}:
        raise UsageError(f"{text} has no kernel. Write NAME: [[...], ...] into it.")
    if isinstance(data, dict):
        return [_own(name, _matrix(rows, f"{text}, {name}")) for name, rows in data.items()]
    return [_own(Path(text).stem, _matrix(data, text))]


def read_operator(text: str) -> Operator:
    """Return the one operator that `--kernel` gives.

    Raises:
        UsageError: as for `read_operators`, or a file has several kernels.
    """
    found = read_operators(text)
    if len(found) != 1:
        names = ", ".join(operator.name for operator in found)
        raise UsageError(
            f"{text} has {len(found)} kernels ({names}), but one is needed. Write the one you want "
            "into a file of its own, or give it as text."
        )
    return found[0]


def _own(name: str, weights: np.ndarray) -> Operator:
    return Operator(name, (Kernel(weights),))


def _is_file(text: str) -> bool:
    """Return whether a text is meant as a file, even if no such file exists."""
    path = Path(text)
    return path.suffix.lower() in _EXTENSIONS or len(path.parts) > 1 or path.is_file()


def _read_file(text: str, option: str) -> Any:
    path = Path(text)
    if path.suffix.lower() not in _EXTENSIONS:
        raise UsageError(f"{option}: {text} is not a .csv, .yaml, .yml or .json file. {_FORM}")
    try:
        # Spreadsheets begin a CSV with a byte order mark, which this encoding skips.
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{text}: the file is not UTF-8 text. {_FORM}") from None
    except OSError as error:
        raise UsageError(f"{option}: {text}: {error.strerror}.") from None
    if path.suffix.lower() in _YAML_EXTENSIONS:
        return read_yaml(content, text).data
    try:
        return [row for row in csv.reader(content.splitlines()) if row]
    except csv.Error as error:
        raise UsageError(f"{text} is not a table of numbers: {error}. {_FORM}") from None


def _matrix(rows: Any, place: str) -> np.ndarray:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise UsageError(f"{place}: this is not a matrix. {_FORM}")
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise UsageError(
            f"{place}: the rows have different lengths ({', '.join(map(str, lengths[:20]))}). "
            "All rows need the same number of values."
        )
    if not lengths[0]:
        raise UsageError(f"{place}: the rows are empty. {_FORM}")
    return np.array([_numbers(row, number, place) for number, row in enumerate(rows)])


def _numbers(row: Sequence[Any], number: int, place: str) -> list[float]:
    return [_number(value, f"{place}: [{number}, {column}]") for column, value in enumerate(row)]


def _number(value: Any, place: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        # Only fractions go through Fraction, because Fraction("1e999999999") hangs.
        is_fraction = isinstance(value, str) and "/" in value
        result = float(Fraction(value.strip()) if is_fraction else value)
    except OverflowError:
        result = math.inf
    except (ValueError, ZeroDivisionError):
        result = math.nan
    if not abs(result) <= _LARGEST:
        fault = "not a number" if math.isnan(result) else "too large"
        raise UsageError(
            f'{place}: "{_shortened(value)}" is {fault}. Write numbers such as 3, -0.5 or 1/9. '
            "(Rows and columns are counted from 0.)"
        )
    return result


def _shortened(value: Any) -> str:
    # Python refuses to write an integer of thousands of digits in decimal.
    text = hex(value) if isinstance(value, int) and abs(value) > _LARGEST else str(value)
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}\u2026"
