"""How fast a broker is, roughly, before anything is measured: the pilot of an open loop.

After a pause of the host a queue must be drained, which takes the longer the nearer the offered
rate is to what the broker can do. So each target first does the same work as fast as it
can, for a moment. The slowest of them counts, for all of them and for the whole run, so that the sides
of a comparison leave out the same times. A cold broker is slower than a warm one: the error is on the safe side.
"""

import math

import numpy as np

from bench.run.trial import Raw
from bench.scenario.scenario import InFlightLoad, Plan, RateLoad, Workload
from bench.units import NS_PER_S, TICK_NS

_DURATION_NS = 2 * NS_PER_S
_MOST_IN_FLIGHT = 256
_STEPS = 1000
BUSIEST = 0.95
"""Share of the capacity from which on drains grow no longer: 19 seconds a second of pause."""
UNKNOWN = 0.9
"""Share that is assumed where a capacity is not known."""
PLAN = Plan.model_validate({"warm_up": {"settle": "1s"}, "drain": "5s"})


def pilot(workload: Workload) -> Workload:
    """Return the workload of a pilot: a closed loop over the same lanes, bodies and settlements."""
    bound = max(workload.producers, min(_MOST_IN_FLIGHT, workload.producers * (workload.confirm_window or 256)))
    load = InFlightLoad(kind="in_flight", in_flight=(bound,))
    hurried = {"load": load, "duration": _DURATION_NS, "consumer_rate": None, "groups": (), "messages": 0}
    # A responder's think time bounds a closed loop of calls, and is kept.
    return workload.model_copy(update=hurried if workload.pattern == "rpc" else hurried | {"think": 0})


def has_pilot(workload: Workload) -> bool:
    """Return whether a closed loop can tell a workload's capacity: somebody consumes, and no queue ends messages."""
    main = workload.parts()[0]
    if not main.consumers:
        return False
    layout = workload.laid_out("", [f"#{number}" for number in range(workload.plain_queues)], 0)
    return not any(layout.early_ends(layout.flows[0], _MOST_IN_FLIGHT, main))


def capacity(raw: Raw) -> float | None:
    """Return messages a second that a pilot received in its measured part; None where it did not get so far."""
    ticks_per_s = NS_PER_S // TICK_NS
    control, accounts = raw.control, raw.accounts
    copies = 1.0 if raw.layout is None else raw.layout.flows[0].mean_copies
    window = slice(control.measure_from_s * ticks_per_s, control.measure_to_s * ticks_per_s)
    received = sum(int(one.ticks["received"][window].sum()) for one in accounts if "received" in one.ticks)
    length_s = control.measure_to_s - control.measure_from_s
    return received / copies / length_s if received and length_s else None


def drain(workload: Workload, capacities: list[float | None]) -> float | None:
    """Return the seconds of drain that a second of pause takes, u/(1-u); None for a closed loop, which never drains.

    Args:
        workload: with its highest rate.
        capacities: of each target; None where one is not known.
    """
    if not isinstance(workload.load, RateLoad):
        return None
    known = [one for one in capacities if one is not None]
    used = UNKNOWN
    if known and len(known) == len(capacities):
        # Slow consumers are a bound of their own, which a pilot leaves out.
        taken = workload.taken_rate * workload.consumers if workload.taken_rate else math.inf
        used = min(BUSIEST, _peak(workload) / min(taken, *known))
    return used / (1 - used)


def _peak(workload: Workload) -> float:
    """Return the highest rate of the measured part, msg/s."""
    at = np.linspace(0, workload.duration, _STEPS + 1)
    due = np.array([workload.due_by(int(one)) for one in at])
    return float(np.diff(due).max()) * _STEPS * NS_PER_S / workload.duration
