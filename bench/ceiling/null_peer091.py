"""The null peer's end of AMQP 0-9-1: it agrees to everything, confirms, drops, and delivers without end."""

from collections.abc import Callable, Sequence
from typing import Any

from pika import spec as amqp

from bench.ceiling.null_peer import PREFETCH_MOST, Delivering, Host, PeerConnection, new_context
from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.codec_tables import ring_span
from bench.drivers.wire.context import ROWS
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.wire091_frames import Frames091
from bench.drivers.wire.wire091_tables import FRAME_MAX, Tables091
from bench.wire import amqp091_layout as layout
from bench.wire import cursor as cursor_at
from bench.wire.amqp091_frames import delivery_prefix

_PREFIX_WIDTH = 512
_CONFIRM_BATCH = 1 << 20
_PROTOCOL_HEADER = 8
_CAPABILITIES = {"publisher_confirms": True, "basic.nack": True, "connection.blocked": True}

_ANSWERS: dict[type, Callable[[Any], Any]] = {
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
        self._greeted = 0
        self._prefetch = PREFETCH_MOST
        self.handlers = dict.fromkeys(_ANSWERS, self._answer)
        self.handlers |= {
            amqp.Connection.StartOk: self._on_start_ok,
            amqp.Connection.TuneOk: self._pass_over,
            amqp.Connection.Close: self._on_close,
            amqp.Channel.CloseOk: self._pass_over,
            amqp.Channel.FlowOk: self._pass_over,
            amqp.Confirm.Select: self._on_confirm,
            amqp.Basic.Qos: self._on_qos,
            amqp.Basic.Consume: self._on_consume,
        }
        tables.enter(index, self.lanes)

    def _scan(self, start: int, end: int) -> tuple[int, int, int]:
        """Take the protocol header off, then scan as ever."""
        if self._greeted < _PROTOCOL_HEADER:
            header = min(_PROTOCOL_HEADER - self._greeted, end - start)
            self._greeted += header
            start += header
            if self._greeted == _PROTOCOL_HEADER:
                properties = {"product": "busbench null peer", "capabilities": _CAPABILITIES}
                self.say(0, amqp.Connection.Start(server_properties=properties, mechanisms="PLAIN", locales="en_US"))
        return super()._scan(start, end)

    def _pass_over(self, _channel: int, _method: Any) -> None:
        """Nothing follows from it."""

    def _answer(self, channel: int, method: Any) -> None:
        if not getattr(method, "nowait", False):
            self.say(channel, _ANSWERS[type(method)](method))

    def _on_start_ok(self, _channel: int, _method: Any) -> None:
        self.say(0, amqp.Connection.Tune(len(self.lanes), FRAME_MAX, 0))

    def _on_close(self, _channel: int, _method: Any) -> None:
        """Say goodbye and wait until the client hangs up: what it still sends must find us."""
        self.consuming.clear()
        self.say(0, amqp.Connection.CloseOk())

    def _on_confirm(self, channel: int, method: Any) -> None:
        self.tables.lanes[self._row(channel), layout.ACK_BATCH] = _CONFIRM_BATCH
        if not method.nowait:
            self.say(channel, amqp.Confirm.SelectOk())

    def _on_qos(self, channel: int, method: Any) -> None:
        self._prefetch = min(method.prefetch_count or PREFETCH_MOST, PREFETCH_MOST)
        self.say(channel, amqp.Basic.QosOk())

    def _on_consume(self, channel: int, method: Any) -> None:
        tag = method.consumer_tag or f"ctag{channel}"
        if not method.nowait:
            self.say(channel, amqp.Basic.ConsumeOk(tag))
        row = self._row(channel)
        octets, tag_at = delivery_prefix(channel, tag, method.queue, self.context.spec.size)
        self.tables.enter_prefix(row, octets)
        self.tables.lanes[row, layout.TAG_AT] = tag_at
        window = 0 if method.no_ack else self._prefetch
        self.consuming.append(Delivering(self, row, lambda: self._free(row, window)))

    def _free(self, row: int, window: int) -> int:
        """Return how many messages a consumer with a window takes now; 0 = it acknowledges none."""
        lane = self.tables.lanes[row]
        if window:
            return window - int(lane[layout.IN_FLIGHT])
        lane[layout.IN_FLIGHT] = 0
        lane[layout.OLDEST] = lane[layout.PUBLISHED] + 1
        return PREFETCH_MOST

    def _row(self, channel: int) -> int:
        return self.first + channel - 1


class _Host091(Host):
    """Tables of all connections."""

    def __init__(self, connections: int, lanes: int, size: int) -> None:
        """Make them."""
        super().__init__(new_context(connections, size, "amqp091", cursor_at.CURSOR_WIDTH), lanes)
        rows = connections * lanes
        span = ring_span(min(PREFETCH_MOST, (1 << 22) // rows))
        state = layout.make_channel_tables(connections, rows, rows, span, rows * _PREFIX_WIDTH, FRAME_MAX)
        self._tables = Tables091(self.context, state, ROWS, _PREFIX_WIDTH)

    def connect(self, index: int, lanes: Sequence[Lane], stream: Stream) -> Peer091:
        """Return the broker's end of a connection whose rows, used or not, are as new."""
        t, first = self._tables, lanes[0].row
        t.conns[index] = 0
        t.conns[index, layout.FRAME_MAX] = FRAME_MAX
        t.lanes[first : first + len(lanes)] = 0
        t.lanes[first : first + len(lanes), layout.OLDEST] = 1
        t.state.ring[first : first + len(lanes)] = 0
        return Peer091(t, index, lanes, stream)


def open_host(connections: int, lanes: int, size: int) -> Host:
    """Make the tables for so many connections with so many channels each, and bodies of `size` bytes."""
    return _Host091(connections, lanes, size)
