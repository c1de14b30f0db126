"""THE loop that decides when. It knows no protocol, process or file.

One pump drives one port. It sends what is due as far as the port has room, waits in the
port for news, and hands batches to the logs. A late message goes out at once under its
intended time; how late, and whose doing it was, is recorded. What ends the loop is read
from cells that the conductor writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from bench.drivers.base import MOST_PLANNED, PATIENT, HoldingPort, Int64, PlanningPort, Port
from bench.host.clock import Clock
from bench.loadgen.backpressure import Backpressure
from bench.loadgen.source import BEAT_NS, Source
from bench.loadgen.waiting import Intake, Pacer
from bench.record.account import ConsumerLog, ProducerLog
from bench.units import NS_PER_S

_MAX_BATCH = 4096
PLAN_NS = BEAT_NS
"""How far ahead messages are handed to a port that sends each at its time: the longer, the fewer turns of the pump."""


class Cells(Protocol):
    """What a pump reads from the conductor and writes for it; see `bench.run.shared_board`."""

    def end_ns(self) -> int:
        """Return when the schedule ends: nothing due at or after it is sent."""

    def stopped(self) -> bool:
        """Return whether to leave the loop now."""

    def tokens(self) -> int:
        """Return how many messages of this worker's producers were received by anyone, or will never be."""

    def beat(self, progress: "PumpCounters", now_ns: int) -> None:
        """Show progress; called at least every `BEAT_NS`."""


@dataclass
class PumpCounters:
    """Counters a pump shows while it runs."""

    due: int = 0
    sent: int = 0
    settled: int = 0
    received: int = 0
    owed: int = 0
    """Copies that consumers are owed of what was sent and neither refused nor returned."""
    gone: int = 0
    """Of those settled, the ones that were refused or returned. Nobody receives them, but for a broker that delivers
    what it refused: such a message counts twice here, and the ledger tells."""
    done: bool = False
    """Everything that will ever be due was sent."""
    p50_ns: int = 0
    """p50 of the latency received in the last full second; 0 where none was."""
    p99_ns: int = 0
    """As `p50_ns`."""


class _Lanes:
    """Deals messages over a worker's producing lanes in turn: message k to lane k mod n.

    Lanes repeat with every round, so both arrays are laid out for many rounds at once and
    handed out in slices: no division, and next to nothing for a single message.
    """

    def __init__(self, lanes: int) -> None:
        rounds = -(-2 * _MAX_BATCH // max(lanes, 1))
        self._lane = np.tile(np.arange(lanes), rounds)
        self._seq = np.repeat(np.arange(rounds), lanes)
        self._rounds = rounds
        self._dealt = 0

    def deal(self, messages: int) -> tuple[Int64, Int64]:
        """Return lane and number of the next messages."""
        begin, end = self._dealt, self._dealt + messages
        if end < len(self._lane):
            self._dealt = end
            return self._lane[begin:end], self._seq[begin:end]
        lane, seq = self._lane[begin:], self._seq[begin:]
        self._seq = self._seq + self._rounds
        self._dealt = 0
        if end == len(self._lane):
            return lane, seq
        more_lane, more_seq = self.deal(end - len(self._lane))
        return np.concatenate([lane, more_lane]), np.concatenate([seq, more_seq])

    def left(self) -> int:
        """Return how many messages `ahead` may ask for."""
        return len(self._lane) - self._dealt - 1

    def ahead(self, messages: int) -> tuple[Int64, Int64]:
        """Return lane and number of the next messages, which stay to be dealt; at most `left`."""
        end = self._dealt + messages
        return self._lane[self._dealt : end], self._seq[self._dealt : end]


class Pump:
    """One worker's loop over one port."""

    def __init__(
        self,
        port: Port,
        clock: Clock,
        cells: Cells,
        *,
        source: Source | None,
        producer: ProducerLog | None,
        consumer: ConsumerLog | None,
        lanes: int = 0,
        received: Callable[[Int64], None] | None = None,
        pacer: Pacer | None = None,
        intake: Intake | None = None,
        drop_after_ns: int | None = None,
        plans: bool = False,
        holds: bool = False,
    ) -> None:
        """Join the parts of a worker.

        Args:
            port: the open driver.
            clock: time.
            cells: the worker's view of the board.
            source: what is due; None for a worker that only consumes.
            producer: log of sends; None for a worker that only consumes.
            consumer: log of deliveries; None for a worker that only produces.
            lanes: number of producing lanes.
            received: called with the producers of new messages, to give tokens back.
            pacer: shapes the waits of an open loop; by default it sleeps, and sends at once.
            intake: bounds what consumers take; by default they take what comes.
            drop_after_ns: how long messages may wait for room before they are dropped; by default for ever.
            plans: the port is a `PlanningPort`, as its driver declares.
            holds: the port is a `HoldingPort`, as its driver declares.
        """
        self._port = port
        self._planning = cast("PlanningPort", port) if plans else None
        self._clock = clock
        self._cells = cells
        self._source = source
        self._producer = producer
        self._consumer = consumer
        self._lanes = _Lanes(lanes)
        self._received = received
        self._pacer = pacer or Pacer()
        self._intake = intake
        self._holding = cast("HoldingPort", port) if holds else None
        self._drop_after_ns = drop_after_ns
        self._backpressure = Backpressure()
        self._progress = PumpCounters(done=source is None)
        self._news = False
        self._beat_ns = 0
        self._quantiles_second = 0

    @property
    def progress(self) -> PumpCounters:
        """What the pump has done so far."""
        return self._progress

    def run(self) -> None:
        """Loop until the cells say stop.

        Raises:
            DriverError: the port failed; what was recorded until then is in the logs.
        """
        while not self._cells.stopped():
            now_ns, wait_ns = self._send() if self._source else (self._clock.now_ns(), BEAT_NS)
            if now_ns - self._beat_ns >= BEAT_NS // 2:
                self._beat(now_ns)
                wait_ns = max(0, wait_ns - (self._clock.now_ns() - now_ns))
            if self._intake and self._rests(self._intake, wait_ns):
                continue
            settlements, deliveries = self._port.poll(wait_ns)
            self._news = False
            if self._producer and len(settlements.seq):
                self._news = True
                self._producer.settled(settlements)
                self._progress.settled += len(settlements.seq)
                if self._producer.ledger.gone != self._progress.gone:
                    self._beat_ns = 0  # a closed loop waits for the places of what was refused: shown at once
            if self._consumer and (len(deliveries.seq) or deliveries.foreign):
                self._news = True
                producers = self._consumer.received(deliveries)
                self._progress.received += len(producers)
                if self._intake:
                    self._intake.took(len(deliveries.seq) + deliveries.foreign, self._clock.now_ns())
                if self._received:
                    self._received(producers)

    def counters(self) -> dict[str, int]:
        """Return what the pump counted: `spin_ns`, the time of busy waits, where there may be any."""
        return {"spin_ns": self._pacer.spun_ns} if self._pacer.spins else {}

    def _rests(self, intake: Intake, wait_ns: int) -> bool:
        """Return whether nothing may be taken yet; wait for that if the port is not to be asked meanwhile.

        A port that holds goes on listening to the broker. One that is not asked takes nothing off the
        socket, and so gives no credit: what the consumers may hold stays with them, the rest with the broker.
        """
        if self._holding:
            self._holding.hold(intake.free_ns)
            return False
        rest_ns = intake.free_ns - self._clock.now_ns()
        if rest_ns > 0:
            self._clock.sleep_ns(min(rest_ns, wait_ns))
        return rest_ns > 0

    def _send(self) -> tuple[int, int]:
        """Send what is due and there is room for; return the time and how long to wait for news."""
        source, pacer = self._source, self._pacer
        assert source is not None  # noqa: S101  (for the type checker: only called with a source)
        now_ns, end_ns = self._clock.now_ns(), self._cells.end_ns()
        pacer.woke(now_ns, news=self._news)
        due, room, held_ns = source.due(now_ns, end_ns), self._port.room(), pacer.held_ns(now_ns)
        if not source.closed:
            self._backpressure.update(now_ns, room=room > 0)
            if self._drop_after_ns is not None:
                due -= self._drop(source, now_ns, end_ns)
        if (room or source.closed) and not pacer.spins and self._plans():
            return self._send_planned(source, now_ns, end_ns)
        self._progress.due = self._progress.sent + due
        count = 0 if held_ns else min(due, room, _MAX_BATCH)
        if count:
            pacer.sent(now_ns, rest=due > count)
            last_ns = self._hand_over(source, count, now_ns)
            now_ns, room = self._clock.now_ns(), self._port.room()
            if not source.closed:
                # A driver may wait in `send`: where the last message took the last room, it was gone from then on.
                self._backpressure.update(now_ns if room else last_ns, room=room > 0)
            due -= count
            held_ns = pacer.held_ns(now_ns)
        if due and room:  # more fits at once: it was too much for one batch, or the socket took some of it
            return now_ns, pacer.sleep_ns(now_ns, held_ns)
        self._progress.done = not due and source.over(now_ns, end_ns)
        if due or self._progress.done:
            return now_ns, BEAT_NS
        return now_ns, pacer.sleep_ns(now_ns, min(max(source.wait_ns(now_ns), held_ns), BEAT_NS))

    def _drop(self, source: Source, now_ns: int, end_ns: int) -> int:
        """Drop the messages that waited too long for room, which are the first ones due; return how many."""
        assert self._producer is not None  # noqa: S101  (for the type checker: who has a source has a log)
        most_ns = self._drop_after_ns or 0
        late = source.due(now_ns - most_ns, end_ns)
        if not late:
            return 0
        waited_ns = self._backpressure.so_far(source.plan(late, now_ns), now_ns)
        dropped = int(np.count_nonzero(waited_ns >= most_ns))
        if dropped:
            self._producer.dropped(source.take(dropped, now_ns), now_ns)
        return dropped

    def _plans(self) -> bool:
        """Return whether the port can be handed what is due next, ahead of its time."""
        return self._planning is not None and self._planning.plans() and self._lanes.left() > 0

    def _send_planned(self, source: Source, now_ns: int, end_ns: int) -> tuple[int, int]:
        """Have the port send what will be due within a beat, each message at its time; as `_send`.

        It returns early where there is no room, or news that only we can act on.
        """
        assert self._producer is not None  # noqa: S101  (for the type checker: who has a source has a log)
        assert self._planning is not None  # noqa: S101
        until_ns = min(now_ns + PLAN_NS, end_ns)
        due = source.due(now_ns if source.closed else until_ns, end_ns)
        count = min(due, MOST_PLANNED, self._lanes.left())
        if not count:
            self._progress.done = source.over(now_ns, end_ns)
            # Awake in good time, the port can be on time.
            return now_ns, BEAT_NS if self._progress.done else max(
                0, min(source.wait_ns(now_ns), BEAT_NS) - PLAN_NS // 2
            )
        lane, seq = self._lanes.ahead(count)
        due_ns = source.plan(count, now_ns)
        coalesce_ns = PATIENT if source.closed else self._pacer.coalesce_ns
        sent_ns = self._planning.send_planned(lane, seq, due_ns, until_ns, coalesce_ns)
        sent = len(sent_ns)
        now_ns = self._clock.now_ns()
        if sent:
            self._lanes.deal(sent)
            source.take(sent, now_ns)
            self._producer.sent(lane[:sent], seq[:sent], due_ns[:sent], sent_ns, self._backpressure)
            self._progress.sent += sent
        if not source.closed:
            self._backpressure.update(now_ns, room=self._port.room() > 0)
        self._progress.due = self._progress.sent + source.due(now_ns, end_ns)
        return now_ns, 0

    def _hand_over(self, source: Source, count: int, now_ns: int) -> int:
        """Send messages and record them; return when the last was sent."""
        assert self._producer is not None  # noqa: S101  (for the type checker: who has a source has a log)
        lane, seq = self._lanes.deal(count)
        intended_ns = source.take(count, now_ns)
        sent_ns = self._port.send(lane, seq, intended_ns)
        self._producer.sent(lane, seq, intended_ns, sent_ns, self._backpressure)
        self._progress.sent += count
        return int(sent_ns[-1])

    def _beat(self, now_ns: int) -> None:
        self._beat_ns = now_ns
        if self._producer:
            self._progress.gone = self._producer.ledger.gone
            self._progress.owed = self._producer.owed
        second = now_ns // NS_PER_S
        if self._consumer and second != self._quantiles_second:
            self._quantiles_second = second
            self._progress.p50_ns, self._progress.p99_ns = self._consumer.quantiles_ns(now_ns)
        self._cells.beat(self._progress, now_ns)
