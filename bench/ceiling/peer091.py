"""The null peer's end of AMQP 0-9-1: it agrees to everything, confirms, drops, and delivers without end."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pika import spec as amqp

from bench.ceiling.peer import PeerConnection
from bench.clock import RealClock
from bench.drivers.base import PortSpec
from bench.drivers.stream import Stream
from bench.drivers.wire091_frames import Frames091
from bench.drivers.wire091_tables import FRAME_MAX, Tables091
from bench.drivers.wire_context import IO_WIDTH, ROWS, WireContext
from bench.drivers.wire_lanes import Lane
from bench.drivers.wire_tables import ring_span
from bench.wire import amqp091_layout as layout
from bench.wire import cursor as cursor_at
from bench.wire.amqp091_encode import delivery_prefix
from brokers.endpoint import Endpoint

_PREFIX_WIDTH = 512
_PREFETCH_MOST = 4_096
_BATCH = 512
_CONFIRM_BATCH = 1 << 20
_PROTOCOL_HEADER = 8
_CAPABILITIES = {"publisher_confirms": True, "basic.nack": True, "connection.blocked": True}

_ANSWERS: dict[type, Callable[[Any], Any]] = {
    amqp.Connection.StartOk: lambda _: amqp.Connection.Tune(0, FRAME_MAX, 0),
    amqp.Connection.Open: lambda _: amqp.Connection.OpenOk(),
    amqp.Channel.Open: lambda _: amqp.Channel.OpenOk(),
    amqp.Channel.Close: lambda _: amqp.Channel.CloseOk(),
    amqp.Exchange.Declare: lambda _: amqp.Exchange.DeclareOk(),
    amqp.Queue.Declare: lambda asked: amqp.Queue.DeclareOk(asked.queue, 0, 0),
    amqp.Queue.Bind: lambda _: amqp.Queue.BindOk(),
    amqp.Basic.Cancel: lambda asked: amqp.Basic.CancelOk(asked.consumer_tag),
}


class Peer091(Frames091, PeerConnection):
    """The broker's end of one connection."""

    def __init__(self, tables: "Tables091", index: int, lanes: Sequence[Lane], stream: Stream) -> None:
        """Serve a client that has connected."""
        super().__init__(tables, index, lanes, stream)
        self.ready = True
        self._greeted = 0
        self._prefetch = _PREFETCH_MOST
        self._consuming: list[_Delivering] = []
        self.handlers = dict.fromkeys(_ANSWERS, self._answer)
        self.handlers |= {
            amqp.Connection.TuneOk: self._pass_over,
            amqp.Connection.Close: self._on_close,
            amqp.Channel.CloseOk: self._pass_over,
            amqp.Channel.FlowOk: self._pass_over,
            amqp.Confirm.Select: self._on_confirm,
            amqp.Basic.Qos: self._on_qos,
            amqp.Basic.Consume: self._on_consume,
        }
        tables.enter(index, self.lanes)

    def begin(self) -> None:
        """Wait for the client's protocol header."""

    def begin_close(self) -> None:
        """Hang up: there is nobody to whom it would matter."""
        self.closed = True

    def deliver(self) -> bool:
        """Send messages where there is room; return whether more could be sent at once."""
        more = False
        for lane in self._consuming:
            if self.octets_left() and not self.closed:
                more = lane.send() or more
        return more

    def _scan(self, start: int, end: int, now_ns: int) -> tuple[int, int, int]:
        """Take the protocol header off, then scan as ever."""
        if self._greeted < _PROTOCOL_HEADER:
            header = min(_PROTOCOL_HEADER - self._greeted, end - start)
            self._greeted += header
            start += header
            if self._greeted == _PROTOCOL_HEADER:
                properties = {"product": "busbench null peer", "capabilities": _CAPABILITIES}
                self.say(0, amqp.Connection.Start(server_properties=properties, mechanisms="PLAIN", locales="en_US"))
        return super()._scan(start, end, now_ns)

    def _owe_acks(self, now_ns: int) -> None:
        """Confirm all that came: a broker of no work keeps nobody waiting."""
        self.acknowledge_before(now_ns)

    def _pass_over(self, _channel: int, _method: Any) -> None:
        """Nothing follows from it."""

    def _answer(self, channel: int, method: Any) -> None:
        if not getattr(method, "nowait", False):
            self.say(channel, _ANSWERS[type(method)](method))

    def _on_close(self, _channel: int, _method: Any) -> None:
        """Say goodbye and wait until the client hangs up: what it still sends must find us."""
        self._consuming.clear()
        self.say(0, amqp.Connection.CloseOk())

    def _on_confirm(self, channel: int, method: Any) -> None:
        self.tables.lanes[self._row(channel), layout.ACK_BATCH] = _CONFIRM_BATCH
        if not method.nowait:
            self.say(channel, amqp.Confirm.SelectOk())

    def _on_qos(self, channel: int, method: Any) -> None:
        self._prefetch = min(method.prefetch_count or _PREFETCH_MOST, _PREFETCH_MOST)
        self.say(channel, amqp.Basic.QosOk())

    def _on_consume(self, channel: int, method: Any) -> None:
        tag = method.consumer_tag or f"ctag{channel}"
        if not method.nowait:
            self.say(channel, amqp.Basic.ConsumeOk(tag))
        row = self._row(channel)
        octets, tag_at = delivery_prefix(channel, tag, method.queue, self.context.spec.size)
        self.tables.enter_prefix(row, octets)
        self.tables.lanes[row, layout.TAG_AT] = tag_at
        self._consuming.append(_Delivering(self, row, 0 if method.no_ack else self._prefetch))

    def _row(self, channel: int) -> int:
        return self.first + channel - 1


class _Delivering:
    """A consumer's lane: sends as many messages as its prefetch lets it."""

    def __init__(self, connection: Peer091, row: int, window: int) -> None:
        self._connection = connection
        self._lane = np.full(_BATCH, row, np.int64)
        self._row = row
        self._window = window
        self._seq = 0
        self._sent_ns = np.zeros(_BATCH, np.int64)

    def send(self) -> bool:
        """Send a batch; return whether another could follow."""
        connection = self._connection
        tables = connection.tables
        free = _BATCH
        if self._window:
            free = min(_BATCH, self._window - int(tables.lanes[self._row, layout.IN_FLIGHT]))
            if free <= 0:
                return False
        else:  # nobody will acknowledge them
            tables.lanes[self._row, layout.IN_FLIGHT] = 0
            tables.lanes[self._row, layout.OLDEST] = tables.lanes[self._row, layout.PUBLISHED] + 1
        seq = np.arange(self._seq, self._seq + free)
        self._seq += free
        now = np.full(free, connection.context.clock.now_ns(), np.int64)
        connection.publish(self._lane, seq, now, self._sent_ns, tables.message_octets(), 0, free)
        return not connection.pending


class _Host:
    """Tables of all connections, and their free places."""

    def __init__(self, connections: int, lanes: int, size: int) -> None:
        endpoint = Endpoint("amqp091", "127.0.0.1", 0, "/", None, "", "")
        cursor = np.zeros(cursor_at.CURSOR_WIDTH, np.int64)
        spec = PortSpec(endpoint, (), (), size)
        io = np.zeros((connections, IO_WIDTH), np.int64)
        self.context = WireContext(spec, endpoint, RealClock(), io, cursor)
        rows = connections * lanes
        span = ring_span(min(_PREFETCH_MOST, (1 << 22) // rows))
        self._tables = Tables091(self.context, rows, rows, span, ROWS, _PREFIX_WIDTH)
        self._lanes = lanes
        self._free = list(range(connections))[::-1]

    def accept(self, stream: Stream) -> Peer091 | None:
        """Return a connection for a client; None where there are too many."""
        if not self._free:
            return None
        index = self._free.pop()
        first = index * self._lanes
        t = self._tables
        t.conns[index] = 0
        t.conns[index, layout.FRAME_MAX] = FRAME_MAX
        t.lanes[first : first + self._lanes] = 0
        t.lanes[first : first + self._lanes, layout.OLDEST] = 1
        t.ring[first : first + self._lanes] = 0
        lanes = [Lane(row, 0, "", producing=False) for row in range(first, first + self._lanes)]
        return Peer091(t, index, lanes, stream)

    def forget(self, connection: PeerConnection) -> None:
        """Use the place of a connection again."""
        self._free.append(connection.index)


def open_host(connections: int, lanes: int, size: int) -> _Host:
    """Make the tables for so many connections with so many channels each, and bodies of `size` bytes."""
    return _Host(connections, lanes, size)
