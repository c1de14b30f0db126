"""What the way to a place costs without any broker: the model. Pure. `bench.run.path_probe` measures it."""

from pydantic import Field

from bench.results.base import Record


class BarePath(Record):
    """Round trips to a program in a place that sends back what it gets, over one TCP connection.

    A message goes twice over that way, from producer to broker and from there to its consumer: as often as a round
    trip does.
    """

    place: str
    """As scenarios name it."""
    options: dict[str, str] = Field(default_factory=dict)
    """What only that place understands."""
    brokers: tuple[str, ...]
    """Those of the scenario that were started there, by name."""
    ground: dict[str, str] = Field(default_factory=dict)
    """As of brokers, see `bench.results.records.BrokerRecord`."""
    size: int = 0
    """Bytes that went there and back each time."""
    rate: float = 0.0
    """Round trips a second that were begun; fewer where one took longer than its turn."""
    p50_ns: tuple[float, ...] = ()
    """Of each round, in which every path had its turn."""
    p99_ns: tuple[float, ...] = ()
    """The same."""
    cpu_us: tuple[float, ...] = ()
    """CPU time of the place's processes for a round trip, microseconds, of each round; empty where it is not known."""
    first_answer_s: float | None = None
    """From the start of the program until its first answer, seconds."""
    why_not: str = ""
    """Why nothing could be measured; empty where it was."""
