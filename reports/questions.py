"""Which workloads make one question: one by itself, rates of one curve, the points of one sweep. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.scenario.reference import IN_FLIGHT, RATE
from bench.scenario.scenario import InFlightLoad, RateLoad, Scenario, Workload
from bench.units import format_duration
from reports.format import count, rate
from reports.patterns import asks, filled_or_drained, got_unit, latency_words, sent_unit, shape, tag_of
from reports.swept import LOADS, Axis, Value, axes_of, label_of, point_words, value_of

_MOST_STEPS = 5
CURVE = 3
"""Rates of otherwise like workloads that make one curve of latency against load."""


@dataclass(frozen=True)
class Question:
    """One workload, or several that differ only in what is swept.

    Attributes:
        name: what the report calls it.
        workloads: in rising order.
        swept: the fields in which they differ: the rate makes a curve of latency against load.
    """

    name: str
    workloads: tuple[Workload, ...]
    swept: tuple[str, ...] = ()

    @property
    def closed_loop(self) -> bool:
        """Whether a bound of messages in flight, not the clock, decides when to send."""
        return isinstance(self.workloads[0].load, InFlightLoad)

    @property
    def metric(self) -> str:
        """What decides: throughput of a closed loop, by its phase where messages are counted, or p99."""
        if not self.closed_loop:
            return f"p99 {latency_words(self.workloads[-1])}"
        workload = self.workloads[0]
        return f"{filled_or_drained(workload) or 'whole'} rate" if workload.messages else "achieved rate"

    @property
    def floor(self) -> str:
        """The metric whose noise floor is that of `metric`."""
        return self.metric if self.closed_loop else "p99 response"

    @property
    def unit(self) -> str:
        """The unit of what is achieved."""
        return got_unit(self.workloads[0])

    @property
    def unit_words(self) -> str:
        """That unit at length, such as `copies a second`."""
        return self.unit.replace("msg", "messages").replace("/s", " a second")

    def asks(self, targets: int) -> str:
        """Return what it asks of so many targets, in words of the shape of the work."""
        return asks(self.workloads[0], targets)

    @property
    def many(self) -> bool:
        """Whether it is a curve or a sweep."""
        return len(self.workloads) > 1

    @property
    def curve(self) -> bool:
        """Whether it is a curve of latency against load."""
        return self.swept == (RATE,)

    @property
    def of_fields(self) -> bool:
        """Whether more is swept than the load."""
        return bool({*self.swept} - {*LOADS})

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """What is swept, with its values; the field that figures have along their x axis comes first."""
        return axes_of(self.workloads, self.swept)

    @property
    def each(self) -> str:
        """What is meant by `every` of a sweep, such as `rate`."""
        if len(self.swept) > 1:
            return "point"
        return "number in flight" if self.swept == (IN_FLIGHT,) else label_of(self.swept[0])

    def at(self, workload: Workload) -> dict[str, Value]:
        """Return the values of one of its workloads, by what is swept."""
        return {field: value_of(workload, field) for field in self.swept}

    def called(self, workload: str) -> str:
        """Return what one of its workloads is called in sentences: its name, or the values of a point."""
        if not self.of_fields:
            return workload
        return next(point_words(self.at(each)) for each in self.workloads if each.name == workload)

    @property
    def load(self) -> str:
        """The load in words, such as `2,000 msg/s of 100 B, persistent`."""
        workload = self.workloads[0]
        spans = {axis.field: axis.span for axis in self.axes}
        kept = "persistent" if workload.durable else "transient"
        if "durable" in spans:
            kept = "transient and persistent"
        size = spans.pop("size", "") or sizes(workload)
        if isinstance(workload.load, InFlightLoad):
            what = "calls" if workload.pattern == "rpc" else "messages"
            pace = f"{spans.pop(IN_FLIGHT, count(in_flight(workload)))} {what} in flight"
        else:
            unit = sent_unit(workload)
            pace = f"{spans.pop(RATE)} {unit}" if RATE in spans else _rates(workload.load, unit)
        work = [f"{pace} of {size}"]
        if workload.messages:
            phase = filled_or_drained(workload)
            pace = pace.replace("messages in flight", "unconfirmed at a time" if phase else "in flight")
            number = spans.pop("messages", count(workload.messages))
            work = [f"{number} messages of {size} {_WAYS[phase]}", *([] if phase == "dequeue" else [pace])]
        others = [f"{label_of(field)} {span}" for field, span in spans.items() if field != "durable"]
        return ", ".join([*work, kept, *shape(workload), *others])


def _rates(load: RateLoad, unit: str) -> str:
    """Return the rates in words, such as `100 to 2,000 msg/s`."""
    profile = load.profile
    if profile is None:
        return f"{rate(load.rate)} {unit}"
    if profile.kind == "ramp":
        return f"{rate(profile.begin)} to {rate(profile.end)} {unit}"
    if profile.kind == "steps":
        steps = [rate(step.rate) for step in profile.steps]
        shown = ", ".join(steps) if len(steps) <= _MOST_STEPS else f"{steps[0]} … {steps[-1]}, {len(steps)} steps"
        return f"{shown} {unit} in turn"
    between = f"{rate(profile.rate_off)} {unit}" if profile.rate_off else "silence"
    return (
        f"{rate(profile.rate)} {unit} for {format_duration(profile.on)} and {between} for"
        f" {format_duration(profile.off)} in turn,"
    )


_WAYS = {"enqueue": "put in", "dequeue": "taken out", "": "in and out at once"}
"""What happens to messages that are counted, by phase."""


def sizes(workload: Workload) -> str:
    """Return the size of messages in words, such as `100 to 4,096 B (500 B on average)`."""
    mix = workload.mix(0)
    if mix is None:
        return f"{count(workload.size)} B"
    return f"{count(min(mix.sizes))} to {count(workload.size)} B ({count(mix.mean)} B on average)"


def in_flight(workload: Workload) -> int:
    """Return the bound of a closed-loop workload; raise TypeError for an open one."""
    if not isinstance(workload.load, InFlightLoad):
        message = f"workload {workload.name} is no closed loop"
        raise TypeError(message)
    return workload.load.in_flight[0]


def offered(workload: Workload) -> float:
    """Return messages a second that are due in an open loop; raise TypeError for a closed one."""
    if workload.closed:
        message = f"workload {workload.name} is a closed loop"
        raise TypeError(message)
    return workload.mean_rate or 0.0


def questions(scenario: Scenario) -> tuple[Question, ...]:
    """Return the questions of a resolved scenario, in its order; sweeps and curves in rising order.

    Nothing is asked of background traffic.
    """
    groups: dict[str, list[Workload]] = {}
    for workload in (one for one in scenario.workloads if not one.background):
        groups.setdefault(_sweep(workload) or _family(workload), []).append(workload)
    found = []
    for group in groups.values():
        closed = group[0].closed
        if len(group) > 1 and _sweep(group[0]):
            swept = tuple(field for field in group[0].at if len({value_of(each, field) for each in group}) > 1)
            axes = axes_of(group, swept)
            places = {each.name: [axis.places[value_of(each, axis.field)] for axis in axes] for each in group}
            whole = group[0].part_of
            kinds = {_way(each) for each in scenario.workloads if each.part_of == whole}
            name = whole if len(kinds) == 1 else _sweep(group[0]).replace(" ", "-")
            found.append(Question(name, tuple(sorted(group, key=lambda each: places[each.name])), swept))
        elif closed and len(group) > 1:
            ordered = sorted(group, key=in_flight)
            found.append(Question(_name(ordered), tuple(ordered), (IN_FLIGHT,)))
        elif not closed and len({offered(each) for each in group}) >= CURVE:
            ordered = sorted(group, key=offered)
            found.append(Question(_name(ordered), tuple(ordered), (RATE,)))
        else:
            found.extend(Question(each.name, (each,)) for each in group)
    order = {workload.name: place for place, workload in enumerate(scenario.workloads)}
    return tuple(sorted(found, key=lambda question: min(order[each.name] for each in question.workloads)))


def _sweep(workload: Workload) -> str:
    """Return the same text for the points of a sweep of more than the load; empty for all else.

    What is judged by different figures is no one question.
    """
    if not {*workload.at} - {*LOADS}:
        return ""
    return f"{workload.part_of} {_way(workload)}"


def _way(workload: Workload) -> str:
    return {"service": "closed", "response": "open", "confirm": "confirmed"}[tag_of(workload)]


def _family(workload: Workload) -> str:
    """Return the same text for workloads that differ only in bound or rate."""
    closed = workload.closed
    if workload.flow and not workload.part_of:  # it runs beside the others, whatever their rates
        return workload.name
    # A bound of the backlog goes with the rate; whom a workload is for is no part of what is asked. Rates of two
    # lists are one curve, while each list of bounds is a sweep of its own.
    varied: dict[str, object] = {"in_flight": ()} if closed else {"rate": 0.0, "max_backlog": 1}
    alike = workload.model_copy(
        update={
            "name": "",
            "part_of": (workload.part_of or workload.name) if closed or workload.flow else "",
            "flow_of": "",
            "at": {},
            "description": "",
            "only": (),
            "load": workload.load.model_copy(update=varied),
        }
    )
    return alike.model_dump_json()


def _name(ordered: Sequence[Workload]) -> str:
    """Return what all are a part of; where that is several things or none, the first and the last of them."""
    whole = {each.part_of for each in ordered}
    return whole.pop() if len(whole) == 1 and "" not in whole else f"{ordered[0].name}..{ordered[-1].name}"
