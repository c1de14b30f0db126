"""What happened during trials, with its time: phases, times without room, restarts, early ends, findings.

One row an event. Times are seconds after the start of the measured part (negative: warm-up),
of intended time, so that they lie on the same axis as `Dataset.seconds`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.results.records import NO_RESULT, TrialOutcome, TrialRecord
from bench.units import NS_PER_MS, NS_PER_S

EVENT_COLUMNS = ["event", "from_s", "to_s", "text"]
_SPOKEN = {"restart": "planned restart"}
BACKPRESSURE_NS = 10 * NS_PER_MS
"""A second in which some message waited this long for room is one of backpressure."""
HOST_AWAY = "host away"
PAUSE_NS = 5 * NS_PER_MS
"""Shorter pauses of the host are counted, and not marked."""
_MOST_PAUSES = 40
"""Of a trial that are marked."""


def events(
    trial: TrialRecord,
    backpressure: Mapping[int, int],
    *,
    restarted: bool,
    drained_s: float,
    pauses: pd.DataFrame | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the events of one trial.

    Args:
        trial: its record.
        backpressure: the longest wait for room in ns, by second after the start.
        restarted: whether its broker was started anew for it.
        drained_s: end of the timeline, seconds after the start.
        pauses: of the host, columns as in `bench.results.records.PAUSE_COLUMNS`.
    """
    zero, end = trial.measure_from_s, trial.measure_to_s
    if restarted:
        yield _event("restart", -zero, -zero, "broker started anew")
    yield _event("warm-up", -zero, 0, "warm-up: recorded, not counted")
    yield _event("measure", 0, end - zero, "measured part")
    if drained_s > end:
        yield _event("drain", end - zero, drained_s - zero, "drain: nothing is sent")
    for from_s, to_s, longest_ns in _spans(backpressure):
        text = f"a message waited {longest_ns / NS_PER_S:.2g} s for room (credit, window or socket)"
        yield _event("backpressure", from_s - zero, to_s - zero, text)
    if pauses is not None:
        yield from _pauses(pauses, zero)
    if trial.outcome != TrialOutcome.COMPLETED and trial.outcome not in NO_RESULT:
        yield _event(str(trial.outcome), end - zero, end - zero, f"ended early: {trial.reason or trial.outcome}")
    for note in trial.findings:
        yield _event(f"finding {note.code}", 0, end - zero, note.text)


def _pauses(pauses: pd.DataFrame, zero: int) -> Iterator[dict[str, Any]]:
    """Yield the longest of a trial's pauses, as moments: they are too short to be seen as spans."""
    length_ns = pauses["end_ns"] - pauses["begin_ns"]
    for index in length_ns[length_ns >= PAUSE_NS].nlargest(_MOST_PAUSES).index:
        at_s = pauses["begin_ns"][index] / NS_PER_S - zero
        yield _event(HOST_AWAY, at_s, at_s, f"a CPU of the host was away for {length_ns[index] / NS_PER_MS:.0f} ms")


def spoken(event: str) -> str:
    """Return what figures and their sentences call an event."""
    return _SPOKEN.get(event, event.removeprefix("finding "))


def _event(name: str, from_s: float, to_s: float, text: str) -> dict[str, Any]:
    return {"event": name, "from_s": float(from_s), "to_s": float(to_s), "text": text}


def _spans(backpressure: Mapping[int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield runs of seconds under backpressure: from, to and the longest wait in ns."""
    start, last, longest = None, None, 0
    for second in sorted(backpressure):
        wait = backpressure[second]
        if wait < BACKPRESSURE_NS:
            continue
        if start is not None and last is not None and second > last + 1:
            yield start, last + 1, longest
            start, longest = None, 0
        start = second if start is None else start
        last, longest = second, max(longest, wait)
    if start is not None and last is not None:
        yield start, last + 1, longest
