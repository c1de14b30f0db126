"""Which workloads make one question: a rate by itself, rates of one curve, the bounds of one sweep. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.scenario.scenario import InFlightLoad, RateLoad, Scenario, Workload
from bench.units import format_duration
from reports.format import count, rate

_MOST_STEPS = 5
CURVE = 3
"""Rates of otherwise like workloads that make one curve of latency against load."""


@dataclass(frozen=True)
class Question:
    """One workload, or several that differ only in their rate (a curve) or their bound in flight (a sweep)."""

    name: str
    workloads: tuple[Workload, ...]

    @property
    def closed_loop(self) -> bool:
        """Whether a bound of messages in flight, not the clock, decides when to send."""
        return isinstance(self.workloads[0].load, InFlightLoad)

    @property
    def many(self) -> bool:
        """Whether it is a curve or a sweep."""
        return len(self.workloads) > 1

    @property
    def load(self) -> str:
        """The load in words, such as `2,000 msg/s of 100 B, persistent`."""
        workload = self.workloads[0]
        kept = "persistent" if workload.durable else "transient"
        if isinstance(workload.load, InFlightLoad):
            span = _span([count(in_flight(each)) for each in self.workloads])
            return f"{span} messages in flight of {sizes(workload)}, {kept}"
        if not self.many:
            return f"{_rates(workload.load)} of {sizes(workload)}, {kept}"
        return f"{_span([rate(offered(each)) for each in self.workloads])} msg/s of {sizes(workload)}, {kept}"


def _span(shown: Sequence[str]) -> str:
    return shown[0] if len(shown) == 1 else f"{shown[0]} to {shown[-1]}"


def _rates(load: RateLoad) -> str:
    """Return the rates in words, such as `100 to 2,000 msg/s`."""
    profile = load.profile
    if profile is None:
        return f"{rate(load.rate)} msg/s"
    if profile.kind == "ramp":
        return f"{rate(profile.begin)} to {rate(profile.end)} msg/s"
    if profile.kind == "steps":
        steps = [rate(step.rate) for step in profile.steps]
        shown = ", ".join(steps) if len(steps) <= _MOST_STEPS else f"{steps[0]} … {steps[-1]}, {len(steps)} steps"
        return f"{shown} msg/s in turn"
    between = f"{rate(profile.rate_off)} msg/s" if profile.rate_off else "silence"
    return (
        f"{rate(profile.rate)} msg/s for {format_duration(profile.on)} and {between} for"
        f" {format_duration(profile.off)} in turn,"
    )


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
    """Return the questions of a resolved scenario, in its order; sweeps and curves in rising order."""
    groups: dict[str, list[Workload]] = {}
    for workload in scenario.workloads:
        groups.setdefault(_family(workload), []).append(workload)
    found = []
    for group in groups.values():
        closed = isinstance(group[0].load, InFlightLoad)
        if closed and len(group) > 1:
            ordered = sorted(group, key=in_flight)
            found.append(Question(_name(ordered), tuple(ordered)))
        elif not closed and len({offered(each) for each in group}) >= CURVE:
            ordered = sorted(group, key=offered)
            found.append(Question(_name(ordered), tuple(ordered)))
        else:
            found.extend(Question(each.name, (each,)) for each in group)
    order = {workload.name: place for place, workload in enumerate(scenario.workloads)}
    return tuple(sorted(found, key=lambda question: min(order[each.name] for each in question.workloads)))


def _family(workload: Workload) -> str:
    """Return the same text for workloads that differ only in bound or rate."""
    closed = workload.closed
    # A bound of the backlog goes with the rate; whom a workload is for is no part of what is asked. Rates of two
    # lists are one curve, while each list of bounds is a sweep of its own.
    varied: dict[str, object] = {"in_flight": ()} if closed else {"rate": 0.0, "rates": (), "max_backlog": 1}
    alike = workload.model_copy(
        update={
            "name": "",
            "part_of": (workload.part_of or workload.name) if closed else "",
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
