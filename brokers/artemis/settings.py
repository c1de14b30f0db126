"""What a scenario may ask of Artemis. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from brokers.settings import BrokerSettings


class ArtemisSettings(BrokerSettings):
    """Apache ActiveMQ Artemis: journal and JVM."""

    kind: Literal["artemis"]
    """`artemis`."""
    store: Literal["memory", "nio"] = "nio"
    """Journal of durable messages, by Java's own files; `memory` keeps none."""
    buffer_timeout_us: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Longest wait, in µs, of a durable message for others that share its write to disk (journal-buffer-timeout);
    by default Artemis's own, 3,333 µs."""
    heap_share: Annotated[float, Field(gt=0.1, lt=0.9)] = 0.5
    """Share of the memory cap given to the Java heap; messages may fill half of the heap. A quarter of the cap is
    direct memory."""
