"""Findings: what the broker did wrong in a trial. Such a trial stays in the data and stays valid. Pure.

Codes: the outcomes that a broker is to blame for, growing, saturated, dropped, backpressure, no-credit, alarm,
restarted, drifting, credit-leak, protocol-violation, lost, duplicated, reordered, refused, ended-by-rule, late-replies,
not-drained.
"""

from collections.abc import Iterator

from bench.drivers.base import VIOLATIONS
from bench.drivers.sockets.credit_watch import COUNTER
from bench.results.records import BROKE_OFF, NO_RESULT, Ledger, Note, TrialOutcome
from bench.run.health import LAG_SHARE, Circumstances, p99_ns
from bench.run.merge import Merged
from bench.stats.steady import GROWTH
from bench.units import NS_PER_MS, NS_PER_S, percent, short_of_whole

SATURATED = 0.99
"""Share of the messages due that must arrive within the measured part."""
_STARVED = 100
"""From so many times on, credit for one message is no accident."""
_QUOTED = 3
"""Most alarms that are quoted."""


def findings(seen: Circumstances, reason: str) -> tuple[Note, ...]:
    """Return what the broker did wrong.

    Args:
        seen: the trial.
        reason: why it ended otherwise than completed.
    """
    return (
        *_course(seen, reason),
        *_flow(seen),
        *_starved(seen.merged),
        *_violations(seen.merged),
        *_losses(seen.merged),
        *_lawful_ends(seen.merged.ledger),
        *_held(seen),
    )


def overload(seen: Circumstances) -> str:
    """Return why a trial counts as overloaded though it ran to its end; empty where it does not.

    Its backlog grew, and it did not deliver what was due. Messages that are gone for good
    stay in a backlog as well; they are losses, or ended by a rule, and no overload.
    """
    growth, ledger = seen.growth, seen.merged.ledger
    if growth is None or not growth.relevant or not _saturated(seen):
        return ""
    copies = ledger.lost + ledger.by_rule + sum(ledger.ended.values())
    gone = (copies / (seen.merged.copies or 1.0) + ledger.refused + ledger.returned) / seen.merged.offered
    return f"the backlog grew by {growth.per_s:,.0f} msg/s" if growth.share - gone > GROWTH else ""


def _course(seen: Circumstances, reason: str) -> Iterator[Note]:
    if seen.outcome in (
        TrialOutcome.OVERLOADED,
        TrialOutcome.STALLED,
        TrialOutcome.BROKER_FAILED,
        TrialOutcome.DISCONNECTED,
    ):
        yield _finding(str(seen.outcome), f"{reason}.")
    if seen.restarts:
        yield _finding("restarted", f"It started anew while the trial ran ({seen.restarts} times, by its log).")
    if seen.outcome in BROKE_OFF:
        return  # how it grew or drifted until then says nothing of what it can carry
    growing = overload(seen)
    if growing:
        yield _finding(
            "growing", f"{growing.capitalize()} through the measured part: a longer trial would show longer latencies."
        )
    if _saturated(seen):
        yield _finding(
            "saturated",
            f"It delivered {short_of_whole(_achieved(seen))} of the messages due in the measured time.",
        )
    if seen.steady is not None and seen.steady.drift > 0 and not growing:
        yield _finding(
            "drifting",
            f"Its median latency rose by {percent(seen.steady.drift)} over the measured part, without a jump.",
        )


def _achieved(seen: Circumstances) -> float:
    return seen.merged.achieved_rate * seen.measured_s / (seen.merged.offered * (seen.merged.copies or 1.0))


def _saturated(seen: Circumstances) -> bool:
    return seen.open_loop and seen.merged.offered > 0 and _achieved(seen) < SATURATED


def _flow(seen: Circumstances) -> Iterator[Note]:
    if seen.merged.dropped:
        yield _finding(
            "dropped",
            f"{seen.merged.dropped} of {seen.merged.offered} messages due in the measured time were dropped, as there"
            " was no room for them within load.late_after: percentiles that reach them are lower bounds.",
        )
    backpressure_ns, response_ns = p99_ns(seen.merged, "backpressure"), p99_ns(seen.merged, "response")
    if backpressure_ns and response_ns and backpressure_ns > max(LAG_SHARE * response_ns, NS_PER_MS):
        yield _finding(
            "backpressure",
            f"1 % of the messages waited {backpressure_ns / NS_PER_MS:.2f} ms or longer before there was room to send"
            " them, as window, credit or socket was full.",
        )
    without_ns = seen.merged.counters.get(COUNTER, 0)
    if without_ns >= NS_PER_S:
        yield _finding(
            "no-credit",
            f"It gave no credit or session window for {without_ns / NS_PER_S:.1f} s, so that a producer could send"
            " nothing: over AMQP 1.0 an alarm looks like this, as of memory or disk."
            + ("" if seen.alarms else " Its log or management tells."),
        )
    events = seen.merged.counters.get("blocked_events", 0)
    told = [f"it blocked a connection {events} times"] if events else []
    told += seen.alarms[:_QUOTED]
    if told:
        yield _finding("alarm", f"It held publishers back by an alarm: {'; '.join(told)}.")


def _starved(merged: Merged) -> Iterator[Note]:
    starved = merged.counters.get("credit_leak", 0)
    if starved >= _STARVED:
        yield _finding(
            "credit-leak",
            f"{starved} times it gave pre-settled senders credit for one message only, so that they had to wait:"
            " it returns one credit for each read, however many messages that read held. Set confirm_window, or"
            " option reattach of driver wire10.",
        )


def _violations(merged: Merged) -> Iterator[Note]:
    told = [f"{merged.counters[name]:,} {what}" for name, what in VIOLATIONS.items() if merged.counters.get(name)]
    if told:
        yield _finding("protocol-violation", f"It said what no broker may: {', '.join(told)}.")


def _losses(merged: Merged) -> Iterator[Note]:
    ledger = merged.ledger
    if ledger.lost:
        promise = "confirmed" if ledger.confirmed else "sent (no confirms were asked for)"
        yield _finding(
            "lost",
            f"{ledger.lost} messages that were {promise} never arrived and are gone: lost, or dropped by a rule that"
            " the broker has for the queue, such as a time to live or a greatest length.",
        )
    again = ledger.duplicated - merged.counters.get("requeued", 0)  # what consumers gave back comes again by right
    if again > 0:
        yield _finding("duplicated", f"{again} messages arrived more than once.")
    if ledger.reordered:
        yield _finding("reordered", f"{ledger.reordered} messages arrived after a later one of their producer.")
    if ledger.refused or ledger.returned:
        yield _finding("refused", f"{ledger.refused} messages were refused and {ledger.returned} returned.")


def _lawful_ends(ledger: Ledger) -> Iterator[Note]:
    """What a rule of a queue, or a time-out, did to messages: it counts, and it is no loss."""
    if ledger.ended:
        told = ", ".join(f"{count} {_ENDS.get(reason, reason)}" for reason, count in sorted(ledger.ended.items()))
        yield _finding("ended-by-rule", f"Rules of queues ended messages before they were received: {told}.")
    if ledger.by_rule:
        yield _finding(
            "ended-by-rule",
            f"{ledger.by_rule} messages were not received: a queue has a rule that ends messages (time to live,"
            " greatest length, delivery limit), and no dead letters tell them from losses: name an"
            " x-dead-letter-exchange.",
        )
    if ledger.late:
        yield _finding("late-replies", f"{ledger.late} replies came after their calls had timed out.")


_ENDS = {
    "expired": "expired",
    "maxlen": "dropped as the queue was full",
    "rejected": "rejected by consumers",
    "delivery_limit": "delivered too often",
}
"""Reasons of dead letters in words (https://www.rabbitmq.com/docs/dlx)."""


def _held(seen: Circumstances) -> Iterator[Note]:
    ledger, copies = seen.merged.ledger, seen.merged.copies
    gone = round((ledger.refused + ledger.returned) * copies)  # of copies that nobody will get
    held = max(0, ledger.undelivered + ledger.unconfirmed_missing - gone)
    if held and not seen.drained and seen.outcome not in NO_RESULT:
        what = "messages" if copies == 1.0 else "copies"
        yield _finding("not-drained", f"{held} {what} had not arrived when the drain ended.")


def _finding(code: str, text: str) -> Note:
    return Note(code=code, hard=False, text=text)
