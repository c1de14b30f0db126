"""What a scenario may ask of Broker-J. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from brokers.settings import BrokerSettings


class QpidBrokerJSettings(BrokerSettings):
    """Apache Qpid Broker-J: message store and JVM."""

    kind: Literal["qpid-broker-j"]
    """`qpid-broker-j`."""
    store: Literal["memory", "bdb", "derby"] = "bdb"
    """Message store of the virtual host; `memory` holds no durable message."""
    heap_share: Annotated[float, Field(gt=0.1, lt=0.9)] = 0.5
    """Share of the memory cap given to the Java heap; a quarter of the cap is direct memory."""
