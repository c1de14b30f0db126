"""The contract between the pump, which decides when, and a driver, which decides how.

One *port* a worker owns all its connections. A *lane* is one producer or one consumer:
lane numbers are those of `PortSpec.producers` and `PortSpec.consumers`, each counted from
0. Work passes in batches of int64 arrays, so that one Python call serves many messages.
Every array is one-dimensional, contiguous and writable (a row of a C-ordered table is),
as kernels were compiled for that before the first message; what the pump passes to a
driver is shared, so that a driver only reads it.
Nothing here opens a socket; each driver does so in a module of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.arrivals.body_content import BodyContent
from bench.arrivals.sizes import Sizes
from bench.arrivals.stamp import COMPACT_SIZE
from bench.arrivals.stamp import SIZE as STAMP_SIZE
from bench.host.clock import Clock
from brokers.endpoint import Endpoint
from brokers.plain_text import printable
from brokers.topology import Binding, QueueKind

Int64 = NDArray[np.int64]


class Outcome(IntEnum):
    """What a broker said about a message that was sent."""

    CONFIRMED = 1
    """0-9-1 basic.ack, 1.0 accepted."""
    REFUSED = 2
    """0-9-1 basic.nack, 1.0 rejected or modified."""
    RETURNED = 3
    """0-9-1 basic.return (unroutable), 1.0 released."""


class DriverError(Exception):
    """The broker or the network ended the work; the message says which and why, in text that is fit to be shown."""

    def __init__(self, message: str) -> None:
        """Escape what the broker wrote into the message."""
        super().__init__(printable(message))


class ConnectionLost(DriverError):  # noqa: N818  (the field's own word)
    """A connection, channel, session or link was closed by the other side, or broke."""


class Refused(DriverError):  # noqa: N818
    """The broker refused what was asked: credentials, virtual host, queue, permission."""


@dataclass(frozen=True)
class ProducerLane:
    """One producer: its number in the whole trial, which goes into stamps, and its queue.

    Attributes:
        producer: its number.
        queue: what it publishes to by the default exchange; empty where `PortSpec.route` says where messages go.
    """

    producer: int
    queue: str


@dataclass(frozen=True)
class ConsumerLane:
    """One consumer: its number in the whole trial and its queue.

    Attributes:
        consumer: its number.
        queue: what it consumes.
        owned: how it declares its queue itself, where that is exclusive: no other connection could use it.
        bindings: of a queue that it declares itself.
        reply: consumes what is answered to the requester of the same row; `queue` is a queue of its own, or a word of
            `ReplyAddress`.
    """

    consumer: int
    queue: str
    owned: "OwnedQueue | None" = None
    reply: bool = False


@dataclass(frozen=True)
class OwnedQueue:
    """A queue that only its consumer can declare.

    Attributes:
        kind: how it is declared.
        bindings: of it.
    """

    kind: QueueKind
    bindings: tuple[Binding, ...] = ()


class ReplyAddress:
    """Words in place of the name of a reply queue."""

    DIRECT = "amq.rabbitmq.reply-to"
    """0-9-1: RabbitMQ's direct reply-to (https://www.rabbitmq.com/docs/direct-reply-to): one channel requests and
    consumes, without acknowledgement."""
    DYNAMIC = ""
    """The broker names it: 1.0, a dynamic node (3.5.3, 3.5.4); 0-9-1, a queue declared exclusive without a name."""


@dataclass(frozen=True)
class Route:
    """Where the messages of a port go, where that is not a queue for each producer.

    Attributes:
        exchange: its name; empty is the default exchange.
        keys: routing keys.
        choice: which of them a message has, see `bench.arrivals.keys`.
    """

    exchange: str
    keys: tuple[str, ...]
    choice: Int64


@dataclass(frozen=True)
class Properties:
    """Properties of messages, by their names in AMQP 0-9-1 (over 1.0 what section 3.2 has in their place).

    In a text, `{seq}` stands for the sequence number, ten digits or more with leading zeros.

    Attributes:
        headers: name and value of each; over 1.0 application properties. A `{seq}` may stand in texts.
        priority: 0 to 255; None = not sent.
        expiration_ms: None = not sent; over 1.0 `ttl` of the header.
    """

    headers: tuple[tuple[str, str | int | bool], ...] = ()
    content_type: str = ""
    content_encoding: str = ""
    priority: int | None = None
    correlation_id: str = ""
    expiration_ms: int | None = None
    message_id: str = ""
    type: str = ""
    app_id: str = ""


@dataclass(frozen=True)
class Consuming:
    """What consumers ask for, beyond prefetch and acknowledgement.

    Attributes:
        arguments: of basic.consume, such as `x-priority` or `x-stream-offset`; over 1.0 filters of the source.
        exclusive: no other consumer may use the queue.
        reject: share of the deliveries that are rejected for good (basic.reject without requeue; 1.0: rejected), by a
            hash of the message.
        requeue: share of the first deliveries that are given back (basic.reject with requeue; 1.0: modified with
            delivery-failed).
    """

    arguments: tuple[tuple[str, str | int | bool], ...] = ()
    exclusive: bool = False
    reject: float = 0.0
    requeue: float = 0.0


@dataclass(frozen=True)
class PortSpec:
    """Everything a driver needs to know to open a port.

    Attributes:
        endpoint: where the broker is; None for the memory driver.
        producers: the producing lanes of this worker.
        consumers: the consuming lanes of this worker.
        size: bytes of each body, at most; the first are the stamp.
        durable: send persistent messages.
        confirm_window: unsettled messages a producing lane may have; 0 = none are asked
            for (0-9-1 without confirm.select, 1.0 pre-settled).
        prefetch: messages a consuming lane may hold unacknowledged.
        ack_batch: messages acknowledged at once; 0 = automatic (1.0: pre-settled).
        lanes_per_connection: lanes that share a connection, where the driver can (0-9-1: a
            channel each, 1.0: a link each).
        kernel_times: whether to take the kernel's time of what comes, where that can be had.
        gather_ns: how long `poll` may gather settlements and deliveries before it returns
            them, where nobody waits for them and there is room to send; each is stamped
            when it arrives all the same.
        wake_fd: an eventfd that ends `poll` early when readable; the port reads it empty.
        options: what only one driver understands, by name.
        mix: which size each body has, where it is not the same for all.
        route: where messages go, where it is not the queue of each producer.
        properties: of each message.
        body: what bodies hold behind the stamp.
        compact: stamps have the compact form.
        consuming: what consumers ask for.
        requests: each producing lane names where the consuming lane of its row takes replies (`reply-to`).
        reply_size: bytes of a reply, of a port that answers; 0 = this port answers nothing.
    """

    endpoint: Endpoint | None
    producers: tuple[ProducerLane, ...]
    consumers: tuple[ConsumerLane, ...]
    size: int
    durable: bool = False
    confirm_window: int = 256
    prefetch: int = 1_000
    ack_batch: int = 64
    lanes_per_connection: int = 1
    kernel_times: bool = False
    gather_ns: int = 0
    wake_fd: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    mix: Sizes | None = None
    route: Route | None = None
    properties: Properties = Properties()
    body: BodyContent = field(default_factory=BodyContent)
    compact: bool = False
    consuming: Consuming = Consuming()
    requests: bool = False
    reply_size: int = 0

    @property
    def stamp_size(self) -> int:
        """Bytes of a stamp."""
        return COMPACT_SIZE if self.compact else STAMP_SIZE

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that bodies have."""
        return (self.size,) if self.mix is None else self.mix.sizes


class Sends(NamedTuple):
    """Messages to be sent: rows of equal length.

    Attributes:
        lane: producing lane of this worker.
        seq: the lane's message number.
        intended_ns: when each is due, monotonic ns.
        sent_ns: when each was stamped, monotonic ns; written by who sends it.
    """

    lane: Int64
    seq: Int64
    intended_ns: Int64
    sent_ns: Int64


class Settlements(NamedTuple):
    """What brokers said of messages sent: rows of equal length, valid until the next `poll`.

    Attributes:
        lane: producing lane of this worker.
        seq: the lane's message number.
        outcome: an `Outcome`.
        at_ns: when the word came, monotonic ns; as `Deliveries.received_ns`.
    """

    lane: Int64
    seq: Int64
    outcome: Int64
    at_ns: Int64


class Deliveries(NamedTuple):
    """Messages received: rows of equal length, valid until the next `poll`.

    Attributes:
        lane: consuming lane of this worker.
        producer: the sender's number in the whole trial, from the stamp.
        seq: the sender's message number, from the stamp.
        intended_ns: when it was due, from the stamp.
        sent_ns: when it was sent, from the stamp.
        received_ns: when it came, monotonic ns: when the kernel had its last segment, where that is known, or else
            when it was read.
        redelivered: 1 where the broker marked it so (1.0: delivery-count > 0).
        foreign: bodies without our stamp that came in this poll (they are in no row).
        read_ns: when it was read, monotonic ns: after `received_ns` only where that is the kernel's time; None where
            messages are received when they are read.
    """

    lane: Int64
    producer: Int64
    seq: Int64
    intended_ns: Int64
    sent_ns: Int64
    received_ns: Int64
    redelivered: Int64
    foreign: int = 0
    read_ns: Int64 | None = None


class Port(Protocol):
    """An open worker's end of the broker."""

    def room(self) -> int:
        """Return how many messages it may take now without blocking.

        What bounds it is the broker's doing (credit, confirm window, socket, flow control,
        connection.blocked) or the workload's window. With several producing lanes it is
        the number that can be dealt in turn from the lane that is next: the smallest room
        of a lane times the number of lanes suffices.
        """

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """Stamp and send messages; all arrays have one length, at most `room()`.

        Returns the time each was stamped (`sent`), monotonic ns, in the same order.

        Raises:
            DriverError: see there.
        """

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Move bytes both ways; return at the first news or after `timeout_ns`.

        Also writes what is due: acknowledgements whose batch is full, or that have
        waited for 10 ms with nothing new, credit, heartbeats. A timeout of 0 never waits.

        Raises:
            DriverError: see there.
        """

    def counters(self) -> dict[str, int]:
        """Return what the driver counted, such as `blocked_events`, `flow_frames`, `bytes_out`."""

    def close(self) -> None:
        """Acknowledge what is pending and close gracefully; never raises DriverError."""


PATIENT = -1
"""Of `PlanningPort.send_planned`: for closed loops, in which nothing can be late."""

MOST_PLANNED = 4_096
"""Messages that `send_planned` is given at most: some may be settled before a caller knows they were sent."""


class PlanningPort(Port, Protocol):
    """A port that can send each of several messages at a time that was decided beforehand.

    Its driver says so: `bench.drivers.description.Driver.plans`.
    """

    def plans(self) -> bool:
        """Return whether it can do so now."""

    def send_planned(self, lane: Int64, seq: Int64, due_ns: Int64, until_ns: int, coalesce_ns: int) -> Int64:
        """Stamp and send messages when each is due; return by `until_ns`, or sooner.

        What comes meanwhile is kept for the next `poll`.

        Args:
            lane: as `Port.send`; there may be more messages than room.
            seq: as `Port.send`.
            due_ns: when each is due and intended, never decreasing; at once where that has passed.
            until_ns: when to return, monotonic ns.
            coalesce_ns: shortest time between two writes, unless messages are left over; or
                `PATIENT`: where there is no room, wait for it instead of returning.

        Returns the time each was stamped, for those that were sent, from the first on.

        Raises:
            DriverError: see there.
        """


class TimedPort(Port, Protocol):
    """A port that may know from the kernel when octets came.

    Its driver says so: `bench.drivers.description.Driver.kernel_times`.
    """

    def tells_times(self) -> bool:
        """Return whether it does, on all of its connections: where `PortSpec.kernel_times` asks for it, and it can."""


class HoldingPort(Port, Protocol):
    """A port that can let the rest go on while its consumers take nothing.

    Its driver says so: `bench.drivers.description.Driver.holds`. A broker is listened to all the while, so that its
    last words are heard. Only for consumers that acknowledge: what they may hold bounds what is read meanwhile.
    """

    def hold(self, until_ns: int) -> None:
        """Deliver nothing before an instant; what the consumers may hold is what they are given at once then.

        What was delivered before is acknowledged now, what comes meanwhile is not before it was
        delivered; it is received when it is delivered. An instant that has passed changes nothing.

        Raises:
            DriverError: see there.
        """


class ReplyingPort(Port, Protocol):
    """A port that answers requests: `PortSpec.reply_size` is not 0. Its driver says so: `Driver.replies`.

    What its consumers take are requests. The port learns where a requester wants its replies from the first request
    of that producer (`reply-to`); a reply to one of whom nothing is known is counted as `unanswerable`.
    """

    def reply(self, producer: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64) -> Int64:
        """Send replies whose stamps are those of their requests; all arrays have one length, at most `room()`.

        Replies are sent without confirms. With them `room()` tells how many replies fit; there are no producing lanes.

        Returns when each was sent, monotonic ns.

        Raises:
            DriverError: see there.
        """


class Opener(Protocol):
    """What a driver module offers: `open_port`."""

    def __call__(self, spec: PortSpec, clock: Clock) -> Port:
        """Open every connection and lane of a worker.

        Raises:
            DriverError: see there.
        """


VIOLATIONS = {
    "confirms_never_sent": "confirms of messages that were never sent",
    "confirms_again": "confirms of messages that were settled already",
    "confirms_beyond": "confirms of all up to a message that was never sent",
    "transfers_unasked": "transfers beyond the credit or window that it had",
    "tags_repeated": "delivery tags that were not above the one before",
}
"""Counters of what no broker may say, each with what it counts; only those that are not 0 are returned."""


LONGEST = "longest_"
"""How a counter begins that is the longest of several times, and no sum."""


def add_counts(total: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counters to counters."""
    for name, count in more.items():
        before = total.get(name, 0)
        total[name] = max(before, count) if name.startswith(LONGEST) else before + count


def empty_settlements() -> Settlements:
    """Return no rows."""
    none = np.empty(0, np.int64)
    return Settlements(none, none, none, none)


def empty_deliveries() -> Deliveries:
    """Return no rows."""
    none = np.empty(0, np.int64)
    return Deliveries(none, none, none, none, none, none, none)


def copied(settlements: Settlements, deliveries: Deliveries) -> tuple[Settlements, Deliveries]:
    """Return rows that stay valid after the next `poll`."""
    delivered = Deliveries._make(row.copy() if isinstance(row, np.ndarray) else row for row in deliveries)
    return Settlements(*(row.copy() for row in settlements)), delivered
