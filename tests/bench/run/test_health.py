"""Health and findings: what makes a trial invalid, and what merely counts against the broker."""

from dataclasses import replace

import numpy as np

from bench.record.histogram import SecondsRecorder
from bench.results import Ledger, Little, Outcome
from bench.run.health import Circumstances, findings, health
from bench.run.merge import Merged, tag_record

CLEAN = Ledger(
    sent=1000, confirmed=1000, refused=0, returned=0, unknown=0, received=1000, lost=0, undelivered=0,
    unconfirmed_missing=0, duplicated=0, redelivered=0, reordered=0, foreign=0, stray=0, balanced=True,
)  # fmt: skip


def merged(slip_ns: int = 10_000, response_ns: int = 1_000_000, **changes: object) -> Merged:
    """Return the numbers of a trial of 1,000 equal messages."""
    measured = {}
    for tag, value in (("slip", slip_ns), ("response", response_ns)):
        recorder = SecondsRecorder(0)
        recorder.record(np.zeros(1000, np.int64), np.full(1000, value))
        measured[tag] = tag_record(recorder.finish())
    plain = Merged(
        latencies={}, measured=measured, ledger=CLEAN, little=None, ticks={}, offered=1000, sent=1000, received=1000,
        achieved_rate=1000.0, counters={},
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def around(numbers: Merged, **changes: object) -> Circumstances:
    """Return quiet circumstances of a completed trial."""
    quiet = Circumstances(
        merged=numbers, outcome=Outcome.COMPLETED, drained=True, measured_s=1, open_loop=True, client_cores=0.3,
        workers=1, ceiling=None, warm_up_short=False, host_cpus=8, shared_cpus=False, steal_share=0.0,
    )  # fmt: skip
    return replace(quiet, **changes)  # type: ignore[arg-type]


def codes(seen: Circumstances) -> dict[str, bool]:
    """Return the health notes: code -> hard."""
    return {note.code: note.hard for note in health(seen)}


def test_a_quiet_trial_has_nothing_against_it() -> None:
    """Neither health nor findings speak up."""
    assert codes(around(merged())) == {}
    assert findings(around(merged()), "") == ()


def test_slip_is_hard_when_large_and_a_warning_when_small() -> None:
    """Tool slip counts from a tenth of the response on, and invalidates from 1 ms on."""
    assert codes(around(merged(slip_ns=164_000, response_ns=607_000))) == {"tool-slip": False}
    assert codes(around(merged(slip_ns=5_000_000, response_ns=20_000_000))) == {"tool-slip": True}
    assert codes(around(merged(slip_ns=5_000_000, response_ns=900_000_000))) == {}


def test_our_own_errors_invalidate() -> None:
    """An unbalanced ledger, foreign messages, a broken Little's law and stolen CPU time are hard."""
    assert codes(around(merged(ledger=CLEAN.model_copy(update={"balanced": False}))))["ledger-unbalanced"]
    assert codes(around(merged(ledger=CLEAN.model_copy(update={"foreign": 3}))))["foreign-messages"]
    little = Little(backlog_integral_s=2.0, response_sum_s=1.0, holds=False)
    assert codes(around(merged(little=little)))["little"]
    assert codes(around(merged(), steal_share=0.02))["steal"]


def test_a_busy_client_is_said() -> None:
    """From 85 % of a core on, the row is a lower bound."""
    assert "client-bound" in codes(around(merged(), client_cores=0.85))
    assert "client-bound" not in codes(around(merged(), client_cores=0.84))


def test_a_rate_above_half_of_the_ceiling_is_said_with_both_figures() -> None:
    """A pair of workers is compared, not all of them; exactly half is not yet too much, an unknown ceiling never."""
    [note] = health(around(merged(achieved_rate=30_000.0), workers=2, ceiling=29_999.0))
    assert (note.code, note.hard) == ("client-bound", False)
    assert "15,000 msg/s" in note.text
    assert "29,999 msg/s" in note.text
    assert "use more workers or a compiled driver" in note.text
    assert "bench doctor --ceiling" in note.text
    assert codes(around(merged(achieved_rate=30_000.0), workers=2, ceiling=30_000.0)) == {}
    assert codes(around(merged(achieved_rate=30_000.0), workers=2, ceiling=None)) == {}


def test_a_client_that_is_busy_and_near_its_ceiling_is_one_note() -> None:
    """Both signs are in it, with their figures."""
    [note] = health(around(merged(achieved_rate=900.0), client_cores=0.9, ceiling=1_000.0))
    assert "90% of a core; Each pair of workers moved 900 msg/s" in note.text


def test_dwindled_credit_is_told() -> None:
    """From a hundred times on: the figure is the broker's, and the text names the way out."""
    [note] = findings(around(merged(counters={"credit_leak": 100})), "")
    assert (note.code, note.hard) == ("credit-leak", False)
    assert "Broker-J gives back one credit a read" in note.text
    assert findings(around(merged(counters={"credit_leak": 99})), "") == ()


def test_what_brokers_do_never_invalidates() -> None:
    """Loss, duplicates, overload, blocking: findings, and health stays clean."""
    ledger = CLEAN.model_copy(update={"lost": 2, "duplicated": 3, "reordered": 1, "refused": 4})
    seen = around(
        merged(ledger=ledger, achieved_rate=900.0, counters={"blocked_events": 1}),
        outcome=Outcome.OVERLOADED,
        drained=False,
    )
    found = {note.code for note in findings(seen, "too much")}
    assert found == {"overloaded", "saturated", "blocked", "lost", "duplicated", "reordered", "refused"}
    assert codes(seen) == {}
