"""One TCP connection with one lane on it: what every driver over sockets has in common.

Here bytes are carried, and the end of a connection is put into words. A driver's own lanes know
what the bytes mean; `port` knows when to read or write.
"""

import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from bench.drivers.base import (
    ConnectionLost,
    ConsumerLane,
    DriverError,
    PortSpec,
    ProducerLane,
    Refused,
    Route,
    add_counts,
)
from bench.drivers.bodies import StampReader, stamp_reader
from bench.drivers.refusals import Disposition, Refusals
from bench.drivers.sockets.row_buffer import DeliveryRows, SettlementRows
from bench.drivers.sockets.stream import Stream
from bench.drivers.sockets.timers import Timers
from bench.host.clock import Clock
from bench.units import NS_PER_S
from brokers import tls
from brokers.endpoint import Endpoint

OUTPUT_LIMIT = 256 * 1024
"""Bytes a lane may have written and not yet handed to the kernel before it has no room."""

FLUSH_BYTES = 64 * 1024
"""Bytes gathered in a batch after which they are handed to the kernel within the batch."""

ACK_LINGER_NS = 10_000_000
"""Longest wait of a message for its acknowledgement after the last one came."""

OPEN_NS = 10 * NS_PER_S
"""Longest wait for connections that open side by side."""

OPENING_AT_ONCE = 64
"""Connections that open side by side: a broker's listen backlog is often 128, and beyond
it a connection waits a second for its SYN to be sent again."""

CLOSE_NS = 2 * NS_PER_S
"""Longest wait for the closing handshakes of a port."""

SLIPS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What a library raises, as Python's own faults, over octets that it did not expect."""
SILENT_END = "connection closed without a word"

_CONNECT_S = 10.0
_PROTOCOL_NAMES = {"amqp091": "AMQP 0-9-1", "amqp10": "AMQP 1.0"}


@dataclass
class Context:
    """What the lanes of one port share.

    Attributes:
        spec: what the port was asked for.
        endpoint: where the broker is.
        clock: time.
        timers: callbacks that `poll` makes when they are due.
        settlements: rows for the next `poll` to return.
        deliveries: rows for the next `poll` to return.
        failures: why lanes broke, oldest first.
        counters: what was counted, by name.
        buffer: what the socket last gave, for `Connection` to read into.
        watch_writable: tells the port that a connection waits, or waits no longer, for
            its socket to take more.
        held_ns: until when consumers take nothing, see `bench.drivers.base.HoldingPort`; 0 = they do.
        unstamp: reads the stamps of bodies.
        refusals: which deliveries consumers refuse.
    """

    spec: PortSpec
    endpoint: Endpoint
    clock: Clock
    timers: Timers = field(default_factory=Timers)
    settlements: SettlementRows = field(default_factory=SettlementRows)
    deliveries: DeliveryRows = field(default_factory=DeliveryRows)
    failures: list[DriverError] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    buffer: bytearray = field(default_factory=bytearray)
    watch_writable: "Callable[[Connection, bool], None]" = lambda _connection, _wanted: None
    held_ns: int = 0
    unstamp: StampReader = field(init=False)
    refusals: Refusals = field(init=False)

    def __post_init__(self) -> None:
        """Learn from the spec how deliveries are taken in."""
        self.unstamp = stamp_reader(compact=self.spec.compact)
        self.refusals = Refusals(self.spec)

    def take(self, lane: int, body: bytes | bytearray, now_ns: int, *, redelivered: bool) -> Disposition:
        """Note a delivery to a consuming lane, and return what the lane is to say of it."""
        stamped = self.unstamp(body, now_ns)
        if stamped is None:
            self.deliveries.foreign += 1
            return Disposition.ACCEPTED
        self.deliveries.add(lane, *stamped, now_ns, redelivered)
        return (
            self.refusals.of(stamped[0], stamped[1], redelivered=redelivered) if self.refusals else Disposition.ACCEPTED
        )

    @property
    def news(self) -> bool:
        """Whether there is something for `poll` to return."""
        return bool(self.settlements or self.deliveries or self.deliveries.foreign)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] = self.counters.get(name, 0) + by

    def counted(self, counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
        """Return what was counted, with what each connection's library counts added."""
        total = dict(self.counters)
        for one in counts:
            add_counts(total, one)
        return total


def is_ours(error: Exception) -> bool:
    """Return whether a fault of Python's was raised in our own code, so that it says nothing of a broker."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith("bench.")


def address(endpoint: Endpoint) -> str:
    """Return host and port as one word."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{host}:{endpoint.port}"


def connect(endpoint: Endpoint) -> socket.socket:
    """Return a connected socket, with TLS on it where asked, that neither blocks nor delays small writes.

    Raises:
        ConnectionLost: nobody answers at that address within 10 s.
        Refused: TLS failed; says what is wrong with whose certificate, or that it speaks none.
    """
    try:
        connected = socket.create_connection((endpoint.host, endpoint.port), timeout=_CONNECT_S)
    except OSError as error:
        raise unanswered(endpoint, error) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if endpoint.tls is not None:
        try:
            connected = tls.shake_hands(connected, endpoint.tls, endpoint.host)
        except tls.TlsError as error:
            raise untrusted(endpoint, error) from error
    connected.setblocking(False)  # noqa: FBT003  (positional only)
    return connected


def unanswered(endpoint: Endpoint, error: Exception) -> ConnectionLost:
    """Return the error that says that nothing could be connected to."""
    said = (isinstance(error, OSError) and error.strerror) or str(error) or "it did not answer in time"
    return ConnectionLost(f"no broker answers at {address(endpoint)}: {said}; is it running, is the port right?")


def untrusted(endpoint: Endpoint, why: object) -> Refused:
    """Return the error that says that there is no TLS with the broker."""
    return Refused(f"no TLS with the broker at {address(endpoint)}: {why}")


def departure(endpoint: Endpoint, stream: Stream, error: OSError | None = None) -> tuple[bool, str]:
    """Return whether a broker that went away has said no by it, and what to say of it.

    An alert of TLS is a word of the broker's. In TLS 1.3 a broker finds only after the
    handshake that we showed no certificate, and some hang up without an alert.

    Args:
        endpoint: where it is.
        stream: to it.
        error: what reading or writing raised; None where it closed the connection.
    """
    detail = SILENT_END if error is None else str(error)
    if isinstance(error, tls.TlsError):
        return True, detail
    if endpoint.tls is not None and endpoint.tls.cert_file is None and not stream.heard:
        return True, f"{detail}, right after the TLS handshake: does it want a client certificate?"
    return False, detail


def sender(producer: ProducerLane, route: Route | None) -> str:
    """Return how messages name a producing lane; without a route its queue is named behind it."""
    name = f"producer {producer.producer}"
    if route is None:
        return name
    return f"{name} to exchange {route.exchange!r}" if route.exchange else f"{name} to the default exchange"


def ending(kind: type[DriverError], endpoint: Endpoint, owner: str, queue: str, detail: str) -> DriverError:
    """Return the error that says how a lane ended: `Refused`, or lost."""
    verb = "refused" if kind is Refused else "dropped"
    return kind(
        f"broker at {address(endpoint)} {verb} {owner}{_of(queue)} over {_PROTOCOL_NAMES[endpoint.protocol]}: {detail}"
    )


def _of(queue: str) -> str:
    """Return words for the queue of a lane, which may have none."""
    return f" of queue {queue!r}" if queue else ""


def unopened(endpoint: Endpoint, owner: str, queue: str, waiting: str, limit_s: int) -> ConnectionLost:
    """Return the error that says that a broker opens nothing; `waiting` tells how many wait for it."""
    return ConnectionLost(
        f"broker at {address(endpoint)} took the connection but did not open {owner}{_of(queue)} within"
        f" {limit_s} s ({waiting} wait): it is overloaded or blocks, or it does not speak {endpoint.protocol} at this"
        " port"
    )


class Connection(ABC):
    """One connection, from connect to close.

    A subclass keeps what it wants written until `_write` is asked for it, sets `ready`
    when its lane is open and `closed` when the closing handshake is over.
    """

    def __init__(self, context: Context, owner: str, queue: str) -> None:
        """Connect; the protocol's handshake goes on in `fill` and `drain`.

        Args:
            context: what the lanes of the port share.
            owner: how messages name the lane, such as `producer 3`.
            queue: its queue.

        Raises:
            ConnectionLost: nobody answers.
            Refused: TLS failed.
        """
        self.context = context
        self.owner = owner
        self.queue = queue
        self.ready = False
        self.closed = False
        self._wants_writable = False
        self._connect()

    def _connect(self) -> None:
        """Connect a socket of ours; whose library does so overrides this and all that touches the stream."""
        self._stream = Stream(connect(self.context.endpoint))

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._stream.fileno()

    def unread(self) -> bool:
        """Return whether `fill` has something to read that no selector sees; see `Stream`."""
        return not self.closed and self._stream.pending()

    def counts(self) -> Mapping[str, int]:
        """Return what a library counted that does its own reading and writing."""
        return {}

    @abstractmethod
    def _read(self) -> None:
        """Receive once and act on it."""

    @abstractmethod
    def _write(self) -> bool:
        """Send what is pending; return whether all of it went out."""

    @abstractmethod
    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""

    def fill(self) -> None:
        """Receive once, act on it, and send what that gave rise to."""
        self._read()
        self.drain()

    def drain(self) -> None:
        """Send what is pending as far as the socket takes it."""
        waits = not self.closed and not self._write()
        if waits != self._wants_writable and not self.closed:
            self._wants_writable = waits
            self.context.watch_writable(self, waits)

    def abandon(self) -> None:
        """Close the socket, in any state."""
        self.closed = True
        self._stream.close()

    def refuse_or_lose(self, detail: str) -> None:
        """Record that the broker said no: a refusal while opening, a loss afterwards."""
        self._fail(ConnectionLost if self.ready else Refused, detail)

    def lose(self, detail: str) -> None:
        """Record that the connection broke."""
        self._fail(ConnectionLost, detail)

    def end(self, error: DriverError) -> None:
        """Record why it is closed, where it was not before."""
        if not self.closed:
            self.closed = True
            self.context.failures.append(error)

    def _fail(self, kind: type[DriverError], detail: str) -> None:
        self.end(ending(kind, self.context.endpoint, self.owner, self.queue, detail))

    def _receive(self, limit: int) -> bytes:
        """Return at most so many bytes that have come; empty where there are none."""
        buffer = self.context.buffer
        if len(buffer) < limit:
            self.context.buffer = buffer = bytearray(limit)
        with memoryview(buffer) as view:
            try:
                got = self._stream.recv_into(view[:limit])
            except OSError as error:
                self._depart(error)
                return b""
            if got is None:
                return b""
            if not got:
                self._depart()
            self.context.count("bytes_in", got)
            return bytes(view[:got])

    def _transmit(self, data: bytes | bytearray | memoryview) -> int:
        """Return how many of these bytes the kernel took."""
        with memoryview(data) as view:
            try:
                sent = self._stream.send(view)
            except OSError as error:
                self._depart(error)
                return 0
        self.context.count("bytes_out", sent)
        return sent

    def _depart(self, error: OSError | None = None) -> None:
        refused, detail = departure(self.context.endpoint, self._stream, error)
        if refused:
            self.refuse_or_lose(detail)
        else:
            self.lose(detail)


class Producer(Connection):
    """A connection that sends."""

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect for producing lane `lane` of this worker."""
        self.lane = lane
        self.producer = producer.producer
        super().__init__(context, sender(producer, context.spec.route), producer.queue)

    @abstractmethod
    def room(self) -> int:
        """Return how many messages may be published now."""

    @abstractmethod
    def publish(self, seq: int, intended_ns: int) -> int:
        """Stamp and encode one message; return the time of the stamp, monotonic ns."""

    @abstractmethod
    def unwritten(self) -> int:
        """Return the bytes that the kernel has not yet been given."""


class Consumer(Connection):
    """A connection that receives and acknowledges."""

    def __init__(self, context: Context, lane: int, consumer: ConsumerLane) -> None:
        """Connect for consuming lane `lane` of this worker."""
        self.lane = lane
        self._unacknowledged = 0
        self._last_ns = 0
        self._lingers = False
        super().__init__(context, f"consumer {consumer.consumer}", consumer.queue)

    @abstractmethod
    def acknowledge(self) -> None:
        """Acknowledge all that was delivered and was not yet; leaves writing to `drain`."""

    def delivered(self, now_ns: int) -> None:
        """Count a message that wants an acknowledgement, and give it when a batch is full."""
        self._unacknowledged += 1
        self._last_ns = now_ns
        if self._unacknowledged >= self.context.spec.ack_batch and not self.context.held_ns:
            self._unacknowledged = 0
            self.acknowledge()
        elif not self._lingers:
            self._lingers = True
            self.context.timers.call_at(now_ns + ACK_LINGER_NS, self._linger)

    def settle_rest(self) -> None:
        """Acknowledge an unfinished batch; while the consumers rest, what came was not delivered yet."""
        if self._unacknowledged and not self.context.held_ns:
            self._unacknowledged = 0
            self.acknowledge()

    def _linger(self) -> None:
        """Acknowledge what has waited long enough with nothing new; else look again later."""
        # While the consumers rest, what came was not delivered yet.
        due_ns = max(self._last_ns, self.context.held_ns) + ACK_LINGER_NS
        self._lingers = not self.closed and self._unacknowledged > 0 and self.context.clock.now_ns() < due_ns
        if self._lingers:
            self.context.timers.call_at(due_ns, self._linger)
        elif not self.closed:
            self.settle_rest()
            self.drain()
