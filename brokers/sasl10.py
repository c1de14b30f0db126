"""The client's part of SASL over AMQP 1.0: bytes in, bytes out, no socket.

Proton's own needs a plug-in of Cyrus SASL a mechanism, and takes EXTERNAL for possible
only where TLS is Proton's too. Here the three that brokers are measured with are a frame
each way (AMQP 1.0 part 5, section 5.3); Proton encodes and decodes the frames' bodies.
"""

from typing import Any

from proton import Data, DataException, Described, symbol, ulong

from brokers.admin.handshake import SASL_HEADER as HEADER
from brokers.endpoint import Sasl

_MECHANISMS, _INIT, _OUTCOME = 0x40, 0x41, 0x44
_NAMES = {
    _MECHANISMS: ("amqp:sasl-mechanisms:list", _MECHANISMS),
    _OUTCOME: ("amqp:sasl-outcome:list", _OUTCOME),
}
"""Descriptors of the frames that a broker sends, by either name."""
_LEAST, _MOST = 8, 4096
"""Bytes of a frame; the most is fixed, as nothing has been negotiated yet (2.8.2, MIN-MAX-FRAME-SIZE is 512)."""
_TYPE_SASL = 1
_REASONS = {1: "authentication failed", 2: "its system failed", 3: "its system failed for good", 4: "it failed for now"}


class SaslRefused(Exception):  # noqa: N818  (the field's own word)
    """The broker does not let us in by this mechanism, or speaks something else."""


class NotSaslError(SaslRefused):
    """What answers does not speak SASL over AMQP 1.0."""


class SaslClient:
    """One exchange.

    Attributes:
        output: bytes for the broker.
        chosen: we have named the mechanism and wait for the outcome.
        done: the broker let us in; AMQP's own header comes next.
    """

    def __init__(self, mechanism: Sasl, username: str = "", password: str = "") -> None:
        """Begin with the protocol header; only `plain` uses user name and password."""
        self.output = bytearray(HEADER)
        self.chosen = self.done = False
        self._mechanism = mechanism
        self._response = b"\x00".join((b"", username.encode(), password.encode())) if mechanism == "plain" else b""
        self._username = username
        self._input = bytearray()
        self._headed = False

    def feed(self, data: bytes) -> bytes:
        """Act on bytes that came; return those behind the exchange, once it is done.

        Raises:
            SaslRefused: the mechanism is not offered, the login failed, or this is no SASL.
        """
        self._input += data
        if not self._headed:
            head = bytes(self._input[: len(HEADER)])
            if not HEADER.startswith(head):
                message = f"it does not speak SASL over AMQP 1.0: it answered {head!r}"
                raise NotSaslError(message)
            if len(head) < len(HEADER):
                return b""
            self._headed = True
            del self._input[: len(HEADER)]
        while not self.done and (body := self._frame()) is not None:
            self._act(*_decoded(body))
        return bytes(self._input) if self.done else b""

    def _frame(self) -> bytes | None:
        """Take the body of the next frame out of the input; None where it is not whole."""
        if len(self._input) < _LEAST:
            return None
        size, offset, kind = int.from_bytes(self._input[:4], "big"), 4 * self._input[4], self._input[5]
        if not _LEAST <= offset <= size <= _MOST or kind != _TYPE_SASL:
            message = f"it sent no frame of SASL: {bytes(self._input[:_LEAST])!r}"
            raise NotSaslError(message)
        if len(self._input) < size:
            return None
        body = bytes(self._input[offset:size])
        del self._input[:size]
        return body

    def _act(self, descriptor: Any, fields: list[Any]) -> None:
        first = fields[0] if fields else None
        if descriptor in _NAMES[_MECHANISMS]:
            self._choose([str(name) for name in (first if isinstance(first, list) else [first]) if name is not None])
        elif descriptor in _NAMES[_OUTCOME]:
            self._conclude(first)
        else:
            message = f"it wants more than one step for SASL {self._mechanism.upper()} (frame {descriptor!r})"
            raise SaslRefused(message)

    def _choose(self, offered: list[str]) -> None:
        name = self._mechanism.upper()
        if name not in offered:
            message = f"it offers SASL {', '.join(offered) or 'nothing'} and not {name}"
            raise SaslRefused(message)
        data = Data()
        data.put_object(Described(ulong(_INIT), [symbol(name), self._response]))
        body = data.encode()
        self.chosen = True
        self.output += (_LEAST + len(body)).to_bytes(4, "big") + bytes((2, _TYPE_SASL, 0, 0)) + body

    def _conclude(self, code: Any) -> None:
        if code == 0 and code is not False:
            self.done = True
            return
        if self._mechanism == "plain" and code == 1:
            message = f"SASL PLAIN: wrong user name or password (user {self._username!r})"
        else:
            known = _REASONS.get(code) if isinstance(code, int) else None
            message = f"SASL {self._mechanism.upper()}: {known or f'outcome {code!r}'}"
        raise SaslRefused(message)


def _decoded(body: bytes) -> tuple[Any, list[Any]]:
    """Return descriptor and fields of a frame's body."""
    data = Data()
    try:
        if data.decode(body) == len(body):
            data.rewind()
            found = data.get_object() if data.next() is not None else None
            if isinstance(found, Described) and isinstance(found.value, list):
                return found.descriptor, [_plain(value) for value in found.value]
    except (DataException, ValueError, TypeError, OverflowError, RecursionError):  # the bindings check little
        pass
    message = f"it sent no frame of SASL: {body[:16]!r}"
    raise NotSaslError(message)


def _plain(value: Any) -> Any:
    """Return an array as a list of its elements."""
    return list(value.elements) if hasattr(value, "elements") else value
