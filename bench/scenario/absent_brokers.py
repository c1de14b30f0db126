"""A scenario without some of its brokers. Pure."""

from collections.abc import Collection

from bench.scenario.scenario import Scenario, Workload


def without(scenario: Scenario, names: Collection[str]) -> Scenario | None:
    """Return a scenario without some brokers, their targets, and what is for those alone; None where nothing is left.

    Args:
        scenario: without faults, as resolved.
        names: of brokers.
    """
    brokers = tuple(one for one in scenario.brokers if one.name not in names)
    targets = tuple(one for one in scenario.targets if one.broker not in names)
    if not names:
        return scenario
    kept = {one.name for one in targets}
    workloads = tuple(_for(one, kept) for one in scenario.workloads if not one.only or kept.intersection(one.only))
    known = {name for one in workloads for name in (one.name, one.part_of) if name}
    limits = tuple(
        one
        for one in scenario.limits
        if (one.target is None or one.target in kept) and (one.workload is None or one.workload in known)
    )
    if not brokers or not targets or not workloads:
        return None
    parts = {"brokers": brokers, "targets": targets, "workloads": workloads, "limits": limits}
    return scenario.model_copy(update=parts)


def _for(workload: Workload, targets: Collection[str]) -> Workload:
    only = tuple(name for name in workload.only if name in targets)
    return workload if only == workload.only else workload.model_copy(update={"only": only})
