"""What recording costs: nanoseconds a message for everything that a worker writes down, and for a turn of the pump.

Run it with `python -m tests.evidence.recorder` (`--json FILE` for a program to read) on a
machine with nothing else to do. Each figure is the median over repeats, and holds one reading of the clock
a batch (60 ns at batch 1). *All* is sent + settled on the producers' side and received on
the consumers'. The pump turns over
a port that does nothing, on a clock that stands still between turns, so what is timed is
the loop, the source and the log of sends. It is a program, not a test: nothing here
passes or fails.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from bench.arrivals.schedule import Constant, Stripe
from bench.drivers.base import Deliveries, Int64, Outcome, Settlements, empty_deliveries, empty_settlements
from bench.loadgen.backpressure import Backpressure
from bench.loadgen.pump import Pump, PumpCounters
from bench.loadgen.source import OpenLoop
from bench.record.account import ConsumerLog, ProducerLog, warm_kernels
from bench.units import NS_PER_S

BATCHES = (4096, 256, 16, 1)
PUMP_BATCHES = (4096, 1)
_START_NS = NS_PER_S
_GAP_NS = 1_000
_RECEIVE_LAG_NS = 20_000
_REPEATS = 41
_MESSAGES = 1 << 16
_CALLS = 1 << 11


class Times:
    """Sends, settlements and deliveries of one producer, batch after batch."""

    def __init__(self, batch: int) -> None:
        """Begin at the first message; `batch` messages at a time."""
        self._batch = batch
        self._rng = np.random.default_rng(batch)
        self._first = 0

    def next(self) -> tuple[Int64, ...]:
        """Return (lane, seq, intended, sent, settled, received) of the next batch, rows of one table."""
        seq = np.arange(self._first, self._first + self._batch)
        self._first += self._batch
        intended = _START_NS + seq * _GAP_NS
        late, confirm, way = self._rng.lognormal(11, 0.5, (3, self._batch)).astype(np.int64)
        return tuple(
            np.stack([seq * 0, seq, intended, intended + late, intended + late + confirm, intended + late + way])
        )


def recording(batch: int) -> dict[str, float]:
    """Return ns a message of each log at this batch size."""
    producer = ProducerLog((0,), _START_NS, 2 * batch, closed=False)
    consumer = ConsumerLog(1, 1, 1, _START_NS, closed=False)
    backpressure, times = Backpressure(), Times(batch)
    batches = min(max(_MESSAGES // batch, 1), _CALLS)
    found: dict[str, list[float]] = {"sent": [], "settled": [], "received": []}
    for _ in range(_REPEATS):
        spent = dict.fromkeys(found, 0.0)
        rows = [times.next() for _ in range(batches)]
        settled = [Settlements(r[0], r[1], r[1] * 0 + int(Outcome.CONFIRMED), r[4]) for r in rows]
        received = [Deliveries(r[0], r[0], r[1], r[2], r[3], r[5], r[0], read_ns=r[5] + _RECEIVE_LAG_NS) for r in rows]
        for (lane, seq, intended, sent, _, _), confirms, deliveries in zip(rows, settled, received, strict=True):
            at = [time.perf_counter_ns()]
            producer.sent(lane, seq, intended, sent, backpressure)
            at.append(time.perf_counter_ns())
            producer.settled(confirms)
            at.append(time.perf_counter_ns())
            consumer.received(deliveries)
            at.append(time.perf_counter_ns())
            for name, begin, end in zip(found, at, at[1:], strict=False):
                spent[name] += end - begin
        for name, ns in spent.items():
            found[name].append(ns / batches / batch)
    medians = {name: statistics.median(values) for name, values in found.items()}
    return medians | {"all": sum(medians.values())}


class Still:
    """Clock, port and cells in one: time moves by one batch a turn, and sending does nothing."""

    def __init__(self, batch: int, turns: int) -> None:
        """Stop after so many turns."""
        self._step_ns = batch * _GAP_NS
        self._now_ns = _START_NS
        self._turns = turns
        self._news = empty_settlements(), empty_deliveries()
        self._sent = np.zeros(batch, np.int64)

    def now_ns(self) -> int:
        """Return the time of this turn."""
        return self._now_ns

    def sleep_ns(self, ns: int) -> None:
        """Nobody sleeps here."""

    def room(self) -> int:
        """Return room for everything."""
        return 1 << 20

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:  # noqa: ARG002  (the port's signature)
        """Send nothing, now."""
        return intended_ns

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:  # noqa: ARG002
        """Bring no news, and move to the next turn."""
        self._now_ns += self._step_ns
        self._turns -= 1
        return self._news

    def counters(self) -> dict[str, int]:
        """Count nothing."""
        return {}

    def close(self) -> None:
        """Nothing is open."""

    def end_ns(self) -> int:
        """Never end the schedule."""
        return 1 << 62

    def stopped(self) -> bool:
        """Return whether all turns are over."""
        return self._turns <= 0

    def tokens(self) -> int:
        """Return no tokens."""
        return 0

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        """Show nothing."""


def turning(batch: int) -> dict[str, float]:
    """Return ns a turn and ns a message of a pump whose turns send `batch` messages each."""
    turns = min(max(_MESSAGES // batch, 1), _CALLS)
    found = []
    for _ in range(_REPEATS):
        still = Still(batch, turns)
        source = OpenLoop(Stripe(Constant(NS_PER_S / _GAP_NS), _START_NS))
        log = ProducerLog((0,), _START_NS, 1, closed=False)
        pump = Pump(still, still, still, source=source, producer=log, consumer=None, lanes=1)
        began = time.perf_counter_ns()
        pump.run()
        found.append((time.perf_counter_ns() - began) / turns)
    turn = statistics.median(found)
    return {"turn": turn, "message": turn / batch}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What recording costs, in nanoseconds.")
    parser.add_argument("--json", type=Path, help="write the figures there instead of printing them")
    file = parser.parse_args().json
    warm_kernels()
    gc.freeze()
    record = {batch: recording(batch) for batch in BATCHES}
    turn = {batch: turning(batch) for batch in PUMP_BATCHES}
    if file:
        rows = [
            {"what": f"{name}, batches of {batch:,}, ns a message", "value": row[name]}
            for batch, row in record.items()
            for name in ("sent", "settled", "received", "all")
        ]
        rows += [
            {"what": f"a turn of the pump, {batch:,} messages, ns", "value": row["turn"]} for batch, row in turn.items()
        ]
        file.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        return
    lines = ["ns a message         sent  settled  received       all"]
    lines += [
        f"  batch {batch:>5,}   {' '.join(f'{row[name]:9.1f}' for name in ('sent', 'settled', 'received', 'all'))}"
        for batch, row in record.items()
    ]
    lines.append("pump              ns a turn  ns a message")
    lines += [f"  batch {batch:>5,}  {row['turn']:12.1f} {row['message']:13.1f}" for batch, row in turn.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
