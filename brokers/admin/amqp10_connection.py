"""One AMQP 1.0 connection beside a measurement: Proton's engine on our own socket, each wait bounded.

The engine has neither socket nor clock, so that TLS, SASL and patience are ours and speak
the words of every other admin. There is no reconnecting, and no thread: bytes move while
a call waits. Sections are those of AMQP 1.0 part 2 (https://docs.oasis-open.org/amqp/core/v1.0/).
"""

import contextlib
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any

from proton import Collector, Connection, Endpoint, Event, Terminus, Transport, TransportException

from brokers import sasl10, tls
from brokers.admin.amqp10_conditions import condition_words, refused
from brokers.admin.base import (
    Address,
    AdminError,
    LoginRefusedError,
    OtherProtocolError,
    SilentError,
    TlsRefusedError,
    UnreachableError,
    VirtualHostRefusedError,
)
from brokers.admin.handshake import connected

HANDSHAKE_TIMEOUT_S = 6.0
"""For all of SASL and open."""
ANSWER_TIMEOUT_S = 5.0
"""How long any one frame may stay unanswered; a frozen broker keeps its connections open for ever."""
DETACH_TIMEOUT_S = 2.0
_READ_BYTES = MAX_FRAME = 64 * 1024
_FAILED = "amqp:connection-establishment-failed"
"""Property of an open frame that a close follows (ActiveMQ Classic and Artemis)."""


_UNAUTHORIZED = "amqp:unauthorized-access"


class Amqp10Connection:
    """An open connection; not for several threads at once.

    Attributes:
        amqp: Proton's connection.
        transport: Proton's transport.
        cipher: what TLS agreed on, or nothing.
    """

    def __init__(self, address: Address, hostname: str | None) -> None:
        """Connect, log in, open.

        Args:
            address: where, and as whom.
            hostname: of the open frame (2.7.1); None = not sent.

        Raises:
            UnreachableError, TlsRefusedError, SilentError, LoginRefusedError, VirtualHostRefusedError: each says why.
        """
        self._hostname, self._tls = hostname, address.tls
        self._lost, self._bound = "", False
        self._detached: set[str] = set()
        self._sasl = sasl10.SaslClient(address.sasl, address.username, address.password)
        self._socket = connected(address)
        agreed = self._socket.cipher() if isinstance(self._socket, ssl.SSLSocket) else None
        self.cipher = f"{agreed[1]} {agreed[0]}" if agreed else ""
        self.amqp, self.transport, self._collector = Connection(), Transport(), Collector()
        try:
            deadline = time.monotonic() + HANDSHAKE_TIMEOUT_S
            self._open(self._log_in(deadline), deadline)
        except BaseException:
            self.drop()
            raise

    def is_open(self) -> bool:
        """Return whether it was open when bytes last moved."""
        return not self._lost

    def look(self) -> bool:
        """Take what has come, send what is due, wait for nothing; return whether the connection still stands."""
        with contextlib.suppress(AdminError):
            self._write(time.monotonic() + ANSWER_TIMEOUT_S)
            while not self._lost and self._read(0.0):
                pass
            if not self._lost:
                self._write(time.monotonic() + ANSWER_TIMEOUT_S)
        return not self._lost

    def wait(self, done: Callable[[], bool], what: str, within_s: float | None = None) -> None:
        """Move bytes until something is so.

        Args:
            done: asked after each read.
            what: what is awaited, for people, as in "it did not answer attach".
            within_s: patience; by default that of one answer.

        Raises:
            SilentError: it did not come in time.
            UnreachableError: the connection ended meanwhile.
        """
        within_s = ANSWER_TIMEOUT_S if within_s is None else within_s
        if not self._moved(done, time.monotonic() + within_s):
            message = f"it did not answer {what} within {within_s:g} s"
            raise SilentError(message)

    def session(self) -> Any:
        """Return an open session (2.7.2)."""
        session = self.amqp.session()
        session.open()
        self.wait(lambda: bool(session.state & (Endpoint.REMOTE_ACTIVE | Endpoint.REMOTE_CLOSED)), "begin")
        self._unless_ended(session)
        return session

    def attach(self, link: Any) -> None:
        """Open a link whose termini are set (2.6.3), and wait for the broker's own attach.

        Raises:
            RefusedError: the broker refuses it, by a detach or by the end of the session.
        """
        link.open()
        own = "remote_target" if link.is_sender else "remote_source"

        def answered() -> bool:
            # An attach without a terminus is a refusal: a detach follows with the reason.
            open_ = link.state & Endpoint.REMOTE_ACTIVE and getattr(link, own).type != Terminus.UNSPECIFIED
            return bool(open_) or self._has_ended(link)

        self.wait(answered, "attach")
        self.unless_refused(link)

    def unless_refused(self, link: Any) -> None:
        """Raise RefusedError where the broker has ended a link or its session."""
        if link.name in self._detached or link.state & Endpoint.REMOTE_CLOSED:
            raise refused(link.remote_condition)
        self._unless_ended(link.session)

    def await_on(self, link: Any, done: Callable[[], bool], what: str, within_s: float | None = None) -> None:
        """Wait as `wait` does, for something on a link; raise RefusedError where that ends first."""
        came = False

        def known() -> bool:
            nonlocal came
            came = came or done()
            return came or self._has_ended(link)

        self.wait(known, what, within_s)
        if not came:
            self.unless_refused(link)

    def detach(self, link: Any) -> bool:
        """Close a link; return whether its session still stands and the broker agreed in time."""
        link.close()
        with contextlib.suppress(AdminError):
            self.wait(lambda: self._has_ended(link), "detach", DETACH_TIMEOUT_S)
            return self.stands(link.session)
        return False

    def stands(self, session: Any) -> bool:
        """Return whether the broker has not ended a session."""
        return not self._lost and not session.state & Endpoint.REMOTE_CLOSED

    def close(self) -> None:
        """Close with the closing handshake where the broker answers it."""
        if not self._lost:
            self.amqp.close()
            with contextlib.suppress(AdminError):
                self.wait(lambda: False, "close")  # ends as its close comes, which is the end of the connection
        self.drop()

    def drop(self) -> None:
        """Close the socket without a word."""
        self._lost = self._lost or "it was closed"
        self._socket.close()
        if self._bound:
            self._bound = False
            self.transport.unbind()

    def _has_ended(self, link: Any) -> bool:
        closed = (link.state | link.session.state) & Endpoint.REMOTE_CLOSED
        return bool(closed) or link.name in self._detached

    @staticmethod
    def _unless_ended(session: Any) -> None:
        if session.state & Endpoint.REMOTE_CLOSED:
            raise refused(session.remote_condition)

    def _log_in(self, deadline: float) -> bytes:
        """Do SASL; return the bytes that came behind it."""
        rest = b""
        while not self._sasl.done:
            try:
                self._transmit(bytes(self._sasl.output), deadline)
                self._sasl.output.clear()
                if self._sasl.done:
                    break
                data = self._receive(deadline - time.monotonic())
                if data is None:
                    raise _silent_handshake()
                if not data:
                    # A broker may end the connection instead of telling that a login failed.
                    kind = LoginRefusedError if self._sasl.chosen else UnreachableError
                    message = "it closed the connection while we logged in"
                    raise kind(message)
                rest = self._sasl.feed(data)
            except sasl10.NotSaslError as error:
                raise OtherProtocolError(str(error)) from error
            except sasl10.SaslRefused as error:
                raise LoginRefusedError(str(error)) from error
        return rest

    def _open(self, came: bytes, deadline: float) -> None:
        amqp = self.amqp
        amqp.collect(self._collector)
        amqp.container = f"busbench-admin-{uuid.uuid4()}"
        if self._hostname is not None:
            amqp.hostname = self._hostname
        self.transport.max_frame_size = MAX_FRAME
        self.transport.bind(amqp)
        self._bound = True
        amqp.open()
        self._take(came)
        asked = "is there such a virtual host?" if self._hostname is None else f"hostname {self._hostname!r}"

        def opened() -> bool:
            return bool(amqp.state & Endpoint.REMOTE_ACTIVE) and _FAILED not in (amqp.remote_properties or {})

        try:
            if not self._moved(opened, deadline):
                raise _silent_handshake()
        except UnreachableError as error:
            # RabbitMQ refuses a virtual host by closing the socket, others by close.
            said = self.amqp.remote_condition
            if said is not None and said.name == _UNAUTHORIZED and "host" not in str(said.description):
                # Artemis offers ANONYMOUS to all, and refuses the user here.
                raise LoginRefusedError(condition_words(said)) from error
            message = f"in answer to the open frame ({asked}): {error}"
            raise VirtualHostRefusedError(message) from error

    def _moved(self, done: Callable[[], bool], deadline: float) -> bool:
        """Move bytes until something is so; return False where time ran out."""
        while True:
            self._write(deadline)
            if self._lost:
                raise UnreachableError(self._lost)
            if done():
                return True
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self._read(left_s)

    def _write(self, deadline: float) -> None:
        self.transport.tick(time.monotonic())
        while (pending := self.transport.pending()) > 0:
            data = self.transport.peek(pending) or b""
            self._transmit(data, deadline)
            self.transport.pop(len(data))
        self._dispatch()

    def _read(self, within_s: float) -> bool:
        """Take what comes within that time; return whether anything came."""
        data = self._receive(within_s)
        if data is None:
            return False
        if data:
            self._take(data)
        else:
            self._lose("it closed the connection")
        self._dispatch()
        return True

    def _take(self, data: bytes) -> None:
        try:
            while data and (room := self.transport.capacity()) > 0:
                self.transport.push(data[:room])
                data = data[room:]
        except TransportException as error:
            self._lose(f"its bytes cannot be read: {error}")

    def _dispatch(self) -> None:
        while (event := self._collector.peek()) is not None:
            if event.type == Event.LINK_REMOTE_DETACH and event.link is not None:
                self._detached.add(event.link.name)
            elif event.type == Event.CONNECTION_REMOTE_CLOSE:
                self._lose(f"it closed the connection: {condition_words(self.amqp.remote_condition)}")
            elif event.type == Event.TRANSPORT_ERROR:
                self._lose(condition_words(self.transport.condition))
            self._collector.pop()

    def _transmit(self, data: bytes, deadline: float) -> None:
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            self._socket.sendall(data)
        except TimeoutError as error:
            message = "it takes no more bytes"
            self._lose(message)
            raise SilentError(message) from error
        except OSError as error:
            # What it said before it closed may still be there to be read, and tells more.
            with contextlib.suppress(AdminError):
                while self._bound and not self._lost and self._read(0.0):
                    pass
            raise self._broken(error) from error

    def _receive(self, within_s: float) -> bytes | None:
        """Return what came, nothing where the broker closed, None where time ran out."""
        try:
            self._socket.settimeout(max(0.0, within_s))
            return self._socket.recv(_READ_BYTES)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> AdminError:
        """Note that the socket failed; return the fault."""
        # TLS 1.3 lets a client finish its handshake before its certificate is refused.
        if isinstance(error, ssl.SSLError) and self._tls is not None and not self._sasl.done:
            self._lose(tls.failure(error, self._tls))
            return TlsRefusedError(self._lost)
        self._lose(f"the connection was lost: {tls.words(error)}")
        return UnreachableError(self._lost)

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why


def _silent_handshake() -> SilentError:
    return SilentError(f"it did not answer the AMQP 1.0 handshake within {HANDSHAKE_TIMEOUT_S:g} s")
