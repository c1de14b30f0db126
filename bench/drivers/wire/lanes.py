"""Which lanes of a worker share a connection, and in which order the tables of a compiled codec hold them. Pure."""

from typing import NamedTuple

from bench.drivers.base import PortSpec


class Lane(NamedTuple):
    """One producer or consumer: its row in the port's tables, its number in the whole trial, its queue."""

    row: int
    number: int
    queue: str
    producing: bool

    @property
    def owner(self) -> str:
        """How messages name it."""
        return f"{'producer' if self.producing else 'consumer'} {self.number}"


def deal(spec: PortSpec) -> list[list[Lane]]:
    """Return the lanes of each connection: at most `lanes_per_connection`, producing and consuming ones apart.

    Rows are counted over the port, producing lanes first.
    """
    producers = [Lane(row, lane.producer, lane.queue, producing=True) for row, lane in enumerate(spec.producers)]
    consumers = [
        Lane(len(producers) + row, lane.consumer, lane.queue, producing=False)
        for row, lane in enumerate(spec.consumers)
    ]
    most = spec.lanes_per_connection
    return [lanes[first : first + most] for lanes in (producers, consumers) for first in range(0, len(lanes), most)]


def deal_pairs(spec: PortSpec) -> list[list[Lane]]:
    """Return the lanes of each connection of a port that requests: those that send, then those of their replies.

    At most `lanes_per_connection` pairs share one. Rows follow each other over all connections.
    """
    dealt: list[list[Lane]] = []
    for first in range(0, len(spec.producers), spec.lanes_per_connection):
        chosen = slice(first, first + spec.lanes_per_connection)
        named = [(lane.producer, lane.queue, True) for lane in spec.producers[chosen]]
        named += [(lane.consumer, lane.queue, False) for lane in spec.consumers[chosen]]
        dealt.append([Lane(2 * first + place, *one) for place, one in enumerate(named)])
    return dealt


def connections(spec: PortSpec) -> int:
    """Return how many connections `deal` makes."""
    return sum(-(-len(lanes) // spec.lanes_per_connection) for lanes in (spec.producers, spec.consumers))
