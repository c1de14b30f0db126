"""What became of messages that did not come, and how copies are counted."""

from typing import Any

import pytest

from bench.results.records import Ledger
from reports.outcomes import copies_of, explained, fate
from tests.reports.in_memory import made_summary

_NONE = dict.fromkeys(
    ("refused", "returned", "unknown", "lost", "undelivered", "unconfirmed_missing", "duplicated", "redelivered"), 0
) | dict.fromkeys(("reordered", "foreign", "stray"), 0)


def ledger(**said: Any) -> Ledger:
    """Return a ledger of 100 messages with these fields."""
    return Ledger.model_validate(_NONE | {"sent": 100, "confirmed": 100, "received": 100, "balanced": True} | said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"owed": 100, "received": 90, "ended": {"expired": 10}}, "expired"),
        ({"owed": 100, "received": 90, "by_rule": 10}, "were ended by a rule of their queue"),
        (
            {"owed": 100, "received": 90, "refused": 10, "confirmed": 90, "unconfirmed_missing": 10},
            "were refused",
        ),
        (
            {"received": 70, "returned": 20, "refused": 10, "confirmed": 70, "unconfirmed_missing": 30},
            "were returned or were refused",
        ),
        (
            {"owed": 100, "received": 80, "ended": {"maxlen": 15}, "lost": 5},
            "were dropped from a full queue or never came",
        ),
        ({"owed": 100, "received": 90, "lost": 10}, "never came"),
        ({"owed": 50, "received": 50, "returned": 50, "confirmed": 50}, "never came"),  # what is owed to nobody
    ],
)
def test_what_became_of_messages(said: dict[str, Any], words: str) -> None:
    """The broker's own doing is named; only what nothing explains never came."""
    assert fate([ledger(**said)]) == words


def test_copies_are_counted_by_what_is_owed() -> None:
    """Ten subscribers are owed ten copies; older results say nothing, and had one."""
    assert copies_of(ledger(owed=1000, received=1000)) == 10
    assert copies_of(ledger()) == 1
    assert explained(ledger(owed=1000, received=990, refused=1, confirmed=99, unconfirmed_missing=10)) == {
        "were refused": 10
    }


def test_a_row_of_returned_messages_says_so() -> None:
    """Its p99 has no bound, and the sentence tells what became of them."""

    def returned(trial: dict[str, Any]) -> dict[str, Any]:
        if trial["target"] == "broker-j-10":
            trial["offered"] += trial["offered"] // 10
            trial["sent"] = trial["offered"]
            whole = trial["ledger"]["sent"]
            more = whole // 10
            trial["ledger"] |= {
                "sent": whole + more,
                "owed": whole + more,
                "returned": more,
                "unconfirmed_missing": more,
            }
        return trial

    summary = made_summary(repetitions=2, seconds=2, closed_loop=False, change=returned)
    assert "without bound (more than 1 % were returned)" in summary.answers[0].sentence
    cell = summary.cell("broker-j-10", "steady")
    assert cell.latency_ns["p99"].why == "were returned in 2 of 2 trials"
    assert any("were returned: they rank above the maximum" in remark for remark in cell.remarks)
    assert not cell.saturated


def test_copies_are_compared_with_copies() -> None:
    """A fan-out that delivers every copy carries its load, and nothing of it never came."""

    def fanned(trial: dict[str, Any]) -> dict[str, Any]:
        if trial["workload"] == "steady":
            everything = trial["ledger"]["received"]
            trial["offered"] //= 10
            trial["sent"] //= 10
            trial["ledger"] |= {"sent": everything // 10, "confirmed": everything // 10, "owed": everything}
            trial["latency"]["last"] = trial["latency"]["service"]
        return trial

    summary = made_summary(repetitions=2, seconds=2, closed_loop=False, change=fanned)
    cell = summary.cell("rabbitmq-091", "steady")
    assert cell.copies == 10
    assert not cell.saturated
    assert cell.latency_ns["p99"].centre is not None
    assert set(cell.beside_ns) == {"last"}
    assert not any("never received" in remark for remark in cell.remarks)
