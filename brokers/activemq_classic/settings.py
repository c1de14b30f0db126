"""What a scenario may ask of ActiveMQ Classic. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from brokers.settings import BrokerSettings


class ActiveMQClassicSettings(BrokerSettings):
    """Apache ActiveMQ Classic: store and JVM."""

    kind: Literal["activemq-classic"]
    """`activemq-classic`."""
    store: Literal["memory", "kahadb"] = "kahadb"
    """Store of durable messages; `memory` keeps none."""
    disk_sync: Literal["always", "periodic", "never"] = "always"
    """When KahaDB has its journal synchronised with the disk (journalDiskSyncStrategy): before each confirm, once a
    second, or when the kernel likes."""
    heap_share: Annotated[float, Field(gt=0.1, lt=0.9)] = 0.5
    """Share of the memory cap given to the Java heap; messages may fill half of the heap."""
