"""What became of messages that no consumer got, and of calls: from the ledger, in words. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.results.records import Ledger, TrialRecord
from bench.scenario.scenario import Workload
from bench.units import format_duration
from reports.format import count, listed

NEVER = "never came"
_ENDED = {
    "expired": "expired",
    "maxlen": "were dropped from a full queue",
    "rejected": "were rejected",
    "delivery_limit": "were given up at the delivery limit",
}
"""By the reason that dead letters give."""
_RULE = "were ended by a rule of their queue"


def copies_of(ledger: Ledger) -> float:
    """Return how many copies of a message are owed, on average; 1 where nobody consumes, and in older results."""
    return ledger.owed / ledger.sent if ledger.owed > 0 and ledger.sent else 1.0


def never_came(ledger: Ledger) -> int | None:
    """Return the copies of a whole trial that are owed and did not come; None in older results, which do not say."""
    return None if ledger.owed < 0 else ledger.owed - ledger.received


def explained(ledger: Ledger) -> Counter[str]:
    """Return how many copies did not come as the broker refused, returned or ended them, by what it did."""
    copies, missing = copies_of(ledger), never_came(ledger)
    known: Counter[str] = Counter()
    for reason, number in ledger.ended.items():
        known[_ENDED.get(reason, f"were ended ({reason})")] += number
    known[_RULE] += ledger.by_rule
    for words, number in (("were refused", ledger.refused), ("were returned", ledger.returned)):
        # A message that no queue is bound for is owed to none, and one that some queue refuses may reach others.
        left = number if missing is None else missing - known.total()
        known[words] += max(min(round(number * copies), left), 0)
    return +known


def fate(ledgers: Sequence[Ledger]) -> str:
    """Return what became of the messages that did not come, such as `were returned or expired`."""
    known = sum((explained(ledger) for ledger in ledgers), Counter[str]())
    gone = sum(
        ledger.lost + ledger.undelivered + ledger.unconfirmed_missing + ledger.by_rule + sum(ledger.ended.values())
        for ledger in ledgers
    )
    rest = [NEVER] if not known or gone > known.total() else []
    return " or ".join([*(words for words, _ in known.most_common()), *rest])


def told(workload: Workload, records: Sequence[TrialRecord], dropped: int, never: int) -> Iterator[str]:
    """Yield what a reader must know of the messages of a row.

    Args:
        workload: what was done.
        records: of all its finished trials.
        dropped: messages that there was no room to send.
        never: due in usable trials and never received.
    """
    ledgers = [record.ledger for record in records]
    lost = sum(ledger.lost for ledger in ledgers)
    if lost:
        yield f"{count(lost)} confirmed message{'s' if lost > 1 else ''} lost"
    known = sum((explained(ledger) for ledger in ledgers), Counter[str]())
    if known:
        parts = [f"{count(number)} {words}" for words, number in known.most_common()]
        yield f"{listed(parts)}: they rank above the maximum"
    if dropped:
        yield f"{count(dropped)} dropped, as there was no room to send them: they rank above the maximum"
    if never > lost + known.total():
        yield f"{count(never)} due and never received: they rank above the maximum"
    if late := sum(ledger.late for ledger in ledgers):
        yield f"{count(late)} calls timed out and were answered later than {format_duration(workload.reply_timeout)}"
    if unknown := sum(record.counters.get("last_unknown", 0) for record in records):
        yield (
            f"of {count(unknown)} messages it is not known when the last copy came, as too many others came before it"
        )
