"""What is declared on a broker for a trial: exchanges, queues, bindings. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ExchangeType = Literal["direct", "topic", "fanout", "headers"]
Argument = str | int | float | bool


@dataclass(frozen=True)
class Exchange:
    """An exchange, by the terms of AMQP 0-9-1 (3.1.3)."""

    name: str
    type: ExchangeType
    durable: bool = False


@dataclass(frozen=True)
class QueueKind:
    """What a queue is declared as.

    Attributes:
        durable: the queue outlives a restart.
        arguments: of queue.declare (0-9-1), or what the product's own admin understands.
        exclusive: only the connection that declares it may use it.
        auto_delete: it goes with its last consumer.
    """

    durable: bool
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    exclusive: bool = False
    auto_delete: bool = False


@dataclass(frozen=True)
class DeclaredQueue:
    """A queue and what it is declared as."""

    name: str
    kind: QueueKind


@dataclass(frozen=True)
class Binding:
    """What makes messages of an exchange go to a queue."""

    exchange: str
    queue: str
    key: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True)
class Topology:
    """Everything that is declared."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[DeclaredQueue, ...] = ()
    bindings: tuple[Binding, ...] = ()
