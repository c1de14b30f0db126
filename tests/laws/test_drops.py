"""Late messages that are dropped: exactly those for which there was no room in time; every law holds of the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.record.histogram import to_histogram
from bench.run.memory_trial import run_inline
from bench.run.merge import Merged, merge_accounts
from bench.run.phases import Control
from bench.run.worker_assignment import schedule
from bench.scenario.scenario import MemoryBroker, Plan, RateLoad, WarmUp, Workload
from bench.units import NS_PER_MS, NS_PER_S
from tests.examples import examples
from tests.laws.test_coordinated_omission import bucketed

pytestmark = pytest.mark.compiled

PLAN = Plan(warm_up=WarmUp().model_copy(update={"settle": 0}))
CAPACITY = 1_000


def sent_and_dropped(
    due: np.ndarray, window: int, late_ns: int, stall_ns: tuple[int, int]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return (due, received) of what is sent, and when what is dropped was due: one message after the other.

    A message may go when the one `window` before it was confirmed; the broker serves one
    after the other and nothing during the stall.
    """
    service, (begin, end) = NS_PER_S // CAPACITY, stall_ns
    departs: list[int] = []
    sent, dropped = [], []
    for at in due.tolist():
        goes = max(at, departs[-window] if len(departs) >= window else 0)
        if goes - at >= late_ns:
            dropped.append(at)
            continue
        serves = max(goes, departs[-1] if departs else 0)
        serves = end if begin <= serves < end else serves
        done = serves + service
        done += end - begin if serves < begin < done else 0
        departs.append(done)
        sent.append((at, done))
    return sent, dropped


def run(work: Workload, stall_ns: tuple[int, int], seed: int) -> tuple[Merged, Control, np.ndarray]:
    """Run a trial with one stall; return it with its intended times."""
    stall = {"at": f"{stall_ns[0]}ns", "length": f"{stall_ns[1] - stall_ns[0]}ns"}
    script = MemoryBroker.model_validate({"name": "m", "kind": "memory", "capacity": CAPACITY, "stalls": [stall]})
    account, control, *_ = run_inline(work, script, PLAN, seed, ("q",))
    assert isinstance(work.load, RateLoad)
    due = schedule(work.load, seed).times(0, 20_000)
    due = due[due < work.duration]
    measure = range(control.measure_from_s, control.measure_to_s)
    return merge_accounts([account], measure, confirms=True, drained=control.drained, due=due), control, due


@settings(max_examples=examples(0.15), deadline=None)
@given(
    st.sampled_from(["constant", "poisson"]), st.sampled_from([600.0, 950.0, 1_500.0]), st.sampled_from([1, 7, 64]),
    st.integers(20, 700), st.integers(100, 1_500), st.integers(100, 1_200), st.integers(0, 99),
)  # fmt: skip
def test_what_is_dropped_is_what_had_no_room_in_time(
    arrivals: str, rate: float, window: int, late_ms: int, stall_at_ms: int, stall_ms: int, seed: int
) -> None:
    """Overload and stalls, any window and bound: the same messages as in the walk are dropped, the others as late."""
    late_ns, stall_ns = late_ms * NS_PER_MS, (stall_at_ms * NS_PER_MS, (stall_at_ms + stall_ms) * NS_PER_MS)
    load = RateLoad.model_validate(
        {"kind": "rate", "rate": rate, "arrivals": arrivals, "late": "drop", "late_after": f"{late_ms}ms"}
    )
    work = Workload(name="w", load=load, duration="2s", confirm_window=window)
    merged, control, due = run(work, stall_ns, seed)
    sent, dropped = sent_and_dropped(due, window, late_ns, stall_ns)
    assert (merged.offered, merged.sent, merged.dropped) == (len(due), len(sent), len(dropped))
    responses = np.array([received - at for at, received in sent], np.int64)
    found = merged.latencies["response"]
    assert to_histogram(found.index, found.count).encode() == to_histogram(*bucketed(responses)).encode()
    assert found.sum_ns == int(responses.sum())
    assert merged.ledger.balanced
    assert (merged.ledger.sent, merged.ledger.received, merged.ledger.lost) == (len(sent), len(sent), 0)
    assert merged.little is not None
    assert merged.little.holds
    assert control.drained
    assert merged.ticks["backlog"][-1] == 0
    assert "send_lag" not in merged.latencies or merged.latencies["send_lag"].sum_ns == 0


def test_late_messages_are_sent_unless_asked_otherwise() -> None:
    """The same stall without `late = "drop"`: everything is sent, however late."""
    work = Workload(name="w", load=RateLoad(kind="rate", rate=900), duration="5s", confirm_window=10)
    merged, _, due = run(work, (NS_PER_S, 3 * NS_PER_S), 1)
    assert (merged.dropped, merged.sent) == (0, len(due))


def test_a_stall_drops_what_falls_due_in_it_but_for_its_end() -> None:
    """Closed form: 900/s, a stall of 2 s, bound .5 s: all due in its first 1.5 s but what the window of 1 took."""
    load = RateLoad(kind="rate", rate=900, late="drop", late_after="500ms")
    work = Workload(name="w", load=load, duration="8s", confirm_window=1)
    merged, _, _ = run(work, (NS_PER_S, 3 * NS_PER_S), 1)
    assert merged.dropped == pytest.approx(900 * 1.5, abs=2)
    assert merged.measured["response"].count == 7_200 - merged.dropped
