"""Which workloads make one question: each rate by itself, the bounds of an in-flight sweep together. Pure."""

from dataclasses import dataclass

from bench.scenario import InFlightLoad, RateLoad, Scenario, Workload
from bench.units import format_duration
from reports.format import count, rate

_MOST_STEPS = 5


@dataclass(frozen=True)
class Question:
    """One or, in a sweep, several workloads that differ only in the bound of messages in flight."""

    name: str
    workloads: tuple[Workload, ...]

    @property
    def closed_loop(self) -> bool:
        """Whether a bound of messages in flight, not the clock, decides when to send."""
        return isinstance(self.workloads[0].load, InFlightLoad)

    @property
    def load(self) -> str:
        """The load in words, such as `2,000 msg/s of 100 B, persistent`."""
        workload = self.workloads[0]
        kept = "persistent" if workload.durable else "transient"
        if isinstance(workload.load, InFlightLoad):
            bounds = [count(in_flight(each)) for each in self.workloads]
            span = bounds[0] if len(bounds) == 1 else f"{bounds[0]} to {bounds[-1]}"
            return f"{span} messages in flight of {sizes(workload)}, {kept}"
        return f"{_rates(workload.load)} of {sizes(workload)}, {kept}"


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


def questions(scenario: Scenario) -> tuple[Question, ...]:
    """Return the questions of a resolved scenario, in its order; a sweep in rising order."""
    groups: dict[str, list[Workload]] = {}
    for workload in scenario.workloads:
        groups.setdefault(_family(workload), []).append(workload)
    found = []
    for group in groups.values():
        if len(group) == 1:
            found.append(Question(group[0].name, tuple(group)))
        else:
            ordered = sorted(group, key=in_flight)
            found.append(Question(_stem(ordered[0]), tuple(ordered)))
    return tuple(found)


def _family(workload: Workload) -> str:
    if not isinstance(workload.load, InFlightLoad):
        return workload.name
    alike = workload.model_copy(
        update={
            "name": _stem(workload),
            "description": "",
            "load": workload.load.model_copy(update={"in_flight": ()}),
        }
    )
    return alike.model_dump_json()


def _stem(workload: Workload) -> str:
    return workload.name.removesuffix(f"-{in_flight(workload)}")
