"""Fields that a question is swept over: what they and their values are called, and where values stand. Pure.

A field is a path below the workload, as a point's `at` has it. The rate and the bound in flight are fields like any
other, but read from the load: older results have curves and sweeps that no list made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.scenario.reference import IN_FLIGHT, RATE, is_bytes
from bench.scenario.scenario import InFlightLoad, Workload
from bench.units import exact_size, parse_duration
from reports.format import count, listed, rate

Value = bool | int | float | str
LOADS = (RATE, IN_FLIGHT)
_WIDE = 20.0
"""Ratio of the largest value to the smallest from which an axis is logarithmic."""
_LONGEST = 24
_FEW = 4


def value_of(workload: Workload, field: str) -> Value:
    """Return the value of a field that a workload is a point of a sweep of."""
    load = workload.load
    if isinstance(load, InFlightLoad):
        return load.in_flight[0] if field == IN_FLIGHT else workload.at[field]
    return workload.mean_rate or 0.0 if field == RATE else workload.at[field]


def label_of(field: str) -> str:
    """Return what a field is called, such as `ack batch`."""
    return field.replace("load.", "").replace(".", " ").replace("_", " ")


def value_words(field: str, value: Value) -> str:
    """Return a value as people read it, such as `1 KiB`; a long text is cut."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if isinstance(value, int) and (is_bytes(field) or is_bytes(field.partition(".")[2])):  # also of another flow
        return exact_size(value)
    if field == RATE:
        return rate(value)
    return count(value) if value == int(value) else f"{value:,.10g}"


def point_words(at: Mapping[str, Value]) -> str:
    """Return the values of a point as people read them, such as `size 1 KiB, prefetch 10`."""
    return ", ".join(f"{label_of(field)} {value_words(field, value)}" for field, value in at.items())


@dataclass(frozen=True)
class Axis:
    """A swept field and its values, in rising order where they are numbers or times, else in the scenario's."""

    field: str
    values: tuple[Value, ...]

    @property
    def label(self) -> str:
        """What the axis of a figure says."""
        if self.field == RATE:
            return "offered, messages a second"
        return "messages in flight" if self.field == IN_FLIGHT else label_of(self.field)

    @cached_property
    def places(self) -> dict[Value, float]:
        """Where each value stands: at its number, else side by side."""
        known = {value: _number(value) for value in self.values}
        numbers = {value: number for value, number in known.items() if number is not None}
        return numbers if self.numeric else {value: float(place) for place, value in enumerate(self.values)}

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers, or times; else they are categories."""
        return all(_number(value) is not None for value in self.values)

    @property
    def logarithmic(self) -> bool:
        """Whether the values span so much that only a logarithmic axis shows them all."""
        low, high = min(self.places.values()), max(self.places.values())
        return self.numeric and low > 0 and high > _WIDE * low

    @property
    def span(self) -> str:
        """The values in words: few of them, or the first and the last."""
        shown = [value_words(self.field, value) for value in self.values]
        if len(shown) <= _FEW and (not self.numeric or self.field not in (*LOADS, "size")):
            return listed(shown)
        return f"{shown[0]} to {shown[-1]}"


def axes_of(workloads: Sequence[Workload], fields: Iterable[str]) -> tuple[Axis, ...]:
    """Return the swept fields of the points of a sweep; the one that is drawn along the x axis comes first.

    That is the load, where it is swept, else the first whose values are numbers.
    """
    made = [_axis(field, dict.fromkeys(value_of(each, field) for each in workloads)) for field in fields]
    return tuple(sorted(made, key=lambda axis: (axis.field not in LOADS, not axis.numeric)))


def _axis(field: str, values: Iterable[Value]) -> Axis:
    axis = Axis(field, tuple(values))
    return Axis(field, tuple(sorted(axis.values, key=axis.places.__getitem__))) if axis.numeric else axis


def _number(value: Value) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(parse_duration(value))
    except ValueError:
        return None
