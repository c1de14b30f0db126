"""The noise floor: the largest difference that noise alone can cause on a host. Pure.

Two targets that are alike, measured in interleaved pairs, differ by noise alone. The interval
of their ratio says how large an effect that noise can look like, so smaller effects are not
looked for on that host (Kalibera & Jones, ISMM 2013, ask for the smallest effect that matters;
here it is at least what can be seen).
"""

import math
from collections.abc import Mapping, Sequence

from bench.results.records import NoiseFloor
from bench.scenario.scenario import MemoryBroker, Scenario
from bench.stats.ratio import DELTA, Pair, compare

_SIDES = 2
_FEWEST_PAIRS = 10


def sides(scenario: Scenario) -> tuple[str, str] | None:
    """Return the two targets of a scenario that measures a real broker against itself; None for any other scenario."""
    if len(scenario.targets) != _SIDES:
        return None
    first, second = scenario.targets
    if first.model_copy(update={"name": second.name, "label": second.label}) != second:
        return None
    if isinstance(scenario.broker(first.broker), MemoryBroker):
        return None
    return first.name, second.name


def effects(pairs: Mapping[str, Sequence[Pair]]) -> dict[str, float]:
    """Return the floor of each metric, as a share; metrics with fewer than 10 pairs under a workload have none.

    Args:
        pairs: by metric, the trial estimates of both sides, one `Pair` a workload.
    """
    return {
        metric: max(_effect(pair) for pair in each)
        for metric, each in pairs.items()
        if each and all(len(pair.first) >= _FEWEST_PAIRS for pair in each)
    }


def relevant(metric: str, floors: Sequence[NoiseFloor | None] = ()) -> tuple[float, str]:
    """Return the smallest relevant effect for a metric, as a share, and where it comes from, in words.

    Args:
        metric: such as `p99 response`.
        floors: those of the runs that are compared; the largest counts.
    """
    known = [(floor.effects.get(metric, 0.0), floor.run_id) for floor in floors if floor is not None]
    largest, run_id = max(known, default=(0.0, ""))
    if largest > DELTA:
        return largest, f"noise floor of this host, run {run_id}"
    return DELTA, "the usual one"


def _effect(pair: Pair) -> float:
    found = compare(pair)
    return math.expm1(max(abs(math.log(found.low)), abs(math.log(found.high))))
