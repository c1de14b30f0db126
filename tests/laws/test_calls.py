"""Calls and their answers on the scripted broker: two queues in tandem, with the responders' think time between."""

import numpy as np
import pytest

from bench.units import NS_PER_MS, NS_PER_S
from tests.laws.inline import adds_up, equal, play, served

pytestmark = pytest.mark.compiled

SERVICE_NS = NS_PER_S // 1_000
CALLS = {"pattern": "rpc", "duration": "2s", "load": {"kind": "rate", "rate": 800, "arrivals": "poisson"}}


@pytest.mark.parametrize("think_ms", [0, 3])
@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("window", [2, 256])
def test_round_trips_equal_lindley_twice(think_ms: int, lanes: int, window: int) -> None:
    """Sample by sample: a request is served, thought about, and its reply served by a server of its own."""
    given = {
        "think": f"{think_ms}ms",
        "producers": lanes,
        "consumers": lanes,
        "queues": lanes,
        "confirm_window": window,
    }
    played = play(CALLS | given, {"capacity": 1_000})
    asked = served(played.due, SERVICE_NS)
    answered = served(asked + think_ms * NS_PER_MS, SERVICE_NS)
    assert [received for *_, received, _ in played.rows] == answered.tolist()
    assert equal(played.merged.latencies["response"], answered - played.due)
    assert equal(played.merged.latencies["confirm"], asked - played.due)
    # Who asked is who is answered.
    assert all(lane == producer for lane, producer, *_ in played.rows)
    ledger = played.ledger
    assert (ledger.owed, ledger.received, ledger.late) == (len(played.due), len(played.due), 0)
    assert (ledger.duplicated, ledger.reordered, ledger.lost) == (0, 0, 0)
    assert adds_up(ledger)
    assert played.trial.control.drained
    assert played.merged.little is not None
    assert played.merged.little.holds


@pytest.mark.parametrize("timeout_ms", [1, 50, 200, 400])
def test_exactly_the_answers_after_their_time_out_are_late(timeout_ms: int) -> None:
    """A stall of .3 s makes many late, and those only: late answers are received all the same."""
    script = {"capacity": 1_000, "stalls": [{"at": "500ms", "length": "300ms"}]}
    played = play(CALLS | {"think": "2ms", "reply_timeout": f"{timeout_ms}ms"}, script)
    stall_ns = 500 * NS_PER_MS, 800 * NS_PER_MS
    asked = served(played.due, SERVICE_NS, stall_ns)
    responses = served(asked + 2 * NS_PER_MS, SERVICE_NS, stall_ns) - played.due
    late = int(np.count_nonzero(responses > timeout_ms * NS_PER_MS))
    assert (late > 0) == (timeout_ms < 400)
    assert (played.ledger.late, played.ledger.received) == (late, len(played.due))
    assert equal(played.merged.latencies["response"], responses)


def test_the_script_is_about_requests() -> None:
    """A lost call is never answered, one that came twice is answered twice, a swapped one after its successor."""
    played = play(CALLS, {"lose": [3, 700], "duplicate": [50], "swap": [60]})
    ledger = played.ledger
    assert (ledger.lost, ledger.duplicated, ledger.reordered) == (2, 1, 1)
    assert adds_up(ledger)


@pytest.mark.parametrize("in_flight", [1, 8])
def test_callers_in_a_closed_loop_wait_for_their_answers(in_flight: int) -> None:
    """Closed form: one call takes two services and the think time; eight keep the servers busy."""
    given = {"load": {"kind": "in_flight", "in_flight": [in_flight]}, "think": "2ms"}
    played = play(CALLS | given, {"capacity": 1_000})
    assert played.merged.achieved_rate == pytest.approx(250 if in_flight == 1 else 1_000, rel=0.01)
    assert played.merged.little is not None
    assert played.merged.little.holds
