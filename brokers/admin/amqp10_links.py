"""Links of an admin over AMQP 1.0: how they are described, and requests with their answers."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from typing import Any

from proton import Data, Delivery, Link, Message, Terminus, symbol

from brokers.admin.amqp10_conditions import RefusedError, outcome_words
from brokers.admin.amqp10_connection import Amqp10Connection
from brokers.admin.base import SilentError

NOT_FOUND = "amqp:not-found"
REPLIES = 100
"""Credit of the receiver of replies."""
PURGED = 200
"""Messages that a purge asks for at a time."""
QUIET_S = 1.0
"""How long nothing must come from a node that holds nothing."""
_NUMBERS = itertools.count(1)
_PENDING = (0, Delivery.RECEIVED, Delivery.ACCEPTED)
"""States of a request that may still be answered (section 3.4); 0 = none yet."""


class Dialogue:
    """Requests and answers: a sender a node, one receiver for all."""

    def __init__(self, connection: Amqp10Connection, session: Any) -> None:
        """Ask for a node for the answers; raise AdminError where it is refused."""
        self._connection, self._session = connection, session
        self._senders: dict[str, Any] = {}
        self._ids = itertools.count(1)
        self._receiver = receiver(self._session, None)
        connection.attach(self._receiver)
        self._receiver.flow(REPLIES)

    def request(self, address: str, message: Message, within_s: float | None = None) -> Message:
        """See `Amqp10Admin.request`."""
        link = self._senders.get(address)
        if link is None:
            link = sender(self._session, address)
            try:
                self._connection.attach(link)
            except RefusedError:
                self._connection.detach(link)
                raise
            self._senders[address] = link
        what = f"a request to {address}"
        self._connection.await_on(link, lambda: link.credit > 0, what)
        message.reply_to = str(self._receiver.remote_source.address)
        message.id = message.correlation_id = f"{self._receiver.name} {next(self._ids)}"
        sent = link.send(message)
        answers: list[Message] = []

        def answered() -> bool:
            answers.extend(taken(self._receiver))
            if sent.remote_state not in _PENDING:
                error = f"the broker did not take the request: {outcome_words(sent)}"
                name = str(sent.remote.condition.name) if sent.remote.condition else ""
                raise RefusedError(error, name)
            return any(answer.correlation_id == message.id for answer in answers)

        self._connection.await_on(link, answered, what, within_s)
        sent.settle()
        return next(answer for answer in answers if answer.correlation_id == message.id)


def deliver_one(connection: Amqp10Connection, link: Any) -> None:
    """Send an empty message over an attached sender and return when it is accepted.

    Raises:
        RefusedError: it has another outcome.
        AdminError: no answer comes.
    """
    what = "a message"
    connection.await_on(link, lambda: link.credit > 0, what)
    sent = link.send(Message())
    connection.await_on(link, lambda: sent.remote_state not in (0, Delivery.RECEIVED), what)
    if sent.remote_state != Delivery.ACCEPTED:
        error = f"the broker did not take a message: {outcome_words(sent)}"
        raise RefusedError(error)
    sent.settle()


def sender(session: Any, address: str | None, *capabilities: str) -> Link:
    """Return a sender, not yet attached (section 3.5.4).

    Args:
        session: an open one.
        address: of the node; None leaves it out, which is for any node where the broker offers that
            (https://docs.oasis-open.org/amqp/anonterm/v1.0/).
        capabilities: that the node shall have.
    """
    link: Link = session.sender(f"busbench-{next(_NUMBERS)}")
    link.source.address = link.name
    if address is None:
        link.target.type = Terminus.TARGET
    else:
        link.target.address = address
    if capabilities:
        link.target.capabilities.put_array(False, Data.SYMBOL)  # noqa: FBT003  (not described)
        link.target.capabilities.enter()
        for capability in capabilities:
            link.target.capabilities.put_symbol(symbol(capability))
        link.target.capabilities.exit()
    return link


def receiver(session: Any, address: str | None, *, copies: bool = False) -> Link:
    """Return a receiver, not yet attached (section 3.5.3).

    Args:
        session: an open one.
        address: of the node; None asks for a node of the broker's choice that lives as long as the link.
        copies: asks for messages to be copied and not moved (distribution mode, 3.5.3).
    """
    link: Link = session.receiver(f"busbench-{next(_NUMBERS)}")
    if address is None:
        link.source.dynamic = True
    else:
        link.source.address = address
    if copies:
        link.source.distribution_mode = Terminus.DIST_MODE_COPY
    link.target.address = link.name
    return link


def taken(link: Any) -> Iterator[Message]:
    """Yield what came on a receiver, whole messages alone; each is accepted, settled and its credit renewed."""
    while _is_whole(link):
        message = Message()
        message.decode(_accepted(link))
        link.flow(1)
        yield message


def _accepted(link: Any) -> bytes:
    """Return the message that came, accepted and settled, in its encoding."""
    delivery = link.current
    encoded: bytes = link.recv(delivery.pending)
    link.advance()
    delivery.update(Delivery.ACCEPTED)
    delivery.settle()
    return encoded


def received(connection: Amqp10Connection, link: Any, most: int, within_s: float) -> list[Message]:
    """Return what a node hands out to a receiver, until these are `most` or nothing comes for QUIET_S.

    Raises:
        SilentError: messages still come when the time is up.
    """
    found: list[Message] = []
    asked = min(most, PURGED)
    link.flow(asked)
    deadline = time.monotonic() + within_s
    while len(found) < most and _came(connection, link, QUIET_S):
        _in_time(deadline, within_s)
        while _is_whole(link):
            found.append(Message())
            found[-1].decode(_accepted(link))
            if asked < most:
                link.flow(1)
                asked += 1
    return found


def _in_time(deadline: float, within_s: float) -> None:
    if time.monotonic() > deadline:
        message = f"it still hands out messages after {within_s:g} s"
        raise SilentError(message)


def browsed(connection: Amqp10Connection, link: Any) -> int:
    """Return 1 where a receiver of copies gets a message, 0 where none comes within QUIET_S.

    What came is released, so that nothing is lost where the broker moves messages all the same.
    """
    link.flow(1)
    if not _came(connection, link, QUIET_S):
        return 0
    delivery: Any = link.current
    delivery.update(Delivery.RELEASED)
    delivery.settle()
    return 1


def empty(connection: Amqp10Connection, link: Any, within_s: float) -> None:
    """Receive all that a node hands out to a receiver, until nothing comes for QUIET_S.

    Raises:
        SilentError: messages still come when the time is up.
    """
    link.flow(PURGED)
    deadline = time.monotonic() + within_s
    while _came(connection, link, QUIET_S):
        _in_time(deadline, within_s)
        while _is_whole(link):
            _accepted(link)
            link.flow(1)


def _came(connection: Amqp10Connection, link: Any, within_s: float) -> bool:
    """Return whether a whole message came in time.

    A drain would tell sooner that there is none; it breaks the session of RabbitMQ 3.10.
    """
    with contextlib.suppress(SilentError):
        connection.await_on(link, lambda: _is_whole(link), "flow", within_s)
    return _is_whole(link)


def _is_whole(link: Any) -> bool:
    return link.current is not None and link.current.readable and not link.current.partial
