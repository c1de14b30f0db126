"""Health: each code is tripped, and a neighbour just inside the limit is not."""

from dataclasses import replace

import numpy as np
import pytest

from bench.record.histogram import SecondsRecorder
from bench.results.records import Little, PauseRecord, TrialOutcome
from bench.run.findings import findings
from bench.run.health import Circumstances, health
from bench.run.merge import tag_record
from bench.stats.steady import Steadiness
from tests.judged import CLEAN, around, merged


def codes(seen: Circumstances) -> dict[str, bool]:
    """Return the health notes: code -> hard."""
    return {note.code: note.hard for note in health(seen)}


def test_a_quiet_trial_has_nothing_against_it() -> None:
    """Neither health nor findings speak up."""
    assert codes(around(merged())) == {}
    assert findings(around(merged()), "") == ()


def test_send_lag_is_hard_when_large_and_a_warning_when_small() -> None:
    """Send lag counts from a tenth of the response on, and invalidates from 1 ms on."""
    assert codes(around(merged(send_lag_ns=164_000, response_ns=607_000))) == {"send-lag": False}
    assert codes(around(merged(send_lag_ns=5_000_000, response_ns=20_000_000))) == {"send-lag": True}
    assert codes(around(merged(send_lag_ns=5_000_000, response_ns=900_000_000))) == {}


def test_receive_lag_counts_as_send_lag_does() -> None:
    """Also what is ours at the other end; of a driver that knows no kernel's time nothing can be said."""
    assert codes(around(merged(receive_lag_ns=164_000, response_ns=607_000))) == {"receive-lag": False}
    late = merged(receive_lag_ns=5_000_000, response_ns=20_000_000)
    assert codes(around(late)) == {"receive-lag": True}
    assert codes(around(merged(receive_lag_ns=5_000_000, response_ns=900_000_000))) == {}
    assert codes(around(replace(late, measured={tag: late.measured[tag] for tag in ("response", "send_lag")}))) == {}


def test_receive_lag_in_pauses_is_the_hosts() -> None:
    """Of messages that the host's pauses may have held, at most as many are left out as fell into them."""
    recorder = SecondsRecorder(0)
    recorder.record(np.zeros(1000, np.int64), np.where(np.arange(1000) < 25, 30_000_000, 20_000))
    numbers = merged(response_ns=20_000_000)
    numbers = replace(numbers, measured=numbers.measured | {"receive_lag": tag_record(recorder.finish())})
    assert codes(around(numbers)) == {"receive-lag": True}
    away = PauseRecord(
        fifo=True, cpus=2, count=9, away_share=0.03, longest_ns=30_000_000, clean_s=0.9, drain=0.1, cpu_share=0.01
    )
    assert codes(around(numbers, pauses=away)) == {}
    assert codes(around(numbers, pauses=away.model_copy(update={"away_share": 0.001}))) == {"receive-lag": True}


def test_a_clock_that_was_set_is_told() -> None:
    """Some times of receipt are those of the read then."""
    assert codes(around(merged(counters={"clock_set": 2}))) == {"clock-set": False}
    assert codes(around(merged(counters={"clock_set": 0}))) == {}


def test_our_own_errors_invalidate() -> None:
    """An unbalanced ledger, foreign messages and a broken Little's law are hard; their sound neighbours are nothing."""
    assert codes(around(merged(ledger=CLEAN.model_copy(update={"balanced": False})))) == {"ledger-unbalanced": True}
    assert codes(around(merged(ledger=CLEAN.model_copy(update={"foreign": 3})))) == {"foreign-messages": True}
    little = Little(backlog_integral_s=2.0, response_sum_s=1.0, holds=False)
    assert codes(around(merged(little=little))) == {"little": True}
    assert codes(around(merged(little=little.model_copy(update={"holds": True})))) == {}


def test_clocks_that_disagree_invalidate() -> None:
    """A negative latency is hard; one beyond an hour may be true, and is a warning."""
    response = merged().measured["response"]
    for fields, expected in (({"negative": 1}, {"clock": True}), ({"out_of_range": 1}, {"clock": False}), ({}, {})):
        measured = merged().measured | {"response": response.model_copy(update=fields)}
        assert codes(around(merged(measured=measured))) == expected


def test_a_busy_client_makes_a_trial_of_brokers_invalid() -> None:
    """From 85 % of a core on; where clients are the subject it is a note."""
    assert codes(around(merged(), client_cores=0.85)) == {"client-bound": True}
    assert codes(around(merged(), client_cores=0.84)) == {}
    assert codes(around(merged(), client_cores=None)) == {}
    assert codes(around(merged(), client_cores=0.85, subject="client")) == {"client-bound": False}


def test_a_rate_above_half_of_the_ceiling_is_said_with_both_figures() -> None:
    """A pair of workers is compared, not all of them; exactly half is not yet too much, an unknown ceiling never."""
    [note] = health(around(merged(achieved_rate=30_000.0), workers=2, ceiling=29_999.0))
    assert (note.code, note.hard) == ("client-bound", True)
    assert "15,000 msg/s" in note.text
    assert "29,999 msg/s" in note.text
    assert "use more workers or a compiled driver" in note.text
    assert "bench doctor --ceiling" in note.text
    assert codes(around(merged(achieved_rate=30_000.0), workers=2, ceiling=30_000.0)) == {}
    assert codes(around(merged(achieved_rate=30_000.0), workers=2, ceiling=None)) == {}
    soft = around(merged(achieved_rate=30_000.0), workers=2, ceiling=29_999.0, subject="client")
    assert codes(soft) == {"client-bound": False}


def test_a_client_that_is_busy_and_near_its_ceiling_is_one_note() -> None:
    """Both signs are in it, with their figures."""
    [note] = health(around(merged(achieved_rate=900.0), client_cores=0.9, ceiling=1_000.0))
    assert "90 % of a core; Each pair of workers moved 900 msg/s" in note.text


@pytest.mark.parametrize(
    ("field", "beyond", "within", "code"),
    [
        ("steal_share", 0.011, 0.01, "steal"),
        ("throttled_share", 0.011, 0.01, "throttled"),
        ("canary_shift", 0.051, 0.05, "canary-shifted"),
        ("canary_shift", -0.051, -0.05, "canary-shifted"),
        ("settings_differ", ("memory cap: asked 1 GiB, reported 2 GiB",), (), "settings-differ"),
    ],
)
def test_a_host_or_a_broker_that_is_not_as_it_should_be_invalidates(
    field: str, beyond: object, within: object, code: str
) -> None:
    """Stolen or withheld CPU time, a host of changed speed, settings not as asked: hard beyond the limit alone."""
    assert codes(around(merged(), **{field: beyond})) == {code: True}
    assert codes(around(merged(), **{field: within})) == {}
    assert codes(around(merged(), **{field: within if field == "settings_differ" else None})) == {}


def test_the_settings_that_differ_are_named() -> None:
    """The words of each stand in the note."""
    [note] = health(around(merged(), settings_differ=("queue: asked quorum, reported classic", "cpus: asked 2")))
    assert "(queue: asked quorum, reported classic; cpus: asked 2)" in note.text


def test_shared_cpus_are_a_warning() -> None:
    """They are judged where rows are compared; here they are told, with the number where it is small."""
    assert codes(around(merged(), shared_cpus=True)) == {"shared-cores": False}
    [few] = health(around(merged(), shared_cpus=True, host_cpus=2))
    assert "the host has only 2" in few.text


def test_a_warm_up_that_was_too_short_is_warned_of_once() -> None:
    """By the broker's CPU time, by the start of the measured part, or by a level that falls to its end."""
    start, falling, rising = Steadiness(10, 0.2, 0.0), Steadiness(0, 0.0, -0.2), Steadiness(0, 0.0, 0.2)
    assert codes(around(merged(), warm_up_short=True, steady=start)) == {"warm-up-short": False}
    assert codes(around(merged(), steady=start)) == {"warm-up-short": False}
    assert codes(around(merged(), steady=falling)) == {"warm-up-short": False}
    assert codes(around(merged(), steady=rising)) == {}
    assert codes(around(merged(), steady=Steadiness(10, 0.0, 0.0))) == {}
    [note] = health(around(merged(), steady=start))
    assert "first 10 s of the measured part lay 20 % above that of the rest" in note.text


def test_what_brokers_do_never_invalidates() -> None:
    """Loss, duplicates, overload, blocking: health stays clean."""
    ledger = CLEAN.model_copy(update={"lost": 2, "duplicated": 3, "reordered": 1, "refused": 4})
    numbers = merged(ledger=ledger, achieved_rate=900.0, counters={"blocked_events": 1})
    assert codes(around(numbers, outcome=TrialOutcome.OVERLOADED, drained=False, alarms=("a",), restarts=1)) == {}
