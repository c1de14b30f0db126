"""What a trial cost, and what a broker costs that does nothing: the models. Pure.

Costs are ratios to messages, so they can be compared only at equal rates: the CPU time of an
idle JVM weighs more with few messages than with many. `bench.run.cost` computes them.
"""

from bench.results.base import Record


class SideCost(Record):
    """What one side cost in the measured part, its whole process tree; None where it cannot be known.

    CPU time and bytes of disk hold all that ended children used as well, and threads that ended. Switches are those of
    threads that lived when they were read, once a second: what shorter ones did is missing.
    """

    cpu_s_per_million: float | None
    """CPU seconds for a million messages received."""
    rss_peak: int | None
    """Bytes resident at most, over all processes (shared pages count in each)."""
    threads_peak: int | None
    """Threads at most, over all processes."""
    disk_read_per_message: float | None
    """Bytes fetched from block devices for each message received; what the page cache holds costs none, nor does tmpfs.
    """
    disk_written_per_message: float | None
    """Bytes sent towards block devices for each message received, counted when a page becomes dirty; the journal of the
    file system is not in it."""
    voluntary_switches_per_message: float | None
    """Context switches in which a thread waited for something."""
    involuntary_switches_per_message: float | None
    """Context switches in which the kernel took a thread from its CPU."""


class Cost(Record):
    """What a trial cost."""

    messages: int
    """Messages received within the measured part, by which both sides' costs are divided."""
    broker: SideCost
    client: SideCost
    data_peak: int | None
    """Bytes allocated in the broker's own folder at most in the measured part: data, logs and configuration."""
    wire_to_broker_per_message: float | None
    """Bytes that drivers wrote to sockets for each message sent, over the whole trial, acknowledgements and handshakes
    included; before TLS, where there is TLS. None where a driver does not count them."""
    wire_from_broker_per_message: float | None
    """The same of bytes that drivers read."""


class IdleCost(Record):
    """What a broker used while nobody used it, after its first start in a run; None where it cannot be known.

    Memory is what the resident set grew by, which moves in steps: a JVM takes memory for its heap ahead of need and
    gives nothing back at once, so that small figures, negative ones too, mean "no more than that".
    """

    seconds: float
    """Length of the window in which nothing was asked of it."""
    cpu_cores: float | None
    """Mean cores in use in that window; the kernel counts in steps of 10 ms, half a percent of 2 s."""
    rss: int | None
    """Bytes resident at its end, over all processes."""
    connections: int
    """Idle AMQP 0-9-1 connections that were then opened, with the broker's transport and login, without a channel."""
    bytes_per_connection: float | None
    """What the resident set grew by, for each."""
    queues: int
    """Empty queues that were then declared."""
    durable_queues: bool
    """Whether they were of the kind that the settings name for durable workloads."""
    bytes_per_queue: float | None
    """What the resident set grew by, for each."""
