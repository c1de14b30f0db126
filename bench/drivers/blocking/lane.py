"""Lanes over client libraries that own their sockets and block: what all of them have in common.

Here are stamps, acknowledgement in batches, and messages for the end of a connection. A driver's
own lanes know what to ask of the library; `port` knows when to ask. Drivers of other packages build on
these classes; docs/drivers.md shows how.
"""

import select
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from bench.arrivals import stamp
from bench.drivers.base import ConnectionLost, ConsumerLane, DriverError, Outcome, ProducerLane, Refused
from bench.drivers.bodies import Bodies
from bench.drivers.sockets.connection import ACK_LINGER_NS, Context, ending, unanswered
from bench.drivers.sockets.timers import NEVER_NS

PATIENCE_S = 5.0
"""Longest wait in a library, such as for a confirm: a worker silent for 10 s counts as stuck."""

_BURST_BYTES = 4096
"""Sent at once without confirms: surely fits into the part of a socket's buffer that "writable" promises."""


def only_plain(context: Context, driver: str) -> None:
    """Refuse what a driver's use of its library leaves out: TLS, and logins other than by a password.

    Raises:
        Refused: the endpoint asks for either.
    """
    at = context.endpoint
    if at.tls is not None or at.sasl != "plain":
        message = f"driver {driver} speaks neither TLS nor another SASL mechanism than PLAIN: use another driver"
        raise Refused(message)


class BlockingLane(ABC):
    """One connection, from connect to close.

    Attributes:
        errors: what the library raises when a connection fails, OSError among it.
        blocked: the broker asked for silence (connection.blocked, channel.flow).
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    _descriptor: int

    def __init__(self, context: Context, owner: str, queue: str) -> None:
        """Connect and open; on failure nothing stays open.

        Args:
            context: what the lanes of the port share.
            owner: how messages name the lane, such as `producer 3`.
            queue: its queue.

        Raises:
            Refused: the broker said no.
            ConnectionLost: nobody answers, or the connection broke.
        """
        self.context = context
        self.owner = owner
        self.queue = queue
        self.blocked = False
        self._connected = self._opened = False
        try:
            with self.told():
                self.connect()
                self._connected = True
                self.open()
        except BaseException:
            self.abandon()
            raise
        self._opened = True

    @abstractmethod
    def connect(self) -> None:
        """Connect and authenticate, waiting at most `PATIENCE_S`; note the socket's `_descriptor`."""

    @abstractmethod
    def open(self) -> None:
        """Prove that the queue is there, and open what the lane is for."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when something has come."""
        return self._descriptor

    @abstractmethod
    def read(self) -> bool:
        """Act on one thing that has come, without waiting; return whether there was any."""

    def pending(self) -> bool:
        """Return whether the library holds what it has read and not handed over: its socket does not tell."""
        return False

    @abstractmethod
    def counts(self) -> Mapping[str, int]:
        """Return what the library counted."""

    @abstractmethod
    def say(self, error: Exception) -> str:
        """Return what one of `errors` means, with the broker's own code and text."""

    @abstractmethod
    def close(self) -> None:
        """Close gracefully, waiting at most a second; may raise one of `errors`."""

    @abstractmethod
    def abandon(self) -> None:
        """Close the socket in any state, also where `connect` failed."""

    def on_blocked(self, *_: object) -> None:
        """Note connection.blocked; a library calls this, with arguments that are ignored."""
        self.context.count("blocked_events")
        self.blocked = True

    def on_unblocked(self, *_: object) -> None:
        """Note connection.unblocked."""
        self.blocked = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the library raises into a DriverError that says who lost what."""
        try:
            yield
        except self.errors as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> DriverError:
        endpoint = self.context.endpoint
        if isinstance(error, OSError) and not self._connected:
            return unanswered(endpoint, error)
        refused = not self._opened and not isinstance(error, OSError)
        return ending(Refused if refused else ConnectionLost, endpoint, self.owner, self.queue, self.say(error))


class BlockingProducer(BlockingLane):
    """A lane that sends, and waits for each confirm: its window is 1, not that of the workload.

    Attributes:
        confirms: whether the workload wants them.
    """

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect for producing lane `lane` of this worker."""
        size = context.spec.size
        self.confirms = context.spec.confirm_window > 0
        self._lane = lane
        self._number = producer.producer
        self._bodies = Bodies(context.spec)
        self._burst = max(1, _BURST_BYTES // size)
        self._writable = select.poll()
        super().__init__(context, f"producer {producer.producer}", producer.queue)
        self._writable.register(self.fileno(), select.POLLOUT)

    @abstractmethod
    def deliver(self, body: bytes) -> Outcome:
        """Publish a message; where `confirms`, mandatory, and return what the broker said of it."""

    def room(self) -> int:
        """Return how many messages may be published now: one with confirms, else what surely fits."""
        if self.blocked or self.full():
            return 0
        return 1 if self.confirms else self._burst

    def full(self) -> bool:
        """Return whether the socket takes nothing at present."""
        return not self._writable.poll(0)

    def publish(self, seq: int, intended_ns: int) -> int:
        """Stamp and deliver one message; return the time of the stamp, monotonic ns."""
        now_ns = self.context.clock.now_ns
        sent_ns = now_ns()
        body = self._bodies.of(self._number, seq)
        stamp.pack_into(body, self._number, seq, intended_ns, sent_ns)
        with self.told():
            outcome = self.deliver(bytes(body))
        if self.confirms:
            self.context.settlements.add(self._lane, seq, outcome, now_ns())
        return sent_ns


class BlockingConsumer(BlockingLane):
    """A lane that receives and acknowledges.

    Attributes:
        automatic: messages need no acknowledgement.
        ack_due_ns: when an unfinished batch has waited long enough; `NEVER_NS` where there is none.
    """

    def __init__(self, context: Context, lane: int, consumer: ConsumerLane) -> None:
        """Connect for consuming lane `lane` of this worker."""
        self.automatic = context.spec.ack_batch == 0
        self.ack_due_ns = NEVER_NS
        self._lane = lane
        self._unacknowledged = 0
        super().__init__(context, f"consumer {consumer.consumer}", consumer.queue)

    @abstractmethod
    def acknowledge(self) -> None:
        """Acknowledge everything up to the last message that was delivered."""

    def delivered(self, body: bytes, *, redelivered: bool) -> None:
        """Take in a message that the library hands over, and acknowledge where a batch is full."""
        context = self.context
        now_ns = context.clock.now_ns()
        stamped = stamp.unpack(body)
        if stamped is None:
            context.deliveries.foreign += 1
        else:
            context.deliveries.add(self._lane, *stamped, now_ns, redelivered)
        if not self.automatic:
            self._unacknowledged += 1
            self.ack_due_ns = now_ns + ACK_LINGER_NS
            if self._unacknowledged >= context.spec.ack_batch:
                self.settle()

    def settle(self) -> None:
        """Acknowledge what was delivered and was not yet."""
        if self._unacknowledged:
            self._unacknowledged, self.ack_due_ns = 0, NEVER_NS
            with self.told():
                self.acknowledge()
