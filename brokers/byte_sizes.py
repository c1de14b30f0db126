"""Sizes as people write and read them, bytes as the code wants them. Pure."""

import re
from decimal import Decimal

_UNITS_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmg]i?b|b)?\s*$", re.IGNORECASE)
_SHOWN = 40
_STEP = 1024
_NAMES = ("B", "KiB", "MiB", "GiB", "TiB")
_THREE_DIGITS, _TWO_DIGITS = 100, 10


def parse_size(given: object) -> object:
    """Return bytes for text such as `1KiB` or `64 kB`; anything that is no text as it is.

    Raises:
        ValueError: text that is no size.
    """
    if not isinstance(given, str):
        return given
    match = _SIZE.match(given)
    if match is None:
        shown = given[:_SHOWN]
        message = f"{shown!r} is no size: write bytes, such as 1024, or a number and a unit, such as '1KiB' or '64kB'"
        raise ValueError(message)
    return round(Decimal(match[1]) * _UNITS_BYTES[(match[2] or "b").lower()])


def size_words(size: float) -> str:
    """Return bytes as people read them, to three digits in units of 1,024: `100 B`, `1.5 KiB`, `247 MiB`."""
    value, unit = float(size), 0
    while round(value) >= _STEP and unit < len(_NAMES) - 1:
        value, unit = value / _STEP, unit + 1
    decimals = 0 if not unit or value >= _THREE_DIGITS else 1 if value >= _TWO_DIGITS else 2
    text = f"{value:,.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if decimals else text} {_NAMES[unit]}"


def exact_size(size: int) -> str:
    """Return bytes in the largest unit that loses nothing, such as `16 MiB` or `1,025 B`."""
    for unit in (3, 2, 1):
        if size and size % _STEP**unit == 0:
            return f"{size // _STEP**unit:,} {_NAMES[unit]}"
    return f"{size:,} B"
