"""Findings: each code is tripped, and a neighbour just inside the limit is not."""

from dataclasses import replace

import numpy as np
import pytest

from bench.record.histogram import SecondsRecorder
from bench.results.records import TrialOutcome
from bench.run.findings import findings, overload
from bench.run.health import Circumstances
from bench.run.merge import tag_record
from bench.stats.steady import Growth, Steadiness
from tests.judged import CLEAN, around, merged

GROWING = Growth(100.0, rising=True, share=0.1)


def codes(seen: Circumstances, reason: str = "") -> set[str]:
    """Return the codes of all findings, none of which may be hard."""
    found = findings(seen, reason)
    assert not any(note.hard for note in found)
    return {note.code for note in found}


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (TrialOutcome.OVERLOADED, {"overloaded"}),
        (TrialOutcome.STALLED, {"stalled"}),
        (TrialOutcome.BROKER_FAILED, {"broker-failed"}),
        (TrialOutcome.DISCONNECTED, {"disconnected"}),
        (TrialOutcome.WORKER_FAILED, set()),
        (TrialOutcome.COMPLETED, set()),
    ],
)
def test_an_end_that_the_broker_is_to_blame_for_is_a_finding(outcome: TrialOutcome, code: set[str]) -> None:
    """A worker of ours that fails is not the broker's doing."""
    assert codes(around(merged(), outcome=outcome), "why") == code


@pytest.mark.parametrize(
    ("outcome", "alone"),
    [
        (TrialOutcome.STALLED, {"stalled"}),
        (TrialOutcome.DISCONNECTED, {"disconnected"}),
        (TrialOutcome.WORKER_FAILED, set()),
    ],
)
def test_after_a_cut_nothing_is_said_of_growth(outcome: TrialOutcome, alone: set[str]) -> None:
    """What a broker that stopped answering left due is no backlog, and no sign of what it carries."""
    assert codes(around(merged(achieved_rate=500.0), outcome=outcome, growth=GROWING), "why") == alone
    assert overload(around(merged(achieved_rate=500.0), growth=GROWING))


def test_saturated_begins_below_99_percent() -> None:
    """Of the messages due by a schedule; a closed loop has none."""
    assert codes(around(merged(achieved_rate=989.0))) == {"saturated"}
    assert codes(around(merged(achieved_rate=990.0))) == set()
    assert codes(around(merged(achieved_rate=900.0), open_loop=False)) == set()


def test_growing_takes_a_trend_and_messages_that_did_not_come() -> None:
    """Either alone is no overload; its figure is in the text."""
    assert codes(around(merged(achieved_rate=900.0), growth=GROWING)) == {"growing", "saturated"}
    assert "The backlog grew by 100 msg/s" in findings(around(merged(achieved_rate=900.0), growth=GROWING), "")[0].text
    assert codes(around(merged(achieved_rate=995.0), growth=GROWING)) == set()
    for growth in (Growth(100.0, rising=False, share=0.1), Growth(9.0, rising=True, share=0.009), None):
        assert codes(around(merged(achieved_rate=900.0), growth=growth)) == {"saturated"}


def test_messages_that_are_gone_are_no_backlog() -> None:
    """Lost, refused or returned, they stay due and not received for ever: a loss, and no overload."""
    for fate in ("lost", "refused", "returned"):
        gone = merged(ledger=CLEAN.model_copy(update={fate: 100}), achieved_rate=900.0)
        assert overload(around(gone, growth=GROWING)) == ""
    for ends in ({"by_rule": 300}, {"ended": {"expired": 200, "maxlen": 100}}):  # copies, three of a message
        gone = merged(ledger=CLEAN.model_copy(update=ends), achieved_rate=2_700.0, copies=3.0)
        assert overload(around(gone, growth=GROWING)) == ""
    some = merged(ledger=CLEAN.model_copy(update={"lost": 80}), achieved_rate=900.0)
    assert overload(around(some, growth=GROWING)) == "the backlog grew by 100 msg/s"


def test_blocked_takes_a_share_of_the_response_and_a_millisecond() -> None:
    """As with our own lateness; what a window costs a healthy broker is below that."""
    for backpressure_ns, response_ns, expected in (
        (5_000_000, 20_000_000, {"backpressure"}),
        (900_000, 2_000_000, set()),
        (5_000_000, 90_000_000, set()),
    ):
        recorder = SecondsRecorder(0)
        recorder.record(np.zeros(1000, np.int64), np.full(1000, backpressure_ns))
        numbers = merged(response_ns=response_ns)
        numbers.measured["backpressure"] = tag_record(recorder.finish())
        assert codes(around(numbers)) == expected


def test_an_alarm_is_seen_on_the_connection_or_in_the_log() -> None:
    """Both are one finding, with the broker's words, of which it quotes three."""
    assert codes(around(merged(counters={"blocked_events": 2}))) == {"alarm"}
    assert codes(around(merged(counters={"blocked_events": 0}))) == set()
    alarms = ("its log says: memory", "asked, it said 'low on disk'", "files", "more")
    [note] = findings(around(merged(counters={"blocked_events": 2}), alarms=alarms), "")
    assert note.text == (
        "It held publishers back by an alarm: it blocked a connection 2 times; its log says: memory;"
        " asked, it said 'low on disk'; files."
    )


def test_a_sender_without_credit_is_told() -> None:
    """From a second on, with the time: over 1.0 an alarm looks like that."""
    second = {"longest_without_credit_ns": 1_900_000_000}
    [note] = findings(around(merged(counters=second)), "")
    assert note.code == "no-credit"
    assert note.text.startswith("It gave no credit or session window for 1.9 s, so that a producer could send nothing")
    assert note.text.endswith("Its log or management tells.")
    asked = findings(around(merged(counters=second), alarms=("asked, it said 'low on memory'",)), "")
    assert [one.code for one in asked] == ["no-credit", "alarm"]
    assert "management" not in asked[0].text
    assert codes(around(merged(counters={"longest_without_credit_ns": 999_999_999}))) == set()


def test_what_no_broker_may_say_is_told_with_counts() -> None:
    """All of it in one sentence; what was not met is not named."""
    [note] = findings(around(merged(counters={"confirms_again": 1_200, "tags_repeated": 3, "confirms_beyond": 0})), "")
    assert note.code == "protocol-violation"
    assert note.text == (
        "It said what no broker may: 1,200 confirms of messages that were settled already,"
        " 3 delivery tags that were not above the one before."
    )


def test_a_start_in_mid_trial_is_told() -> None:
    """None is none."""
    assert codes(around(merged(), restarts=1)) == {"restarted"}
    assert codes(around(merged(), restarts=0)) == set()


def test_only_a_rising_level_drifts() -> None:
    """One that falls is a short warm-up; under a growing backlog it says nothing new."""
    assert codes(around(merged(), steady=Steadiness(0, 0.0, 0.2))) == {"drifting"}
    assert codes(around(merged(), steady=Steadiness(0, 0.0, -0.2))) == set()
    assert codes(around(merged(), steady=Steadiness(10, 0.2, 0.0))) == set()
    overloaded = around(merged(achieved_rate=900.0), steady=Steadiness(0, 0.0, 0.2), growth=GROWING)
    assert codes(overloaded) == {"growing", "saturated"}


def test_dwindled_credit_is_told() -> None:
    """From a hundred times on: the figure is the broker's, and the text names the way out."""
    [note] = findings(around(merged(counters={"credit_leak": 100})), "")
    assert note.code == "credit-leak"
    assert "it returns one credit for each read" in note.text
    assert "confirm_window, or option reattach" in note.text
    assert codes(around(merged(counters={"credit_leak": 99}))) == set()


@pytest.mark.parametrize(
    ("fate", "code"),
    [
        ("lost", "lost"),
        ("duplicated", "duplicated"),
        ("reordered", "reordered"),
        ("refused", "refused"),
        ("returned", "refused"),
    ],
)
def test_one_message_is_enough(fate: str, code: str) -> None:
    """What must never happen counts from the first time on."""
    assert codes(around(merged(ledger=CLEAN.model_copy(update={fate: 1})))) == {code}


def test_what_is_held_at_the_end_is_told_once_there_is_a_result() -> None:
    """A trial that drained held nothing, and one without a result has worse to say."""
    held = merged(ledger=CLEAN.model_copy(update={"undelivered": 5}))
    assert codes(around(held, drained=False)) == {"not-drained"}
    assert codes(around(held, drained=True)) == set()
    assert codes(around(held, drained=False, outcome=TrialOutcome.BROKER_FAILED)) == {"broker-failed"}


def test_of_refused_messages_no_copy_is_held() -> None:
    """Three messages to ten subscribers, of which two were refused: one was on its way to one of the ten."""
    ten = merged(achieved_rate=10_000.0, copies=10.0)

    def judged(missing: int) -> dict[str, str]:
        ledger = CLEAN.model_copy(update={"refused": 2, "unconfirmed_missing": missing})
        found = findings(around(replace(ten, ledger=ledger), drained=False), "")
        return {note.code: note.text for note in found}

    assert judged(21)["not-drained"].startswith("1 copies had not arrived")
    assert judged(20).keys() == {"refused"}
