"""The slow, obvious twin of what a worker records: whole-array formulas in numpy, and sets where they say more.

It keeps every value and makes histograms at the end, grows nothing and compiles nothing.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bench.drivers.base import Deliveries, Int64, Outcome, Settlements
from bench.record.histogram import HIGHEST_NS, new_histogram
from bench.units import NS_PER_S, TICK_NS

ROW_JUMP, ALL_JUMP = 1 << 20, 1 << 27
HISTOGRAM = new_histogram()


@dataclass
class Latency:
    """All values of one latency, by the second of their intended time."""

    start_ns: int
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    sums: Counter[int] = field(default_factory=Counter)
    negative: Counter[int] = field(default_factory=Counter)
    above: Counter[int] = field(default_factory=Counter)

    def record(self, intended_ns: Int64, values_ns: Int64) -> None:
        """Count a batch."""
        for second, value in zip(((intended_ns - self.start_ns) // NS_PER_S).tolist(), values_ns.tolist(), strict=True):
            if value < 0:
                self.negative[second] += 1
            elif value > HIGHEST_NS:
                self.above[second] += 1
            else:
                self.counts[second, HISTOGRAM.get_counts_array_index(value)] += 1
                self.sums[second] += value


class Episodes:
    """The episodes without room, as lists; see `bench.loadgen.backpressure`."""

    def __init__(self) -> None:
        """Begin with room."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._since: int | None = None

    def update(self, now_ns: int, *, room: bool) -> None:
        """Note whether there was room."""
        if room and self._since is not None:
            if now_ns > self._since:
                self._starts.append(self._since)
                self._ends.append(now_ns)
            self._since = None
        elif not room and self._since is None:
            self._since = now_ns

    def split(self, intended_ns: Int64, sent_ns: Int64) -> Int64:
        """Return the backpressure part of sent - intended."""
        first = int(intended_ns[0]) if len(intended_ns) else 0
        gone = next((i for i, end in enumerate(self._ends) if end > first), len(self._ends))
        del self._starts[:gone], self._ends[:gone]
        if not self._starts:
            return np.zeros(len(intended_ns), np.int64)
        starts, ends = np.array(self._starts), np.array(self._ends)
        done = np.concatenate([[0], np.cumsum(ends - starts)])

        def before(at: Int64) -> Int64:
            episode = np.searchsorted(starts, at, side="right")
            inside = np.where(episode > 0, np.maximum(ends[episode - 1] - at, 0), 0)
            total: Int64 = done[episode] - inside
            return total

        backpressure: Int64 = np.clip(before(sent_ns) - before(intended_ns), 0, np.maximum(sent_ns - intended_ns, 0))
        return backpressure


class Producers:
    """What a `ProducerLog` records."""

    def __init__(self, lanes: int, start_ns: int, window: int, *, closed: bool) -> None:
        """Record so many lanes."""
        self._closed, self._start_ns = closed, start_ns
        self._mask = (1 << max(window, 1).bit_length()) - 1
        self._intended = np.zeros((lanes, self._mask + 1), np.int64)
        self.latencies = {name: Latency(start_ns) for name in ("send_lag", "backpressure", "confirm")}
        self.ticks: dict[str, Counter[int]] = {name: Counter() for name in ("offered", "sent", "confirmed")}
        self.sent_counts = np.zeros(lanes, np.int64)
        self.confirmed: set[tuple[int, int]] = set()
        self.outcomes: Counter[int] = Counter()
        self.intended_sum_ns = 0

    def sent(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64, backpressure: Episodes) -> None:
        """Record sends."""
        if self._closed:
            intended_ns = sent_ns
        self.sent_counts += np.bincount(lane, minlength=len(self.sent_counts))
        self._intended[lane, seq & self._mask] = intended_ns
        self.intended_sum_ns += int((intended_ns - self._start_ns).sum())
        self.ticks["offered"].update(ticks(intended_ns, self._start_ns))
        self.ticks["sent"].update(ticks(sent_ns, self._start_ns))
        if not self._closed:
            backpressure_ns = backpressure.split(intended_ns, sent_ns)
            self.latencies["send_lag"].record(intended_ns, sent_ns - intended_ns - backpressure_ns)
            self.latencies["backpressure"].record(intended_ns, backpressure_ns)

    def settled(self, rows: Settlements) -> None:
        """Record settlements."""
        self.outcomes.update(rows.outcome.tolist())
        good = rows.outcome == Outcome.CONFIRMED
        gone_ns = self._intended[rows.lane[~good], rows.seq[~good] & self._mask]
        self.intended_sum_ns -= int((gone_ns - self._start_ns).sum())
        lane, seq, at_ns = rows.lane[good], rows.seq[good], rows.at_ns[good]
        self.confirmed |= set(zip(lane.tolist(), seq.tolist(), strict=True))
        intended_ns = self._intended[lane, seq & self._mask]
        self.latencies["confirm"].record(intended_ns, at_ns - intended_ns)
        self.ticks["confirmed"].update(ticks(at_ns, self._start_ns))


class Consumers:
    """What a `ConsumerLog` records."""

    def __init__(self, producers: int, queues: int, start_ns: int, *, closed: bool) -> None:
        """Record a trial of so many producers and queues."""
        self._closed, self._start_ns, self._producers, self._queues = closed, start_ns, producers, queues
        self.latencies = {name: Latency(start_ns) for name in ("service", "response", "receive_lag")}
        self.ticks: dict[str, Counter[int]] = {"received": Counter()}
        self.seen: set[tuple[int, int]] = set()
        self.counts: Counter[str] = Counter()
        self._last: dict[tuple[int, int], int] = {}
        self._room = 1 << 12
        self.received_sum_ns = 0

    def received(self, rows: Deliveries) -> list[int]:
        """Record deliveries; return the producers of the new ones."""
        self.counts["foreign"] += rows.foreign
        fresh = np.array([self._is_new(*row) for row in zip(
            rows.lane.tolist(), rows.producer.tolist(), rows.seq.tolist(), rows.redelivered.tolist(), strict=True
        )], bool)  # fmt: skip
        received_ns, sent_ns = rows.received_ns[fresh], rows.sent_ns[fresh]
        intended_ns = sent_ns if self._closed else rows.intended_ns[fresh]
        self.received_sum_ns += int((received_ns - self._start_ns).sum())
        self.latencies["service"].record(intended_ns, received_ns - sent_ns)
        if not self._closed:
            self.latencies["response"].record(intended_ns, received_ns - intended_ns)
        read_ns = received_ns if rows.read_ns is None else rows.read_ns[fresh]
        told = read_ns > received_ns
        self.latencies["receive_lag"].record(intended_ns[told], read_ns[told] - received_ns[told])
        self.ticks["received"].update(ticks(received_ns, self._start_ns))
        found: list[int] = rows.producer[fresh].tolist()
        return found

    def _is_new(self, lane: int, producer: int, seq: int, redelivered: int) -> bool:
        beyond = 2 * self._room + max(ROW_JUMP, ALL_JUMP // self._producers)
        if not (0 <= producer < self._producers and 0 <= seq < beyond):
            self.counts["stray"] += 1
            return False
        while self._room <= seq:
            self._room *= 2
        self.counts["redelivered"] += redelivered
        if (producer, seq) in self.seen:
            self.counts["duplicated"] += 1
            return False
        self.seen.add((producer, seq))
        if not redelivered:
            before = self._last.get((lane, producer), -1)
            self.counts["reordered"] += seq < before
            self._last[lane, producer] = max(seq, before)
        return True


def ticks(at_ns: Int64, start_ns: int) -> list[int]:
    """Return the tick of each instant."""
    found: list[int] = np.maximum((at_ns - start_ns) // TICK_NS, 0).tolist()
    return found
