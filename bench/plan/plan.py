"""From a scenario and a seed to the ordered trials of a run. Pure.

Every repetition is a block that holds each target and workload once. Workloads come in a
random order, and the targets of each follow each other, in a random order too: what is
compared is measured in the same minutes, so that slow noise of the host meets all of it.
The order of every second block is the reverse of the one before (ABBA), which cancels
linear drift between the members of a pair (Bulej et al., ICPE 2020).
"""

import math
import random

from bench.results.records import PlannedTrial, RunRecord, SearchStep
from bench.scenario.scenario import MemoryBroker, RateLoad, Scenario, Workload
from bench.units import NS_PER_S

_TRIAL_OVERHEAD_NS = 2_500_000_000  # workers' start, drain and clean-up, as seen on two cores
_START_OVERHEAD_NS = 6 * NS_PER_S
_PILOT_NS = 5 * NS_PER_S  # of each target under each open loop
_IDLE_NS = 6 * NS_PER_S  # a settled look at an idle broker, a hundred connections and as many queues
_BYTES_A_TRIAL = 400_000
_COUNTED_RATE = 10_000  # messages a second of a phase, as seen on two cores


def make_plan(scenario: Scenario, seed: int) -> tuple[PlannedTrial, ...]:
    """Return the trials of a run in their order; the same for the same scenario and seed."""
    chance = random.Random(seed)  # noqa: S311  (an order of trials, no secret)
    cells = [
        (target.name, workload.name)
        for target in scenario.targets
        for workload in scenario.workloads
        if workload.is_for(target.name)
    ]
    planned: list[PlannedTrial] = []
    order = cells
    for repetition in range(scenario.plan.repetitions):
        order = order[::-1] if repetition % 2 else _shuffled(cells, chance)
        planned += block(scenario, repetition, order, len(planned))
    return tuple(planned)


def _shuffled(cells: list[tuple[str, str]], chance: random.Random) -> list[tuple[str, str]]:
    """Return the cells of a block by workload, both workloads and the targets of each in a random order."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for cell in cells:
        groups.setdefault(cell[1], []).append(cell)
    names = chance.sample(list(groups), len(groups))
    return [cell for name in names for cell in chance.sample(groups[name], len(groups[name]))]


def extended(run: RunRecord, workload: Workload, target: str, step: SearchStep) -> tuple[RunRecord, PlannedTrial]:
    """Return a run with one more trial, of a search, at the end of its plan, and that trial.

    A workload of that name which the scenario has already is from now on for this target too; its trials are
    numbered as repetitions. Brokers are not started anew.
    """
    scenario, names = run.scenario, [one.name for one in run.scenario.workloads]
    if workload.name not in names:
        workloads = (*scenario.workloads, workload.model_copy(update={"only": (target,)}))
    else:
        place = names.index(workload.name)
        there = scenario.workloads[place]
        if not there.is_for(target):
            there = there.model_copy(update={"only": (*there.only, target)})
        workloads = (*scenario.workloads[:place], there, *scenario.workloads[place + 1 :])
    planned = PlannedTrial(
        index=len(run.plan),
        repetition=sum((one.target, one.workload) == (target, workload.name) for one in run.plan),
        target=target,
        workload=workload.name,
        restart_broker=False,
        step=step,
    )
    scenario = scenario.model_copy(update={"workloads": workloads})
    return run.model_copy(update={"scenario": scenario, "plan": (*run.plan, planned)}), planned


def made_up(run: RunRecord, workload: str, repetition: int) -> tuple[RunRecord, list[PlannedTrial]]:
    """Return a run whose plan has all trials of a workload's repetition once more at its end, and those trials.

    All of them, so that what is compared was still measured in the same minutes; none where the budget for
    such trials, `Plan.spare`, does not hold them any more.
    """
    before = [one for one in run.plan if (one.workload, one.repetition) == (workload, repetition)]
    used = sum(one.makes_up_for is not None for one in run.plan)
    budget = spare(run.scenario, len(run.plan) - used)
    if used + len(before) > budget:
        return run, []
    number = max(one.repetition for one in run.plan) + 1
    order = [(one.target, one.workload) for one in before]
    again = [
        one.model_copy(update={"paired": old.paired, "makes_up_for": repetition})
        for one, old in zip(block(run.scenario, number, order, len(run.plan)), before, strict=True)
    ]
    return run.model_copy(update={"plan": (*run.plan, *again)}), again


def spare(scenario: Scenario, planned: int) -> int:
    """Return how many trials may make up for others, of a plan of so many."""
    return math.ceil(scenario.plan.spare * planned) if scenario.has_brokers else 0


def block(scenario: Scenario, repetition: int, order: list[tuple[str, str]], first: int) -> list[PlannedTrial]:
    """Return the trials of one repetition in a given order.

    Args:
        scenario: whose plan says when brokers are started anew.
        repetition: which one, from 0.
        order: target and workload of each trial.
        first: place of the first of them in the run.
    """
    brokers = {target.name: target.broker for target in scenario.targets}
    restart, started = scenario.plan.restart, set[str]()
    found = []
    for place, (target, workload) in enumerate(order):
        broker = brokers[target]
        fresh = restart == "trial" or (broker not in started and (restart == "block" or repetition == 0))
        started.add(broker)
        found.append(
            PlannedTrial(
                index=first + place, repetition=repetition, target=target, workload=workload, restart_broker=fresh
            )
        )
    return found


def estimate_ns(scenario: Scenario, plan: tuple[PlannedTrial, ...]) -> int:
    """Return about how long a plan takes, warm-up as the rule's least."""
    rule = scenario.plan.warm_up
    length = {workload.name: _length_ns(workload) for workload in scenario.workloads}
    counted = {workload.name for workload in scenario.workloads if workload.counted is not None}
    brokers = {target.name: target.broker for target in scenario.targets}
    idle = {target.broker for target in scenario.targets} - {
        broker.name for broker in scenario.brokers if isinstance(broker, MemoryBroker)
    }
    total = _IDLE_NS * len(idle) if scenario.plan.idle else 0
    open_loops = {
        one.name for one in scenario.workloads if isinstance(one.load, RateLoad) and one.load.capacity is None
    }
    total += _PILOT_NS * len({(one.target, one.workload) for one in plan if one.workload in open_loops})
    warm, loaded = set[tuple[str, str]](), dict[str, int]()
    for trial in plan:
        broker = brokers[trial.target]
        if isinstance(scenario.broker(broker), MemoryBroker):
            total += NS_PER_S
            continue
        if trial.restart_broker:
            total += _START_OVERHEAD_NS
            loaded[broker] = 0
            warm = {cell for cell in warm if brokers[cell[0]] != broker}
        warm_up = rule.settle
        if (trial.target, trial.workload) not in warm:
            warm_up = max(3 * rule.window, rule.at_least - loaded.get(broker, 0), rule.settle)
        if trial.workload in counted:  # the same work is the warm-up, over and over, and once at least
            cold = (trial.target, trial.workload) not in warm
            warm_up = max(rule.at_least - loaded.get(broker, 0), length[trial.workload]) if cold else 0
        warm.add((trial.target, trial.workload))
        busy = min(warm_up, rule.at_most) + length[trial.workload]
        loaded[broker] = loaded.get(broker, 0) + busy
        total += busy + _TRIAL_OVERHEAD_NS
    return total


def _length_ns(workload: Workload) -> int:
    """Return how long a trial is measured; where its messages are counted, a guess."""
    counted = workload.counted
    if counted is None:
        return workload.duration
    flow = workload.parts()[counted]
    return round(flow.messages * (2 if flow.phases == "enqueue-dequeue" else 1) * NS_PER_S / _COUNTED_RATE)


def estimate_bytes(scenario: Scenario, plan: tuple[PlannedTrial, ...]) -> int:
    """Return about how much disk the results take."""
    lengths = {workload.name: _length_ns(workload) // NS_PER_S for workload in scenario.workloads}
    return sum(_BYTES_A_TRIAL + 3_000 * lengths[trial.workload] for trial in plan)
