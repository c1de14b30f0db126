"""A connected socket that does not block, plain or TLS, with one way to read and write it.

Here is what differs between the two: where a call would block, where bytes hide, and how
an error reads. Making the connection is the business of `connection`, what the bytes mean
that of the drivers.
"""

import socket
import ssl

from brokers.tls import TlsError, words

_RECORD_BYTES = 16 * 1024
"""Most bytes of one TLS record (RFC 8446, section 5.1)."""

SO_TIMESTAMPNS = 35
"""socket(7): have recvmsg(2) tell when the kernel received something. Python's `socket` does not name it."""

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Stream:
    """Bytes to and from one broker.

    A selector sees the socket, not what TLS holds: after a read that filled its buffer,
    ask `pending` and read again where it says so, before waiting.

    Attributes:
        heard: something has come.
    """

    def __init__(self, connected: socket.socket) -> None:
        """Take a socket that is connected, does not block and, for TLS, has shaken hands."""
        self.heard = False
        self._socket = connected
        self._tls = connected if isinstance(connected, ssl.SSLSocket) else None
        self._ended = False
        self._error: OSError | None = None

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def pending(self) -> bool:
        """Return whether a read would give something even though the socket is not readable."""
        if self._tls is None:
            return False
        return self._ended or self._error is not None or self._tls.pending() > 0

    def tell_times(self) -> bool:
        """Have recvmsg(2) tell when the kernel received something; return whether it will. TLS reads records: never."""
        if self._tls is not None:
            return False
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        except OSError:
            return False
        return True

    def recv_into(self, buffer: memoryview) -> int | None:
        """Fill a buffer of bytes with what has come; return how many, None = would block, 0 = closed.

        Raises:
            TlsError: TLS ended with an alert or a fault.
            OSError: the connection broke; its text is for people.
        """
        try:
            got = self._socket.recv_into(buffer) if self._tls is None else self._recv_records(self._tls, buffer)
        except _WOULD_BLOCK:
            return None
        except OSError as error:
            raise _readable(error) from error
        self.heard = self.heard or got > 0
        return got

    def send(self, data: memoryview) -> int:
        """Send bytes from the front; return how many were taken, 0 = would block.

        What was not taken must be sent again as it was (more may follow it): TLS may
        have put it into a record already.

        Raises:
            TlsError: TLS ended with an alert or a fault.
            OSError: the connection broke; its text is for people.
        """
        sent = 0
        try:
            if self._tls is None:
                return self._socket.send(data)
            # One record a call, so that what is reported as taken is exactly what was.
            while sent < len(data):
                sent += self._tls.send(data[sent : sent + _RECORD_BYTES])
        except _WOULD_BLOCK:
            return sent
        except OSError as error:
            raise _readable(error) from error
        return sent

    def close(self) -> None:
        """Close the socket, in any state."""
        self._socket.close()

    def _recv_records(self, tls: ssl.SSLSocket, buffer: memoryview) -> int:
        """Read records until the buffer is full or nothing more has come.

        One read gives no more than one record, and some brokers make one of each frame.
        An end that follows bytes is kept for the next read.
        """
        if self._error is not None:
            raise self._error
        got = 0
        while got < len(buffer) and not self._ended:
            try:
                more = tls.recv_into(buffer[got:])
            except OSError as error:
                if not got:
                    raise
                if not isinstance(error, _WOULD_BLOCK):
                    self._error = error
                break
            self._ended = more == 0
            got += more
        return got


def _readable(error: OSError) -> OSError:
    """Return the error with a text for people."""
    return TlsError(words(error)) if isinstance(error, ssl.SSLError) else type(error)(words(error))
