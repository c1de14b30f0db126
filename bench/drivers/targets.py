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
    several = len(keys) > 1
    try:
        found = [endpoint.destination(exchange, key, several=several) for key in keys]
    except ValueError as error:
        raise Refused(str(error)) from error
    first = found[0]
    if first.key_in == "subject":
        return first.address, tuple(Carried(subject=key) for key in keys)
    if first.key_in == "to":
        return None, tuple(Carried(to=one.to or "") for one in found)
    if several:
        message = (
            f"{endpoint.host}:{endpoint.port} takes one routing key a link over AMQP 1.0, not {len(found)}:"
            " let each producer have one key, or use AMQP 0-9-1"
        )
        raise Refused(message)
    return first.address, ()
