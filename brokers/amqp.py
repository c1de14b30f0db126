"""What every broker does over its control connection, started by us or by someone else."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator

from brokers.base import Broker, BrokerError, Facts
from brokers.control import Control, ControlError
from brokers.dialect import Address, Dialect
from brokers.endpoint import Endpoint, Protocol


def with_security(facts: Facts, at: Address, control: Control) -> Facts:
    """Return facts with how the broker is reached and logged in to: what was asked for, and what came of it."""
    asked = {"transport": "tcp" if at.tls is None else "tls", "sasl": at.sasl}
    cipher = control.cipher()
    # The connection stands: the broker took the one mechanism that we have.
    came = {"transport": "tls" if cipher else "tcp", "sasl": at.sasl} | ({"cipher": cipher} if cipher else {})
    return dataclasses.replace(facts, asked=facts.asked | asked, reported=facts.reported | came)


class AmqpBroker(Broker):
    """A broker known by a dialect, and by an address once it runs."""

    def __init__(self, name: str, dialect: Dialect) -> None:
        """Take what is known before it runs."""
        self.name = name
        self._dialect = dialect
        self._address: Address | None = None
        self._control: Control | None = None

    def _attach(self, address: Address, control: Control) -> None:
        """Take the address and an open control connection."""
        self._address, self._control = address, control

    def _detach(self) -> None:
        """Drop the control connection and forget the address.

        Without a closing handshake, which a broker that hangs would not answer.
        """
        if self._control is not None:
            self._control.drop()
        self._address = self._control = None

    def _attached(self) -> tuple[Address, Control]:
        if self._address is None or self._control is None:
            message = f"broker {self.name!r} is not running: {self.failure() or 'start it first'}"
            raise BrokerError(message)
        return self._address, self._control

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """See `Broker`."""
        return self._dialect.endpoint(protocol, self._attached()[0])

    def declare(self, queue: str, *, durable: bool) -> None:
        """See `Broker`; a queue of that name goes first, with whatever it held."""
        _, control = self._attached()
        try:
            control.delete(queue)
            control.declare(queue, self._dialect.queue(durable=durable))
        except ControlError as error:
            raise self._fault("declare", queue, error) from error

    def depth(self, queue: str) -> int:
        """See `Broker`."""
        _, control = self._attached()
        try:
            depth = control.depth(queue)
        except ControlError as error:
            raise self._fault("read the depth of", queue, error) from error
        if depth is None:
            message = f"broker {self.name!r} has no queue {queue!r}: declare it first"
            raise BrokerError(message)
        return depth

    def glance(self, queue: str) -> int | None:
        """See `Broker`."""
        try:
            return self._attached()[1].depth(queue)
        except (BrokerError, ControlError):
            return None

    @contextlib.contextmanager
    def idle_connections(self, count: int, within_s: float) -> Iterator[int]:
        """See `Broker`; they are control connections without a channel."""
        address, _ = self._attached()
        until_s = time.monotonic() + within_s
        opened: list[Control] = []
        try:
            with contextlib.suppress(ControlError):
                while len(opened) < count and time.monotonic() < until_s:
                    opened.append(Control(address))
                    opened[-1].open()
            yield sum(control.is_open() for control in opened)
        finally:
            for control in opened:
                control.drop()

    def delete(self, queue: str) -> None:
        """See `Broker`."""
        _, control = self._attached()
        try:
            control.delete(queue)
        except ControlError as error:
            raise self._fault("delete", queue, error) from error

    def _fault(self, what: str, queue: str, error: ControlError) -> BrokerError:
        return BrokerError(f"broker {self.name!r} cannot {what} the queue {queue!r}: {self._reason(error)}")

    def _reason(self, error: ControlError) -> str:
        """Return why a call failed, in words for the user."""
        return self.failure() or str(error)
