"""Reading what comes from others: files of bounded size that are files, JSON of bounded numbers. No more is believed.

A results folder, a log or a scenario may come from anybody. A FIFO in it would block its reader for ever, a
symbolic link would lead out of it, a file of zeros would fill the memory, and a number of 400 digits or `1e999`
would end a report long after it was read.
"""

import json
import math
import os
from pathlib import Path
from typing import Any, NoReturn

from brokers.plain_text import printable
from brokers.regular_file import open_regular

MOST_JSON_BYTES = 16 * 2**20
"""Of a record: the largest ones, of runs with thousands of trials, take less than half of it."""
_MOST_INTEGER = 2**63 - 1
_LONGEST_INTEGER = 20
_CHUNK = 2**20


def read_file(path: Path, most: int) -> bytes:
    """Return what a regular file holds.

    Args:
        path: no symbolic link is followed in its last part.
        most: bytes that it may hold.

    Raises:
        FileNotFoundError, PermissionError, OSError: it cannot be read, or is no regular file.
        ValueError: it is too large.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        # It may grow meanwhile: what is read is counted, not what was promised.
        parts, left = [], most + 1
        while left and (part := file.read(min(_CHUNK, left))):
            parts.append(part)
            left -= len(part)
    if not left:
        message = f"it holds more than {most:,} bytes"
        raise ValueError(message)
    return b"".join(parts)


def read_text(path: Path, most: int = MOST_JSON_BYTES) -> str:
    """Return what a regular file of UTF-8 text holds; raise as `read_file`, and ValueError where it is no UTF-8."""
    return read_file(path, most).decode("utf-8")


def parse_json(text: str) -> Any:
    """Return what a JSON text holds; its integers fit into 64 bits, and its numbers are finite.

    Raises:
        ValueError: it is no such text.
    """
    try:
        return json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_refused)
    except RecursionError:
        message = "it is nested too deeply"
        raise ValueError(message) from None


def shown(value: Any) -> Any:
    """Return a value with the texts in it escaped for terminals and pages, those of tuples and tables included."""
    if type(value) is str:
        return printable(value)
    if type(value) is tuple:
        return tuple(map(shown, value))
    return {shown(key): shown(one) for key, one in value.items()} if type(value) is dict else value


def _integer(digits: str) -> int:
    if len(digits) <= _LONGEST_INTEGER and -_MOST_INTEGER - 1 <= (value := int(digits)) <= _MOST_INTEGER:
        return value
    message = f"{digits[:_LONGEST_INTEGER]}… is no integer of 64 bits"
    raise ValueError(message)


def _number(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refused(digits[:_LONGEST_INTEGER])


def _refused(constant: str) -> NoReturn:
    message = f"{constant} is no finite number"
    raise ValueError(message)
