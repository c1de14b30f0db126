"""Old and new side by side: two scenarios as one, and its plan in ABBA pairs. Pure.

Both sides have brokers and targets of their own, so the results folder is an ordinary one. They
are called after those that they stand for; which these are stands in the plan, as data.
Each pair of a target and workload runs back to back; the order of every second repetition
is the reverse of the one before (ABBA), which cancels linear drift within pairs (Bulej et
al., ICPE 2020).
"""

import random
from collections.abc import Iterator, Mapping

from bench.plan.plan import block
from bench.results.records import PairedTarget, PlannedTrial, Side
from bench.scenario.errors import Fault, ScenarioError
from bench.scenario.products import starts
from bench.scenario.scenario import Plan, Scenario, Target
from bench.scenario.sweep import LONGEST_NAME

_ENDS: dict[Side, str] = {"baseline": "-base", "candidate": "-new"}
"""What names of either side end in, for people alone."""


def merged(baseline: Scenario, candidate: Scenario, pairs: int) -> tuple[Scenario, dict[str, PairedTarget]]:
    """Return the scenario that runs both, `pairs` times each, and whom each of its targets stands for.

    Brokers that we start are restarted for each block at least: else one start of each side would
    stand for all.

    Raises:
        ScenarioError: sides differ in more than brokers and targets, or names grow too long.
    """
    faults = [*_differences(baseline, candidate), *_long_names(baseline, candidate)]
    if faults:
        raise ScenarioError(faults)
    sides: tuple[tuple[Side, Scenario], ...] = (("baseline", baseline), ("candidate", candidate))
    both = candidate.model_copy(
        update={
            "brokers": tuple(
                broker.model_copy(update={"name": broker.name + _ENDS[side]})
                for side, its in sides
                for broker in its.brokers
            ),
            "targets": tuple(_target(target, side) for side, its in sides for target in its.targets),
            "workloads": tuple(
                one.model_copy(update={"only": tuple(name + end for end in _ENDS.values() for name in one.only)})
                for one in candidate.workloads
            ),
            "plan": _plan(baseline, candidate, pairs),
        }
    )
    return both, {
        target.name + _ENDS[side]: PairedTarget(target=target.name, broker=target.broker, side=side)
        for side, its in sides
        for target in its.targets
    }


def paired_plan(scenario: Scenario, paired: Mapping[str, PairedTarget], seed: int) -> tuple[PlannedTrial, ...]:
    """Return the trials of a merged scenario in their order; the same for the same scenario and seed."""
    chance = random.Random(seed)  # noqa: S311  (an order of trials, no secret)
    pairs: dict[str, list[str]] = {}
    for name, one in paired.items():
        pairs.setdefault(one.target, []).append(name)
    rows = [(pair, one.name) for pair in pairs.values() for one in scenario.workloads if one.is_for(pair[0])]
    planned: list[PlannedTrial] = []
    order: list[tuple[str, str]] = []
    for repetition in range(scenario.plan.repetitions):
        if repetition % 2:
            order.reverse()
        else:
            order = []
            for pair, workload in chance.sample(rows, len(rows)):
                order += [(target, workload) for target in chance.sample(pair, 2)]
        planned += block(scenario, repetition, order, len(planned))
    return tuple(line.model_copy(update={"paired": paired[line.target]}) for line in planned)


def _target(target: Target, side: Side) -> Target:
    return target.model_copy(
        update={
            "name": target.name + _ENDS[side],
            "broker": target.broker + _ENDS[side],
            "label": f"{target.label or target.name} ({side})",
        }
    )


def _plan(baseline: Scenario, candidate: Scenario, pairs: int) -> Plan:
    # What brokers cost idle is no part of the comparison, and would only delay the first pair.
    plan = candidate.plan.model_copy(update={"repetitions": pairs, "idle": False})
    brokers = (*baseline.brokers, *candidate.brokers)
    ours = any(starts(broker) for broker in brokers)
    return plan.model_copy(update={"restart": "block"}) if ours and plan.restart == "run" else plan


def _differences(baseline: Scenario, candidate: Scenario) -> Iterator[Fault]:
    old, new = {one.name: one for one in baseline.workloads}, {one.name: one for one in candidate.workloads}
    if old.keys() != new.keys():
        yield _unlike("workloads", list(old), list(new))
    for name in old.keys() & new.keys():
        differ = [
            field for field, value in old[name] if field not in {"part_of", "at"} and value != getattr(new[name], field)
        ]
        if differ:
            yield Fault(f"workloads.{name}", f"{', '.join(differ)} differ between the sides: give both the same load")
    its, others = ([one.name for one in side.targets] for side in (baseline, candidate))
    if set(its) != set(others):
        yield Fault(
            "targets", f"{', '.join(its)} in the baseline, {', '.join(others)} in the candidate: name both alike"
        )
    if baseline.subject != candidate.subject:
        yield Fault("subject", f"{baseline.subject!r} in the baseline and {candidate.subject!r} in the candidate")
    same = {"repetitions": 1}
    if baseline.plan.model_copy(update=same) != candidate.plan.model_copy(update=same):
        yield Fault("plan", "restart, warm_up or drain differ between the sides: give both the same")


def _unlike(where: str, old: list[str], new: list[str]) -> Fault:
    return Fault(where, f"{', '.join(old)} in the baseline and {', '.join(new)} in the candidate: name both alike")


def _long_names(baseline: Scenario, candidate: Scenario) -> Iterator[Fault]:
    for end, side in zip(_ENDS.values(), (baseline, candidate), strict=True):
        for where, names in (("brokers", side.brokers), ("targets", side.targets)):
            for index, named in enumerate(names):
                if len(named.name + end) > LONGEST_NAME:
                    yield Fault(
                        f"{where}.{index}.name",
                        f"{named.name!r}: at most {LONGEST_NAME - len(end)} characters for a gate, which appends {end}",
                    )
