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


def connections(spec: PortSpec) -> int:
    """Return how many connections `deal` makes."""
    return sum(-(-len(lanes) // spec.lanes_per_connection) for lanes in (spec.producers, spec.consumers))
