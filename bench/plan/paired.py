"""Old and new side by side: two scenarios as one, and its plan in ABBA pairs. Pure.

Brokers and targets of the baseline get `-base` behind their names, those of the candidate
`-new`, so both sides have brokers of their own and the results folder is an ordinary one.
Each pair of a target and workload runs back to back; the order of every second repetition
is the reverse of the one before (ABBA), which cancels linear drift within pairs (Bulej et
al., ICPE 2020).
"""

import random
from collections.abc import Iterator

from bench.plan.plan import block
from bench.results.records import PlannedTrial
from bench.scenario.checks import LONGEST_NAME
from bench.scenario.errors import Fault, ScenarioError
from bench.scenario.products import starts
from bench.scenario.scenario import Plan, Scenario, Target

BASE, NEW = "-base", "-new"
_SIDES = {BASE: "baseline", NEW: "candidate"}


def merged(baseline: Scenario, candidate: Scenario, pairs: int) -> Scenario:
    """Return the scenario that runs both, `pairs` times each.

    Brokers that we start are restarted for each block at least: else one start of each side would
    stand for all.

    Raises:
        ScenarioError: sides differ in more than brokers and targets, or names grow too long.
    """
    faults = [*_differences(baseline, candidate), *_long_names(baseline, candidate)]
    if faults:
        raise ScenarioError(faults)
    sides = ((BASE, baseline), (NEW, candidate))
    return candidate.model_copy(
        update={
            "brokers": tuple(
                broker.model_copy(update={"name": broker.name + end}) for end, side in sides for broker in side.brokers
            ),
            "targets": tuple(_target(target, end) for end, side in sides for target in side.targets),
            "workloads": tuple(
                one.model_copy(update={"only": tuple(name + end for end, _ in sides for name in one.only)})
                for one in candidate.workloads
            ),
            "plan": _plan(baseline, candidate, pairs),
        }
    )


def paired_plan(scenario: Scenario, seed: int) -> tuple[PlannedTrial, ...]:
    """Return the trials of a merged scenario in their order; the same for the same scenario and seed."""
    chance = random.Random(seed)  # noqa: S311  (an order of trials, no secret)
    targets = [target.name.removesuffix(BASE) for target in scenario.targets if target.name.endswith(BASE)]
    rows = [(target, one.name) for target in targets for one in scenario.workloads if one.is_for(target + BASE)]
    planned: list[PlannedTrial] = []
    order: list[tuple[str, str]] = []
    for repetition in range(scenario.plan.repetitions):
        if repetition % 2:
            order.reverse()
        else:
            order = []
            for target, workload in chance.sample(rows, len(rows)):
                order += [(target + end, workload) for end in chance.sample((BASE, NEW), 2)]
        planned += block(scenario, repetition, order, len(planned))
    return tuple(planned)


def _target(target: Target, end: str) -> Target:
    return target.model_copy(
        update={
            "name": target.name + end,
            "broker": target.broker + end,
            "label": f"{target.label or target.name} ({_SIDES[end]})",
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
        differ = [field for field, value in old[name] if value != getattr(new[name], field)]
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
    for end, side in ((BASE, baseline), (NEW, candidate)):
        for where, names in (("brokers", side.brokers), ("targets", side.targets)):
            for index, named in enumerate(names):
                if len(named.name + end) > LONGEST_NAME:
                    yield Fault(
                        f"{where}.{index}.name",
                        f"{named.name!r}: at most {LONGEST_NAME - len(end)} characters for a gate, which appends {end}",
                    )
