"""Units as people write them, integers as the code wants them. Pure.

Durations are nanoseconds inside and text with a unit (`5s`, `500ms`) outside.
"""

import math
import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
S_PER_MINUTE = 60
TICK_NS = 100 * NS_PER_MS
"""The step of telemetry and of the time line."""
_UNITS_NS = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": NS_PER_S, "min": 60 * NS_PER_S, "h": 3600 * NS_PER_S}
_UNITS_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmg]i?b|b)?\s*$", re.IGNORECASE)
_SHOWN = 40
_NEARLY = 0.9
_TINY = 1e-6
_LONGEST_NS = 366 * 24 * 3600 * NS_PER_S
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min|h)\s*$")


def parse_duration(text: object) -> int:
    """Return nanoseconds for text such as `1.5s`; raise ValueError for anything else."""
    match = _DURATION.match(text) if isinstance(text, str) else None
    if match is None:
        message = f"{text!r} is no duration: write a number and a unit, such as '500ms', '5s' or '2min'"
        raise ValueError(message)
    ns = Decimal(match[1]) * _UNITS_NS[match[2]]
    if ns > _LONGEST_NS:
        message = f"{text!r} is longer than a year: durations are at most 366 days"
        raise ValueError(message)
    return round(ns)


def format_duration(ns: int) -> str:
    """Return the shortest exact text for a duration, such that parsing gives it back."""
    for unit in ("h", "min", "s", "ms", "us"):
        if ns and ns % _UNITS_NS[unit] == 0:
            return f"{ns // _UNITS_NS[unit]}{unit}"
    return f"{ns}ns" if ns else "0s"


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


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "examples": ["500ms", "5s", "2min"]}),
]
PositiveDuration = Annotated[Duration, Field(gt=0)]


def percent(share: float) -> str:
    """Return a share as a percentage with its sign, such as `5 %`.

    Two significant digits; from 90 % up, two of what is missing to the whole, so that no level of
    confidence reads as 100 %.
    """
    size = abs(share)
    if size < _TINY:
        return "0 %"
    if _NEARLY <= size < 1:
        return f"{round(share * 100, 1 - math.floor(math.log10(100 * (1 - size)))):.10g} %"
    return f"{share * 100:,.0f} %" if size >= 1 else f"{share * 100:.2g} %"


def short_of_whole(share: float) -> str:
    """Return a share that fell short of a limit: rounded down to a tenth of a percent, so never up to the limit."""
    return percent(math.floor(share * 1000) / 1000)
