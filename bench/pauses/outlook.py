"""What may be expected of a host, from a short look with the pause meter."""

import time

from bench.pauses.meter import PauseMeter
from bench.pauses.watch import PauseWatch
from bench.units import NS_PER_S, percent, time_words

LOOK_S = 5.0
_DRAIN = 0.25
"""Of a broker that is offered a fifth of what it can do."""
_TOO_MUCH = 0.2
"""Share of time from which on little is left of a trial."""
_LONGER = 1.05
"""Times as long from which on it is said."""
_PAUSES_A_SECOND = 20
"""From here on long lives are cut off too often for a tail."""


def look(meter: PauseMeter, seconds: float = LOOK_S) -> str:
    """Watch for some seconds while nothing is measured; return what that means, as a sentence."""
    meter.run()
    if meter.trouble:
        return f"{meter.trouble}: percentiles will hold the host's pauses"
    watch, begun_ns = PauseWatch(meter.board, _DRAIN), time.monotonic_ns()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            time.sleep(0.1)
            watch.look()
    finally:
        meter.rest()
    watch.look()
    return outlook(watch, begun_ns, watch.known_ns)


def outlook(watch: PauseWatch, begun_ns: int, ended_ns: int) -> str:
    """Return what a look means for percentiles, as a sentence."""
    pauses, length_ns = watch.pauses(), max(ended_ns - begun_ns, 1)
    weaker = "" if watch.fifo else " (seen by a normal task, which also counts waits for a CPU that others use)"
    if not len(pauses):
        return f"this host was not away in {time_words(length_ns / NS_PER_S)}{weaker}"
    away = pauses[:, 2] - pauses[:, 1]
    share = float(away.sum()) / length_ns / watch.cpus
    clean = max(watch.marks().clean_ns(begun_ns, ended_ns) / length_ns, 1e-3)
    said = (
        f"this host is away {percent(share)} of the time, longest {time_words(away.max() / NS_PER_S)} in"
        f" {time_words(length_ns / NS_PER_S)}{weaker}"
    )
    if clean < 1 - _TOO_MUCH:
        return f"{said}: little can be measured here, choose another host or hour"
    often = len(pauses) * NS_PER_S / length_ns > _PAUSES_A_SECOND
    tail = "p99 will be, too"
    if often:
        tail = "no tail of slow messages"
    elif 1 / clean > _LONGER:
        tail = f"p99 takes about {1 / clean:.2g} times as long"
    return f"{said}: p50 will be usable, {tail}, the maximum is the host's"
