"""What a compiled protocol gives to the port that drives it."""

from collections.abc import Sequence
from typing import Protocol

from bench.drivers.wire_connection import WireConnection
from bench.drivers.wire_context import WireContext
from bench.drivers.wire_lanes import Lane


class Codec(Protocol):
    """What a protocol gives to the port: its tables, and connections that use them."""

    context: WireContext

    def connect(self, index: int, lanes: Sequence[Lane]) -> WireConnection:
        """Open a connection with these lanes."""

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send: window, credit."""

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included."""

    def counters(self) -> dict[str, int]:
        """Return what the codec counted, by name."""
