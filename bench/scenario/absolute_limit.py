"""What a figure must keep to, whatever other runs had, as a scenario, a budget or the command line has it. Pure."""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from bench.units import parse_duration, parse_size
from brokers.settings import BrokerName, Frozen

MetricName = Literal[
    "p50",
    "p90",
    "p99",
    "p99.9",
    "p99.99",
    "achieved_rate",
    "broker_cpu",
    "broker_rss",
    "client_cpu",
    "client_rss",
    "lost",
    "duplicated",
    "reordered",
]
"""Figures of a trial that can be limited, by the name that a gate uses."""
PERCENTILES = ("p50", "p90", "p99", "p99.9", "p99.99")
COUNTS = ("lost", "duplicated", "reordered")
_NS_PER_US = 1_000.0
_CONDITION = re.compile(r"\s*([\w.]+)\s*([<>])\s*(\S.*?)\s*")


def _positive(given: object) -> float:
    value = float(given) if isinstance(given, int | float | str) else math.nan
    if not 0 < value < math.inf:
        raise ValueError
    return value


def _whole(given: object) -> float:
    value = float(given) if isinstance(given, int | float | str) else math.nan
    if not 0 <= value < math.inf or value != int(value):
        raise ValueError
    return value


_Reading = tuple[str, Callable[[object], float]]
"""What a value is, in words, and what reads it; raises ValueError for anything else."""
_LATENCY: _Reading = ("a time with its unit, such as '5ms'", lambda given: _positive(parse_duration(given)))
_CPU: _Reading = (
    "CPU time a message with its unit, such as '150us'",
    lambda given: _positive(parse_duration(given)) / _NS_PER_US,
)
_BYTES: _Reading = ("bytes or text, such as '512MiB'", lambda given: _positive(parse_size(given)))
_READ: dict[str, _Reading] = {
    **dict.fromkeys(PERCENTILES, _LATENCY),
    "achieved_rate": ("messages a second, such as 1990", _positive),
    **dict.fromkeys(("broker_cpu", "client_cpu"), _CPU),
    **dict.fromkeys(("broker_rss", "client_rss"), _BYTES),
    **dict.fromkeys(COUNTS, ("a whole number of messages a trial, such as 0", _whole)),
}


def _no_truth(given: object) -> object:
    # To pydantic `true` is a number, too.
    return None if given is None else str(given).lower() if isinstance(given, bool) else given


Given = Annotated[float | str | None, BeforeValidator(_no_truth, json_schema_input_type=float | str)]


class AbsoluteLimit(Frozen):
    """What one figure must keep to, whatever other runs had; `bench run --check` and `bench gate` judge it.

    One of `at_most` and `at_least` is given.
    """

    metric: MetricName
    """What is limited: a percentile of the latency, a rate, CPU a message, memory, or a count of faults."""
    at_most: Given = None
    """Largest value: a time (`"5ms"`) for a percentile, and a message's CPU time; messages a second; bytes
    (`"512MiB"`); messages a trial."""
    at_least: Given = None
    """Smallest value, as `at_most`."""
    target: BrokerName | None = None
    """Only for this target; by default for all."""
    workload: BrokerName | None = None
    """Only for this workload, or for those of this sweep; by default for all."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> "AbsoluteLimit":
        if (self.at_most is None) == (self.at_least is None):
            message = f"{self.metric}: give one of at_most and at_least"
            raise ValueError(message)
        _ = self.bound
        return self

    @property
    def upper(self) -> bool:
        """Whether it is the largest value that is allowed; else the smallest."""
        return self.at_most is not None

    @property
    def bound(self) -> float:
        """The value, in the metric's unit: ns, messages a second, µs a message, bytes, or messages a trial."""
        given: Any = self.at_most if self.upper else self.at_least
        wanted, read = _READ[self.metric]
        try:
            return float(read(given))
        except ValueError:
            side = "at_most" if self.upper else "at_least"
            message = f"{side} = {given!r}: of {self.metric} it is {wanted}"
            raise ValueError(message) from None

    @property
    def words(self) -> str:
        """The limit as people read it, such as `p99 at most 5ms`."""
        given = self.at_most if self.upper else self.at_least
        shown = f"{given:,.10g}" if isinstance(given, int | float) else given
        return f"{self.metric} at {'most' if self.upper else 'least'} {shown}"

    def applies(self, target: str, workload: str, sweep: str = "") -> bool:
        """Return whether it is about a row: its target, its workload, and the sweep that the workload is part of."""
        return self.target in (None, target) and self.workload in (None, workload, sweep or None)

    def kept_by(self, value: float) -> bool:
        """Return whether a value, in the metric's unit, is within it."""
        return value <= self.bound if self.upper else value >= self.bound


def read_condition(text: str) -> AbsoluteLimit:
    """Return the limit that a condition such as `p99>50ms` or `achieved_rate<1900` is the breach of.

    Raises:
        ValueError: it is no such condition; the message says what is.
    """
    found = _CONDITION.fullmatch(text)
    if found is None or found[1] not in _READ:
        message = f"{text!r}: write METRIC>VALUE or METRIC<VALUE, such as p99>50ms; metrics are {', '.join(_READ)}"
        raise ValueError(message)
    name, sign, value = found.groups()
    wanted, read = _READ[name]
    try:
        read(value)
    except ValueError:
        message = f"{text!r}: of {name} the value is {wanted}"
        raise ValueError(message) from None
    return AbsoluteLimit.model_validate({"metric": name, ("at_most" if sign == ">" else "at_least"): value})
