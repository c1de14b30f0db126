"""The pilot: how long a queue drains after a pause follows from the slowest target."""

import numpy as np
import pytest

from bench.record.account import Account
from bench.run.phases import Control, WarmRule
from bench.run.pilot import BUSIEST, PLAN, UNKNOWN, capacity, drain, has_pilot, pilot
from bench.run.trial import Raw
from bench.scenario.scenario import InFlightLoad, Workload
from bench.units import NS_PER_S


def workload(**changes: object) -> Workload:
    """Return 2,000 messages a second, or what is asked for."""
    return Workload.model_validate({"name": "w", "load": {"kind": "rate", "rate": 2000}, "duration": "10s"} | changes)


def test_the_slowest_target_counts_for_all() -> None:
    """A tenth of the slowest one's capacity is a ninth of a second of drain a second."""
    assert drain(workload(), [20_000.0, 40_000.0]) == pytest.approx(1 / 9)


def test_near_or_unknown_capacities_drain_for_long() -> None:
    """At most 19 seconds a second; where a pilot failed or there was none, nine."""
    assert drain(workload(), [2000.0]) == pytest.approx(BUSIEST / (1 - BUSIEST)) == pytest.approx(19)
    assert drain(workload(), [20_000.0, None]) == pytest.approx(UNKNOWN / (1 - UNKNOWN)) == pytest.approx(9)
    assert drain(workload(), []) == pytest.approx(9)


def test_slow_consumers_bound_the_capacity() -> None:
    """A consumer that takes 2,500 messages a second, of a broker that does 20,000: four fifths are used."""
    assert drain(workload(consumer_rate=2500, prefetch=100), [20_000.0]) == pytest.approx(4)


def test_a_closed_loop_never_drains() -> None:
    """It is never idle."""
    assert drain(workload(load={"kind": "in_flight", "in_flight": [16]}), [1.0]) is None


def test_a_profile_counts_by_its_highest_rate() -> None:
    """A burst of 5,000 messages a second is half of 10,000."""
    steps = {"kind": "steps", "steps": [{"rate": 1000, "length": "5s"}, {"rate": 5000, "length": "5s"}]}
    bursts = workload(load={"kind": "rate", "rate": 1000, "profile": steps})
    assert drain(bursts, [10_000.0]) == pytest.approx(1.0, rel=0.02)


def test_the_pilot_is_the_same_work_in_a_closed_loop() -> None:
    """Lanes, bodies and settlements stay; as many are on their way as windows allow, at most 256."""
    made = pilot(workload(producers=2, consumers=2, confirm_window=16, size=500, durable=True))
    assert isinstance(made.load, InFlightLoad)
    assert made.load.in_flight == (32,)
    assert (made.producers, made.size, made.durable) == (2, 500, True)
    assert isinstance(pilot(workload(confirm_window=5000)).load, InFlightLoad)
    assert pilot(workload(confirm_window=5000)).load.in_flight == (256,)  # type: ignore[union-attr]


def test_a_workload_whose_queue_ends_messages_has_no_pilot() -> None:
    """A closed loop would wait for what was dropped; and without consumers it has no bound."""
    short = {"queues": [{"name": "q", "arguments": {"x-max-length": 10}}]}
    given = {"name": "w", "load": {"kind": "rate", "rate": 10}}
    assert has_pilot(Workload.model_validate(given))
    assert not has_pilot(Workload.model_validate(given | {"consumers": 0}))
    assert not has_pilot(Workload.model_validate(given | {"keys": "q", "consume": "q", "topology": short}))


def test_its_capacity_is_what_arrived_in_the_measured_part() -> None:
    """Ticks before and after do not count; a pilot that was not measured has none."""
    control = Control(pilot(workload()), WarmRule(PLAN.warm_up, 0, 0, known_warm=True), 0, NS_PER_S, confirms=True)
    control.measure_from_s, control.measure_to_s = 1, 3
    ticks = {"received": np.repeat([7, 100, 100, 9], 10)}
    done = Account({}, ticks, None, None, 0, 0, {})
    rule = WarmRule(PLAN.warm_up, 0, 0, known_warm=True)
    assert capacity(Raw([done], 0, control, rule, (), 0)) == 1000.0
    assert capacity(Raw([], 0, control, rule, (), 0)) is None
