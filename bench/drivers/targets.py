"""How messages of a route are addressed over AMQP 1.0: by the link's target, or by properties of each message. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from bench.drivers.base import Refused
from brokers.endpoint import Endpoint


class Carried(NamedTuple):
    """What a message carries so that it goes where its key says; empty = not sent."""

    to: str = ""
    subject: str = ""


def targets(exchange: str, keys: Sequence[str], endpoint: Endpoint) -> tuple[str | None, tuple[Carried, ...]]:
    """Return the address of a link's target, and for each key what messages carry; none where the target says it all.

    Args:
        exchange: where messages go; empty is the default exchange.
        keys: those that messages of the link have.
        endpoint: what the broker makes of both.

    Raises:
        Refused: a link of that broker has one key alone.
    """
    found = [endpoint.destination(exchange, key) for key in keys]
    first = found[0]
    if first.key_in == "subject":
        return first.address, tuple(Carried(subject=key) for key in keys)
    if first.key_in == "address" and len(found) == 1:
        return first.address, ()
    if any(one.to is None for one in found):
        message = (
            f"{endpoint.host}:{endpoint.port} takes one routing key a link over AMQP 1.0, not {len(found)}:"
            f" give each flow one key, or use AMQP 0-9-1"
        )
        raise Refused(message)
    return first.address if first.key_in == "to" else None, tuple(Carried(to=one.to or "") for one in found)
