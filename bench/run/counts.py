"""The figures of a trial by count: its phases, each over all of its messages, and what a full backlog took. Pure.

The times are those of workers' accounts: when the first message was sent, the last one settled, the first and the
last one received. What the conductor saw on its board comes up to 60 ms later.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.drivers.base import Int64
from bench.record.account import (
    FIRST_RECEIVED,
    FIRST_SENT,
    LAST_RECEIVED,
    LAST_SETTLED,
    OPENED,
    Account,
)
from bench.results.records import BacklogRecord, Ledger, PhaseRecord
from bench.run.pause_record import away_ns
from bench.run.slow_telemetry import SlowSample
from bench.run.telemetry import Sample
from bench.run.timeline import usage_between
from bench.scenario.scenario import Workload
from bench.units import NS_PER_S


class Surroundings(NamedTuple):
    """What was seen beside the messages of a trial.

    Attributes:
        samples: telemetry in order of time.
        pauses: of the host, see `bench.pauses.watch.PauseWatch.pauses`; None without a meter.
        cpus: that the meter watches.
    """

    samples: Sequence[Sample] = ()
    pauses: Int64 | None = None
    cpus: int = 1


def phases(
    flow: Workload, accounts: Sequence[Account], ledger: Ledger, start_ns: int, seen: Surroundings
) -> Iterator[PhaseRecord]:
    """Yield the phases that came to their end.

    Args:
        flow: whose messages are counted.
        accounts: of its workers.
        ledger: of its messages.
        start_ns: start of the trial, monotonic.
        seen: what was seen of broker, clients and host meanwhile.
    """

    def phase(name: str, begin_ns: int | None, end_ns: int | None, messages: int) -> Iterator[PhaseRecord]:
        if begin_ns is None or end_ns is None or end_ns <= begin_ns:
            return
        length_ns = end_ns - begin_ns
        away = None
        if seen.pauses is not None:
            away = int(away_ns(seen.pauses, (begin_ns, end_ns)).sum()) / length_ns / seen.cpus
        used = {
            f"{side}_usage": usage_between(seen.samples, side, begin_ns, end_ns, messages)
            for side in ("broker", "client")
        }
        yield PhaseRecord.model_validate(
            {
                "name": name,
                "messages": messages,
                "begin_ns": begin_ns - start_ns,
                "end_ns": end_ns - start_ns,
                "rate": messages * NS_PER_S / length_ns,
                "away_share": None if away is None else min(away, 1.0),
                **used,
            }
        )

    sent_ns, settled_ns = _first(accounts, FIRST_SENT), _last(accounts, LAST_SETTLED)
    all_sent = ledger.sent == flow.messages
    # Messages that are gone for good are missing from no phase: findings tell of them.
    all_received = all_sent and not ledger.undelivered and not ledger.missing
    if not flow.fills:
        if all_received:
            yield from phase("whole", sent_ns, _last(accounts, LAST_RECEIVED), ledger.received)
        return
    if all_sent and not ledger.unknown and not ledger.missing:
        yield from phase("enqueue", sent_ns, settled_ns, ledger.confirmed)
    if flow.consumers and all_received:
        opened_ns, received_ns = _first(accounts, OPENED), _first(accounts, FIRST_RECEIVED)
        known = [at_ns for at_ns in (opened_ns, received_ns) if at_ns is not None]
        yield from phase("dequeue", min(known, default=None), _last(accounts, LAST_RECEIVED), ledger.received)


def backlog(
    messages: int,
    filled_ns: int,
    released_ns: int,
    samples: Sequence[Sample],
    slow_samples: Sequence[SlowSample],
) -> BacklogRecord:
    """Return what a backlog took of the broker between its last confirm and the moment that consumers were let in."""
    lay = [one for one in samples if filled_ns <= one.at_ns <= released_ns]
    looked = [one for one in slow_samples if filled_ns <= one.at_ns <= released_ns]
    return BacklogRecord(
        messages=messages,
        rss=lay[-1].broker_rss if lay else None,
        rss_before=samples[0].broker_rss if samples else None,
        data_bytes=looked[-1].data_bytes if looked else None,
        data_bytes_before=slow_samples[0].data_bytes if slow_samples else None,
    )


def _first(accounts: Sequence[Account], name: str) -> int | None:
    return min((one.times[name] for one in accounts if name in one.times), default=None)


def _last(accounts: Sequence[Account], name: str) -> int | None:
    return max((one.times[name] for one in accounts if name in one.times), default=None)
