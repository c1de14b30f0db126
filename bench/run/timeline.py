"""The timeline of a trial: counts and usage on one axis of 100 ms ticks. Pure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.drivers.base import Int64
from bench.results.records import TIMELINE_COLUMNS, Usage
from bench.run.phases import Phase
from bench.run.slow_telemetry import SlowSample
from bench.run.telemetry import Sample
from bench.units import NS_PER_S, TICK_NS

Float64 = NDArray[np.float64]
SIDES = ("broker", "client")


_USED = (*(f"{side}_{what}" for side in SIDES for what in ("cpu_s", "disk_read", "disk_written")),)
_HELD = (*(f"{side}_{what}" for side in SIDES for what in ("rss", "threads")),)
_SWITCHED = (*(f"{side}_{what}" for side in SIDES for what in ("voluntary", "involuntary")),)


def make_timeline(
    ticks: dict[str, Int64],
    samples: Sequence[Sample],
    start_ns: int,
    measure: range,
    slow_samples: Sequence[SlowSample] = (),
) -> pd.DataFrame:
    """Return one row a tick, columns as in `bench.results.records.TIMELINE_COLUMNS`.

    Args:
        ticks: counts by the tick.
        samples: telemetry in order of time.
        start_ns: start of the schedule.
        measure: measured seconds after the start.
        slow_samples: what was sampled once a second, in order of time.
    """
    length = len(ticks["offered"])
    edges = start_ns + np.arange(length + 1, dtype=np.int64) * TICK_NS
    at_ns = edges[:-1] - start_ns
    phase = np.where(
        at_ns < measure.start * NS_PER_S,
        Phase.WARM_UP.value,
        np.where(at_ns < measure.stop * NS_PER_S, Phase.MEASURE.value, Phase.DRAIN.value),
    )
    frame = pd.DataFrame(
        {
            "at_ns": at_ns,
            "phase": phase,
            **ticks,
            **{name: np.diff(_at(samples, name, edges)) for name in _USED},
            **{name: _at(samples, name, edges)[1:] for name in _HELD},
            **{name: np.diff(_at(slow_samples, name, edges)) for name in _SWITCHED},
            **{name: _seen(slow_samples, name, at_ns + start_ns) for name in ("data_bytes", "depth")},
        }
    )
    return frame[list(TIMELINE_COLUMNS)]


def usage(
    samples: Sequence[Sample], side: str, start_ns: int, measure: range, messages: int, spun: Sequence[float] = ()
) -> Usage:
    """Return what a side (`broker` or `client`) used in the measured part; see `usage_between`."""
    from_ns, to_ns = start_ns + measure.start * NS_PER_S, start_ns + measure.stop * NS_PER_S
    return usage_between(samples, side, from_ns, to_ns, messages, spun)


def usage_between(
    samples: Sequence[Sample], side: str, from_ns: int, to_ns: int, messages: int, spun: Sequence[float] = ()
) -> Usage:
    """Return what a side (`broker` or `client`) used between two instants.

    CPU time comes from the process accounts of the kernel, in steps of 10 ms; `spun` as in `busiest`.
    """
    edges = np.array([from_ns, to_ns], np.int64)
    length_s = (to_ns - from_ns) / NS_PER_S
    inside = [s for s in samples if from_ns <= s.at_ns <= to_ns]
    used = np.diff(_at(samples, f"{side}_cpu_s", edges))[0] if length_s else np.nan
    peaks = [rss for s in inside if (rss := getattr(s, f"{side}_rss")) is not None]
    known = length_s > 0 and np.isfinite(used)
    cores = (busiest(samples, edges, spun) if side == "client" else float(used) / length_s) if known else None
    return Usage(
        cpu_s=float(used) if known else None,
        cpu_us_per_message=float(used) / messages * 1e6 if known and messages else None,
        cpu_cores_busiest=cores,
        rss_peak=max(peaks, default=None),
    )


def busiest(samples: Sequence[Sample], edges: Int64, spun: Sequence[float] = ()) -> float:
    """Return the share of one core that the busiest worker put to use between two instants.

    Args:
        samples: telemetry in order of time.
        edges: the two instants, monotonic ns.
        spun: share of its time that each worker spent in busy waits, which are no use; empty where none did.
    """
    at = np.array([s.at_ns for s in samples], np.int64)
    rows = np.array([s.worker_cpu_s for s in samples], np.float64)
    length_s = float(edges[1] - edges[0]) / NS_PER_S
    shares = np.array([np.diff(np.interp(edges, at, row))[0] for row in rows.T]) / length_s
    if len(spun) == len(shares):
        shares = shares - spun
    return float(max(shares, default=0.0))


def steal_share(samples: Sequence[Sample], start_ns: int, measure: range) -> float | None:
    """Return the share of all CPU time that the hypervisor took in the measured part."""
    stolen, total = (between(samples, name, start_ns, measure) for name in ("steal_s", "total_s"))
    return stolen / total if stolen is not None and total else None


def throttled_share(samples: Sequence[Sample], start_ns: int, measure: range) -> float | None:
    """Return the share of the measured part in which a CPU quota around us held processes back; None = no quota.

    The kernel adds up the waits of each CPU, so that the sum may exceed the time.
    """
    throttled_s = between(samples, "throttled_s", start_ns, measure)
    return None if throttled_s is None else min(1.0, throttled_s / len(measure))


def between(readings: Sequence[Sample | SlowSample], name: str, start_ns: int, measure: range) -> float | None:
    """Return what was added to a reading in the measured part; None where that is unknown or has no length."""
    edges = start_ns + np.array([measure.start, measure.stop], np.int64) * NS_PER_S
    added = np.diff(_at(readings, name, edges))[0]
    return float(added) if np.isfinite(added) and len(measure) else None


def peak(readings: Sequence[Sample | SlowSample], name: str, start_ns: int, measure: range) -> int | None:
    """Return the highest of a reading in the measured part; None where it is unknown."""
    from_ns, to_ns = start_ns + measure.start * NS_PER_S, start_ns + measure.stop * NS_PER_S
    inside = (getattr(one, name) for one in readings if from_ns <= one.at_ns <= to_ns)
    return max((value for value in inside if value is not None), default=None)


def _seen(slow_samples: Sequence[SlowSample], name: str, begins_ns: Int64) -> Float64:
    """Return a reading in the ticks in which it was made, NaN in all others."""
    found = np.full(len(begins_ns), np.nan)
    for sample in slow_samples:
        value, tick = getattr(sample, name), np.searchsorted(begins_ns, sample.at_ns, "right") - 1
        if value is not None and tick >= 0 and sample.at_ns < begins_ns[tick] + TICK_NS:
            found[tick] = value
    return found


def _at(samples: Sequence[Sample | SlowSample], name: str, at_ns: Int64) -> Float64:
    """Return a reading at given instants, linear between samples, NaN beyond them or where unknown."""
    pairs = [(s.at_ns, getattr(s, name)) for s in samples if getattr(s, name) is not None]
    if not pairs:
        return np.full(len(at_ns), np.nan)
    times, values = np.array(pairs, np.float64).T
    reach = TICK_NS  # the last sample may lie just before the last edge
    inside = (at_ns >= times[0] - reach) & (at_ns <= times[-1] + reach)
    return np.where(inside, np.interp(at_ns, times, values), np.nan)
