"""Units as people write them, integers as the code wants them. Pure.

Durations are nanoseconds inside and text with a unit (`5s`, `500ms`) outside.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

# Brokers have sizes too, and know nothing of this package.
from brokers.byte_sizes import exact_size as exact_size  # noqa: PLC0414
from brokers.byte_sizes import parse_size as parse_size  # noqa: PLC0414
from brokers.byte_sizes import size_words as size_words  # noqa: PLC0414

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
S_PER_MINUTE = 60
TICK_NS = 100 * NS_PER_MS
"""The step of telemetry and of the time line."""
_UNITS_NS = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": NS_PER_S, "min": 60 * NS_PER_S, "h": 3600 * NS_PER_S}
_S_PER_HOUR = 3600
_TENTHS_BELOW_S = 10
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


def time_words(seconds: float) -> str:
    """Return a time as people read it: `350 ms`, `2.5 s`, `12 s`, `7 min 18 s`, `2 h 05 min`."""
    if seconds <= 0:
        return "0 s"
    if round(seconds * 1000) < 1000:  # noqa: PLR2004  (ms a second)
        return f"{seconds * 1000:.3g} ms"
    if round(seconds, 1) < _TENTHS_BELOW_S:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), S_PER_MINUTE)
    if not minutes:
        return f"{rest} s"
    if minutes < _S_PER_HOUR // S_PER_MINUTE:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / S_PER_MINUTE), _S_PER_HOUR // S_PER_MINUTE)
    return f"{hours} h {minutes:02d} min"


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "examples": ["500ms", "5s", "2min"]}),
]
PositiveDuration = Annotated[Duration, Field(gt=0)]


def at_most(most_ns: int) -> Callable[[int], int]:
    """Return a validator of durations up to a longest one."""

    def check(ns: int) -> int:
        if ns > most_ns:
            message = f"{format_duration(ns)}: at most {format_duration(most_ns)}"
            raise ValueError(message)
        return ns

    return check


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
