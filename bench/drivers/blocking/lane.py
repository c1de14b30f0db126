"""Lanes over client libraries that own their sockets and block: what all of them have in common.

Here are stamps, acknowledgement in batches, and messages for the end of a connection. A driver's
own lanes know what to ask of the library; `port` knows when to ask. Drivers of other packages build on
these classes; docs/drivers.md shows how.
"""

import os
import select
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, cast

from bench.drivers.base import ConnectionLost, ConsumerLane, DriverError, Outcome, ProducerLane, Properties, Refused
from bench.drivers.blocking.patience import PATIENCE_S, Patience
from bench.drivers.bodies import Bodies
from bench.drivers.message_keys import MessageKeys
from bench.drivers.message_properties import MessageProperties
from bench.drivers.refusals import Disposition
from bench.drivers.sockets.connection import (
    ACK_LINGER_NS,
    SLIPS,
    Context,
    ending,
    is_ours,
    sender,
    unanswered,
    unopened,
)
from bench.drivers.sockets.timers import NEVER_NS
from brokers.frame091 import NotAFrameError

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


class BlockingContext(Context):
    """What the lanes of one port share; it watches how long their calls take, until it is closed.

    Attributes:
        patience: with calls of a library.
    """

    def __init__(self, *given: Any) -> None:
        """Begin to watch."""
        super().__init__(*given)
        self.patience = Patience()

    def close(self) -> None:
        """Stop watching."""
        self.patience.end()


class BlockingLane(ABC):
    """One connection, from connect to close.

    Attributes:
        errors: what the library raises when a connection fails, OSError among it.
        silences: what of it means that the broker did not answer in time.
        patience_s: longest wait for a lane to open, seconds.
        blocked: the broker asked for silence (connection.blocked, channel.flow).
        gave_up: a call took so long that it was hung up on the broker.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    silences: ClassVar[tuple[type[Exception], ...]] = (TimeoutError,)
    patience_s: ClassVar[float] = PATIENCE_S
    gave_up = False
    _descriptor = -1

    def __init__(self, context: Context, owner: str, queue: str) -> None:
        """Connect and open; on failure nothing stays open.

        Args:
            context: what the lanes of the port share.
            owner: how messages name the lane, such as `producer 3`.
            queue: its queue; empty where it has none.

        Raises:
            Refused: the broker said no.
            ConnectionLost: nobody answers, or the connection broke.
        """
        self.context = context
        self._patience = cast("BlockingContext", context).patience
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
        """Connect and authenticate; note the socket's `_descriptor` as soon as there is one."""

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

    def lost(self, error: Exception) -> bool:
        """Return whether one of `errors` means that the connection broke; else the broker said no."""
        return isinstance(error, OSError)

    @abstractmethod
    def close(self) -> None:
        """Close gracefully, waiting at most a second; may raise one of `errors`."""

    @abstractmethod
    def abandon(self) -> None:
        """Close the socket in any state, also where `connect` failed."""

    def give_up(self) -> None:
        """Hang up on the broker, so that the call that is running fails; called in another thread."""
        self.gave_up = True
        descriptor = self.fileno() if self._connected else self._descriptor
        if descriptor >= 0:
            # A copy: the library may close its own at any time.
            with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
                copy.shutdown(socket.SHUT_RDWR)

    def on_blocked(self, *_: object) -> None:
        """Note connection.blocked; a library calls this, with arguments that are ignored."""
        self.context.count("blocked_events")
        self.blocked = True

    def on_unblocked(self, *_: object) -> None:
        """Note connection.unblocked."""
        self.blocked = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the library raises into a DriverError that says who lost what; it takes `PATIENCE_S` at most."""
        patience = self._patience
        before, patience.running = patience.running, [self]
        try:
            yield
        except self.errors as error:
            raise self._failure(error) from error
        except NotAFrameError as error:
            raise self._lost(str(error)) from error
        except SLIPS as error:
            if is_ours(error):
                raise
            raise self._slip(error) from error
        finally:
            patience.running = before

    def _failure(self, error: Exception) -> DriverError:
        endpoint = self.context.endpoint
        if not self._connected and self._descriptor < 0 and isinstance(error, OSError):
            return unanswered(endpoint, error)
        if self.gave_up or (isinstance(error, self.silences) and not getattr(error, "errno", None)):
            if not self._opened:
                return unopened(endpoint, self.owner, self.queue, "1 lane", round(self.patience_s))
            return self._lost(f"it did not answer within {PATIENCE_S:g} s")
        refused = not self._opened and not self.lost(error)
        return ending(Refused if refused else ConnectionLost, endpoint, self.owner, self.queue, self.say(error))

    def _slip(self, error: Exception) -> DriverError:
        if self.gave_up:
            return self._failure(error)
        return self._lost(f"it sent what the library cannot take ({type(error).__name__}: {error})")

    def _lost(self, detail: str) -> DriverError:
        return ending(ConnectionLost, self.context.endpoint, self.owner, self.queue, detail)


class BlockingProducer(BlockingLane):
    """A lane that sends, and waits for each confirm: its window is 1, not that of the workload.

    Attributes:
        confirms: whether the workload wants them.
        exchange: where its messages go; empty is the default exchange.
        key: routing key of the message that is delivered.
        properties: what the library is told of that message's properties, see `described`.
    """

    key: str
    properties: Any

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect for producing lane `lane` of this worker."""
        size = context.spec.size
        self.confirms = context.spec.confirm_window > 0
        self._lane = lane
        self._number = producer.producer
        self._bodies = Bodies(context.spec)
        self._keys = MessageKeys(context.spec.route, producer)
        self.exchange = self._keys.exchange
        self._burst = max(1, _BURST_BYTES // size)
        self._writable = select.poll()
        super().__init__(context, sender(producer, context.spec.route), producer.queue)
        self._writable.register(self.fileno(), select.POLLOUT)
        self._properties_of = MessageProperties(context.spec.properties, self.described)

    @abstractmethod
    def deliver(self, body: bytes) -> Outcome:
        """Publish a message; where `confirms`, mandatory, and return what the broker said of it."""

    def described(self, properties: Properties) -> Any:
        """Return properties in the library's words; called once where all messages have the same."""
        return properties

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
        self.key = self._keys.of(seq)
        self.properties = self._properties_of.of(seq)
        sent_ns = now_ns()
        body = self._bodies.stamped(self._number, seq, intended_ns, sent_ns)
        with self.told():
            outcome = self.deliver(bytes(body))
        if self.confirms:
            self.context.settlements.add(self._lane, seq, outcome, now_ns())
        return sent_ns


class BlockingConsumer(BlockingLane):
    """A lane that receives and acknowledges.

    Attributes:
        automatic: messages need no acknowledgement.
        owned: how it declares its queue itself; None where that is there.
        accepted_tag: the last delivery tag that is acknowledged, of those that `tagged` was told of.
        ack_due_ns: when an unfinished batch has waited long enough; `NEVER_NS` where there is none.
    """

    def __init__(self, context: Context, lane: int, consumer: ConsumerLane) -> None:
        """Connect for consuming lane `lane` of this worker."""
        self.automatic = context.spec.ack_batch == 0
        self.ack_due_ns = NEVER_NS
        self.owned = consumer.owned
        self.accepted_tag = 0
        self._lane = lane
        self._unacknowledged = self._last_tag = 0
        self._refused: list[tuple[int, Disposition]] = []
        super().__init__(context, f"consumer {consumer.consumer}", consumer.queue)

    @abstractmethod
    def acknowledge(self) -> None:
        """Acknowledge everything up to the last message that was accepted: where none is refused, the last one."""

    def refuse(self, tag: int, *, requeue: bool) -> None:
        """Reject the message of a delivery tag, or give it back; of drivers whose shapes have `consuming`."""
        raise NotImplementedError

    def delivered(self, body: bytes, *, redelivered: bool) -> None:
        """Take in a message that the library hands over, and acknowledge where a batch is full."""
        context = self.context
        now_ns = context.clock.now_ns()
        disposition = context.take(self._lane, body, now_ns, redelivered=redelivered)
        if disposition is Disposition.ACCEPTED:
            self.accepted_tag = self._last_tag
        else:
            self._refused.append((self._last_tag, disposition))
        if not self.automatic:
            self._unacknowledged += 1
            self.ack_due_ns = now_ns + ACK_LINGER_NS
            if self._unacknowledged >= context.spec.ack_batch and not context.held_ns:
                self.settle()

    def tagged(self, tag: int) -> None:
        """Count a 0-9-1 delivery tag that is not above the one before it."""
        if tag <= self._last_tag:
            self.context.count("tags_repeated")
        self._last_tag = tag

    def settle(self) -> None:
        """Acknowledge what was delivered and was not yet; while the consumers rest, what came was not delivered."""
        if self._unacknowledged and not self.context.held_ns:
            refused, self._refused = self._refused, []
            accepts = self._unacknowledged > len(refused)
            self._unacknowledged, self.ack_due_ns = 0, NEVER_NS
            with self.told():
                for tag, disposition in refused:
                    self.refuse(tag, requeue=disposition is Disposition.REQUEUED)
                    self.context.count(disposition.value)
                if accepts:
                    self.acknowledge()
