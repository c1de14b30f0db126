"""What happened during trials stands on the axis of their latency."""

import pandas as pd
import pytest

from bench.results.records import TrialRecord
from reports.dataset import Dataset
from reports.events import HOST_AWAY, events


def waits(ms: float) -> int:
    """Return the longest wait for room of a second, ns."""
    return int(ms * 1e6)


def first(quick: Dataset) -> TrialRecord:
    """Return a trial with two seconds of warm-up and five measured."""
    return next(iter(quick.records.values()))


def test_phases_follow_each_other(quick: Dataset) -> None:
    """Warm-up, measured part and drain touch, and 0 is where measuring begins."""
    found = {e["event"]: (e["from_s"], e["to_s"]) for e in events(first(quick), {}, restarted=False, drained_s=8.5)}
    assert found == {"warm-up": (-2, 0), "measure": (0, 5), "drain": (5, 6.5)}


def test_seconds_without_room_are_joined(quick: Dataset) -> None:
    """Neighbouring seconds with a long wait make one event; short waits make none."""
    backpressure = {2: waits(50), 3: waits(200), 4: waits(1), 6: waits(12)}
    found = [e for e in events(first(quick), backpressure, restarted=True, drained_s=7) if e["event"] == "backpressure"]
    assert [(e["from_s"], e["to_s"]) for e in found] == [(0, 2), (4, 5)]
    assert "0.2 s" in found[0]["text"]


def test_a_dataset_has_restarts_ends_and_findings(quick: Dataset) -> None:
    """The first repetition starts each broker; the overloaded trial ends early; findings span their trial."""
    counts = quick.events.groupby("event").size()
    assert counts["overloaded"] == 1
    assert counts["finding lost"] == 1
    assert counts["finding saturated"] == 1
    assert counts["restart"] == quick.trials["repetition"].eq(0).sum()


def test_long_pauses_of_the_host_are_moments(quick: Dataset) -> None:
    """Those of 5 ms and more, at most the 40 longest of a trial; shorter ones are only counted."""
    begin = [3_000_000_000 + 20_000_000 * row for row in range(60)]
    length = [4_000_000, *(5_000_000 + 100_000 * row for row in range(59))]
    pauses = pd.DataFrame({"cpu": 0, "begin_ns": begin, "end_ns": [a + b for a, b in zip(begin, length, strict=True)]})
    found = [
        e for e in events(first(quick), {}, restarted=False, drained_s=7, pauses=pauses) if e["event"] == HOST_AWAY
    ]
    assert len(found) == 40
    assert found[0]["text"] == "a CPU of the host was away for 11 ms"
    assert found[0]["from_s"] == found[0]["to_s"] == pytest.approx(begin[-1] / 1e9 - 2)
