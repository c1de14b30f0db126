"""AMQP 0-9-1 frames on a connection of the relay: octets into whole frames, methods and content into octets."""

import struct
from abc import abstractmethod
from typing import Any

import pika.frame

from bench.ceiling.relay_queues import RelayClient

HEADER = b"AMQP\0\0\x09\x01"
FRAME_MAX = 131_072
METHOD, CONTENT, BODY, HEARTBEAT = 1, 2, 3, 8
"""Types of frames (AMQP 0-9-1 specification, 4.2.3)."""
BASIC = 60
FRAME = struct.Struct(">BHI")
"""Type, channel and size; the payload and an end octet follow."""
END = b"\xce"
SIZES = struct.Struct(">HHQ")
"""What a content header begins with: class, weight, octets of the body; flags and properties follow."""
FRAMING = FRAME.size + len(END)


class ConnectionFault(Exception):  # noqa: N818  (the field's own word is exception, of a connection or channel)
    """What a client did costs its connection; arguments are the reply code and text."""


class Frames(RelayClient):
    """One client, as frames.

    Attributes:
        frame_max: octets of the longest frame that it takes.
    """

    frame_max = FRAME_MAX

    def write(self, octets: bytes) -> None:
        """Let octets be written by the next `flush`."""
        self.output += octets
        self.store.dirty.add(self)

    def say(self, channel: int, method: Any) -> None:
        """Send a method."""
        self.write(pika.frame.Method(channel, method).marshal())

    def write_content(self, channel: int, properties: bytes, body: bytes) -> None:
        """Send the frames that follow a method with content."""
        header = FRAME.pack(CONTENT, channel, SIZES.size + len(properties)) + SIZES.pack(BASIC, 0, len(body))
        parts, most = [header, properties, END], self.frame_max - FRAMING
        for at in range(0, len(body), most):
            part = body[at : at + most]
            parts += (FRAME.pack(BODY, channel, len(part)), part, END)
        self.write(b"".join(parts))

    def take_frames(self, data: bytes) -> bytes:
        """Act on every whole frame; return the rest.

        Raises:
            ConnectionFault: these are no frames, or what they ask for costs the connection.
        """
        at = 0
        while (stop := self._frame_end(data, at)) and not self._transport.is_closing():
            self._act(data, at, stop)
            at = stop
        return data[at:]

    @abstractmethod
    def _act(self, data: bytes, at: int, stop: int) -> None:
        """Act on the frame from `at` to `stop`."""

    def _frame_end(self, data: bytes, at: int) -> int:
        """Return where the frame at `at` ends; 0 where it is not whole."""
        if len(data) - at < FRAMING:
            return 0
        size = FRAME.unpack_from(data, at)[2]
        if size > FRAME_MAX:
            raise ConnectionFault(501, f"FRAME_ERROR - a frame of {size} octets, beyond {FRAME_MAX}")
        stop: int = at + size + FRAMING
        if stop > len(data):
            return 0
        if data[stop - 1] != END[0]:
            raise ConnectionFault(501, "FRAME_ERROR - a frame has no end")
        return stop
