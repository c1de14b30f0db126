"""The intended times that a trial is held against: all of them, of whatever shape, as far as the schedule went."""

from dataclasses import replace

import numpy as np
import pytest

from bench.run.phases import Control, WarmRule
from bench.run.trial import Raw
from bench.run.trial_record import due_times
from bench.run.worker_assignment import profiled, schedule
from bench.scenario.scenario import RateLoad, WarmUp, Workload
from bench.units import NS_PER_S

START_NS = 17 * NS_PER_S
PROFILES = [
    None,
    {"kind": "ramp", "begin": 10, "end": 9_000},
    {"kind": "burst", "on": "100ms", "off": "1900ms", "rate": 20_000},
    {"kind": "steps", "steps": [{"rate": 5_000, "length": "1s"}, {"rate": 1, "length": "1s"}]},
]


def left(work: Workload, warm_s: int | None, end_s: float) -> Raw:
    """Return what a trial leaves whose measured part began after so many seconds, if at all, and which ended then."""
    rule = WarmRule(WarmUp(), 0, START_NS, known_warm=True)
    control = Control(work, rule, START_NS, NS_PER_S, confirms=True)
    if warm_s is not None:
        control.warmed, control.measure_from_s = True, warm_s
    control.end_ns = START_NS + round(end_s * NS_PER_S)
    return Raw(accounts=[], start_ns=START_NS, control=control, warm_rule=rule, samples=(), left=0)


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize(("warm_s", "end_s"), [(3, 8.0), (3, 4.05), (3, 2.5), (None, 6.7), (None, 0.0)])
def test_every_time_before_the_end_is_there(
    arrivals: str, profile: dict[str, object] | None, warm_s: int | None, end_s: float
) -> None:
    """Whether it ended in the measured part, before it, or was never warm."""
    load = RateLoad.model_validate({"kind": "rate", "rate": 1_000, "arrivals": arrivals, "profile": profile})
    work = Workload(name="w", load=load, duration="5s")
    found = due_times(work, 9, left(work, warm_s, end_s))
    plan = schedule(load, 9) if warm_s is None else profiled(work, 9, warm_s * NS_PER_S)
    times = plan.times(0, 60_000)
    assert times[-1] > end_s * NS_PER_S
    assert found is not None
    assert (found == times[times < round(end_s * NS_PER_S)]).all()


def test_a_trial_that_never_began_has_none() -> None:
    """As it ended without an end of its schedule."""
    work = Workload(name="w", load=RateLoad(kind="rate", rate=1_000))
    raw = left(work, None, 0)
    raw.control.end_ns = None
    assert due_times(work, 1, replace(raw)) is not None
    assert np.size(due_times(work, 1, raw)) == 0
