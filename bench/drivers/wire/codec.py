"""What a compiled protocol gives to the port that drives it."""

from typing import Literal, Protocol

from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane
from bench.drivers.wire.context import WireContext
from bench.wire.octets import STAMP
from brokers.endpoint import Endpoint


class Codec(Protocol):
    """What a protocol gives to the port: its tables."""

    context: WireContext

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send: window, credit."""

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included."""

    def counters(self) -> dict[str, int]:
        """Return what the codec counted, by name."""


def nowhere(protocol: Literal["amqp091", "amqp10"]) -> tuple[PortSpec, Endpoint]:
    """Return a port that is never opened, of all that there can be: making its tables compiles everything."""
    endpoint = Endpoint(protocol, "", 0, "/", None, "", "")
    lanes = (ProducerLane(0, "q"),), (ConsumerLane(0, "q"),)
    return PortSpec(endpoint, *lanes, STAMP, confirm_window=1, ack_batch=1), endpoint
