"""From the accounts of all workers to the numbers of one trial. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.drivers.base import Int64, add_counts
from bench.pauses.filter import Marks
from bench.record.account import Account
from bench.record.histogram import Seconds, encode, merge, to_histogram
from bench.record.ledger import Bits, Owed, balance
from bench.record.ticks import add
from bench.results.records import TAGS, Ledger, Little, TagRecord
from bench.units import NS_PER_S, TICK_NS

_LITTLE_TOLERANCE = 0.01
TICKS_PER_S = NS_PER_S // TICK_NS


@dataclass(frozen=True)
class Merged:
    """The numbers of one trial.

    Attributes:
        latencies: by tag, every second, warm-up and drain included; with those of the pause filter.
        measured: by tag, the measured part.
        ledger: over the whole trial.
        little: None where the trial did not drain, has no response, or some of a message's copies were refused.
        ticks: int64 counts by the tick: offered, sent, received, confirmed, backlog (at the
            tick's end; a message that was dropped is in it until then).
        offered, sent, received, dropped: messages of the measured part.
        achieved_rate: copies received within the measured part, a second; where nobody consumes, confirms.
        copies: owed of each message, on average.
        counters: what drivers counted.
        crossings: pauses as each consumer saw them; empty without a pause meter.
    """

    latencies: dict[str, Seconds]
    measured: dict[str, TagRecord]
    ledger: Ledger
    little: Little | None
    ticks: dict[str, Int64]
    offered: int
    sent: int
    received: int
    achieved_rate: float
    counters: dict[str, int]
    dropped: int = 0
    crossings: tuple[Marks, ...] = ()
    copies: float = 1.0


def merge_accounts(
    accounts: Sequence[Account],
    measure: range,
    *,
    confirms: bool,
    drained: bool,
    due: Int64 | None = None,
    left: int | None = 0,
    owed: Owed | None = None,
    ended: Mapping[str, Bits] | None = None,
    copies: float = 1.0,
) -> Merged:
    """Merge what workers handed over.

    Args:
        accounts: one a worker.
        measure: measured seconds after the start.
        confirms: whether the broker settles every message.
        drained: whether every message sent was received.
        left: messages left on the broker; None = cut or unknown.
        due: intended times of the whole trial, ns after the start, int64; None for a
            closed loop, where a message is due when it is sent.
        owed: who is owed what; by default each message is owed once.
        ended: what the broker ended by a rule, see `bench.record.ledger.balance`.
        copies: owed of each message, on average; 0 where nobody consumes.
    """
    metered = not any(a.marks is None or a.marks.lost for a in accounts)
    tags = [name for tag in TAGS for name in (tag, *((f"{tag}_events", f"{tag}_censored") if metered else ()))]
    latencies = {tag: merge(a.latencies[tag] for a in accounts if tag in a.latencies) for tag in tags}
    latencies = {tag: part for tag, part in latencies.items() if len(part.totals)}
    measured = {tag: _measured(latencies, tag, measure) for tag in TAGS if tag in latencies}
    ledger = balance(
        [a.sent for a in accounts if a.sent is not None],
        [a.received for a in accounts if a.received is not None],
        confirms=confirms,
        left=left,
        owed=owed,
        ended=ended,
    )
    # A message that one queue refuses others may deliver all the same: how many of its copies left is not known.
    partly_refused = ledger.refused > 0 and copies > 1
    ticks = _ticks(accounts, due, copies)
    dropped_due = ticks.pop("dropped_due")
    window = slice(measure.start * TICKS_PER_S, measure.stop * TICKS_PER_S)
    arrived = "response" if due is not None else "service"
    offered = int(ticks["offered"][window].sum())
    return Merged(
        latencies=latencies,
        measured=measured,
        ledger=ledger,
        little=_little(accounts, latencies.get(arrived)) if drained and not partly_refused else None,
        ticks=ticks,
        offered=offered,
        sent=measured["send_lag"].count + measured["send_lag"].negative if "send_lag" in measured else offered,
        received=_values(measured.get(arrived)),
        achieved_rate=float(ticks["received" if copies else "confirmed"][window].sum()) / max(len(measure), 1),
        copies=copies,
        counters=total_counters(a.counters for a in accounts),
        dropped=int(dropped_due[window].sum()),
        crossings=tuple(a.marks for a in accounts if a.marks is not None and a.received is not None) if metered else (),
    )


def _measured(latencies: dict[str, Seconds], tag: str, measure: range) -> TagRecord:
    first, end = measure.start, measure.stop
    record = tag_record(latencies[tag].between(first, end))
    if f"{tag}_events" not in latencies:
        return record
    parts = {}
    for name in ("events", "censored"):
        part = latencies.get(f"{tag}_{name}", merge(())).between(first, end)
        parts[name] = encode(to_histogram(part.index, part.count))
    return record.model_copy(update=parts)


def tag_record(part: Seconds) -> TagRecord:
    """Return one histogram over all seconds of a part."""
    histogram = to_histogram(part.index, part.count)
    return TagRecord(
        count=int(part.count.sum()),
        histogram=encode(histogram),
        negative=part.negative,
        out_of_range=part.out_of_range,
    )


def _values(record: TagRecord | None) -> int:
    return 0 if record is None else record.count + record.negative + record.out_of_range


def _ticks(accounts: Sequence[Account], due: Int64 | None, copies: float) -> dict[str, Int64]:
    length = max([len(row) for a in accounts for row in a.ticks.values()], default=0)
    if due is not None and len(due):
        length = max(length, int(due.max()) // TICK_NS + 1)
    ticks = {
        name: add([a.ticks[name] for a in accounts if name in a.ticks], length)
        for name in ("offered", "sent", "received", "confirmed", "dropped_due", "dropped")
    }
    if due is not None:
        ticks["offered"] = np.bincount(due // TICK_NS, minlength=length).astype(np.int64)
    # Counted as messages: a copy is a part of one. Where nobody consumes, a confirm is all that is awaited.
    done = ticks["received"] / copies if copies else ticks["confirmed"]
    ticks["backlog"] = np.rint(np.cumsum(ticks["offered"] - ticks.pop("dropped") - done)).astype(np.int64)
    return ticks


def _little(accounts: Sequence[Account], responses: Seconds | None) -> Little | None:
    """Compare both sides of Little's law: producers' and consumers' own sums against histograms.

    The integral of the backlog is the sum of received times less the sum of intended times,
    each taken where it happened; the sum of responses comes out of the stamps.
    """
    if responses is None or responses.negative or responses.out_of_range:
        return None
    integral_ns = sum(a.received_sum_ns for a in accounts) - sum(a.intended_sum_ns for a in accounts)
    difference = abs(integral_ns - responses.sum_ns)
    return Little(
        backlog_integral_s=integral_ns / NS_PER_S,
        response_sum_s=responses.sum_ns / NS_PER_S,
        holds=difference <= _LITTLE_TOLERANCE * max(integral_ns, responses.sum_ns, 1),
    )


def total_counters(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of counters of the same names."""
    total: dict[str, int] = {}
    for part in parts:
        add_counts(total, part)
    return total
