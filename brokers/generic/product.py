"""The two generic kinds. What they share: they are always run by someone else, and promise nothing."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal, cast

from brokers.admin.abilities import Abilities
from brokers.admin.base import Address, Admin
from brokers.endpoint import Protocol
from brokers.entry_points import function
from brokers.log_patterns import LogPatterns
from brokers.product import Listener, Product, Queue, S
from brokers.settings import BrokerSettings
from brokers.topology import QueueKind, Topology

NEVER = re.compile(r"(?!)")
"""Matches nothing: the log of a broker that someone else runs is not ours to read."""

COUNTLESS = (
    "How many messages lay on the broker when a trial ended: AMQP 1.0 has no way to ask, so a message that did not"
    " arrive in time cannot be told from one that was lost."
)
LEFT = "What becomes of the queues that were made there: AMQP 1.0 has no way to delete them."


class Amqp091Settings(BrokerSettings):
    """Any broker over AMQP 0-9-1, run by someone else."""

    kind: Literal["amqp091"]
    """`amqp091`."""
    place: str = "external"
    """`external`: it is never started by us."""
    transient_queue: Literal["transient", "durable"] = "transient"
    """The queue of workloads that are not durable; `durable` takes their transient messages where a broker permits no
    transient queues."""


class Amqp10Settings(BrokerSettings):
    """Any broker over AMQP 1.0, run by someone else."""

    kind: Literal["amqp10"]
    """`amqp10`."""
    place: str = "external"
    """`external`: it is never started by us."""


class GenericProduct(Product[S]):
    """A broker whose protocol alone is known."""

    log: ClassVar[LogPatterns] = LogPatterns(ready=NEVER, reasons=NEVER)
    starts: ClassVar[bool] = False

    def queue(self, settings: S, *, durable: bool) -> Queue:  # noqa: ARG002
        """See `Product`."""
        return Queue("durable" if durable else "transient", None, QueueKind(durable))


class Amqp091(GenericProduct[Amqp091Settings]):
    """Any broker over AMQP 0-9-1."""

    kind: ClassVar[str] = "amqp091"
    title: ClassVar[str] = "AMQP 0-9-1 broker"
    short: ClassVar[str] = "Broker"
    summary: ClassVar[str] = "any broker that speaks AMQP 0-9-1, at an address; what it can do is probed"
    settings: ClassVar[type[BrokerSettings]] = Amqp091Settings

    def listeners(self, settings: Amqp091Settings) -> tuple[Listener, ...]:  # noqa: ARG002
        """See `Product`; whether a broker has confirms is found by the probe, not by what it advertises."""
        return (Listener("amqp091", confirms_unadvertised=True),)

    def queue(self, settings: Amqp091Settings, *, durable: bool) -> Queue:
        """See `Product`."""
        return super().queue(settings, durable=durable or settings.transient_queue == "durable")

    def advice(self, settings: Amqp091Settings, refusal: str, *, durable: bool) -> str:
        """See `Product`."""
        if durable or settings.transient_queue == "durable" or "transient" not in refusal:
            return ""
        return "use transient_queue = 'durable' for this broker, a durable queue that takes transient messages"

    def as_declared(self, settings: Amqp091Settings, topology: Topology) -> Topology:
        """See `Product`; where no transient queues are permitted, all are durable."""
        queues = (
            replace(one, kind=replace(one.kind, durable=self.queue(settings, durable=one.kind.durable).kind.durable))
            for one in topology.dead_letters_first()
        )
        return replace(topology, queues=tuple(queues))

    def admin(self, settings: Amqp091Settings, at: Address) -> Admin:  # noqa: ARG002
        """See `Product`."""
        return cast("Admin", function("brokers.admin.amqp091:Amqp091Admin")(at))

    def probe(self, settings: Amqp091Settings, at: Address) -> Abilities | None:
        """See `Product`; who names queues may not be allowed to declare any."""
        declares = settings.external is None or not settings.external.queues
        return cast("Abilities", function("brokers.admin.probe:probe_amqp091")(at, declares=declares))


class Amqp10(GenericProduct[Amqp10Settings]):
    """Any broker over AMQP 1.0."""

    kind: ClassVar[str] = "amqp10"
    title: ClassVar[str] = "AMQP 1.0 broker"
    short: ClassVar[str] = "Broker"
    summary: ClassVar[str] = "any broker that speaks AMQP 1.0, at an address; what it can do is probed"
    settings: ClassVar[type[BrokerSettings]] = Amqp10Settings

    def listeners(self, settings: Amqp10Settings) -> tuple[Listener, ...]:
        """See `Product`; `hostname` is the peer's name unless a virtual host is given (AMQP 1.0 part 2, 2.7.1)."""
        host = settings.external.host if settings.external is not None else "localhost"
        return (Listener("amqp10", virtual_host=host, hostname="{}"),)

    def topology_faults(self, settings: Amqp10Settings, topology: Topology, protocol: Protocol) -> Iterator[str]:
        """See `Product`; AMQP 1.0 has neither exchanges nor arguments of queues."""
        yield from super().topology_faults(settings, topology, protocol)
        instead = "name the broker's own kind, or use AMQP 0-9-1 (kind = 'amqp091')"
        for exchange in topology.exchanges:
            yield f"exchange {exchange.name!r}: AMQP 1.0 has no way to declare one: {instead}"
        for whose, queues in topology.alike():
            kind = queues[0].kind
            asked = [*kind.arguments, *(["auto_delete"] if kind.auto_delete else [])]
            if asked:
                yield f"{whose}: {', '.join(asked)}: AMQP 1.0 has no way to declare a queue with that: {instead}"

    def admin(self, settings: Amqp10Settings, at: Address) -> Admin:  # noqa: ARG002
        """See `Product`."""
        return cast("Admin", function("brokers.admin.amqp10:Amqp10Admin")(at, at.virtual_host))

    def caveats(self, settings: Amqp10Settings) -> tuple[str, ...]:
        """See `Product`."""
        if settings.external is not None and settings.external.queues:
            return (COUNTLESS,)
        return (COUNTLESS, LEFT)

    def probe(self, settings: Amqp10Settings, at: Address) -> Abilities | None:
        """See `Product`."""
        named = settings.external.queues if settings.external is not None else ()
        node = named[0] if named else None
        return cast("Abilities", function("brokers.admin.probe:probe_amqp10")(at, at.virtual_host, node))


AMQP091, AMQP10 = Amqp091(), Amqp10()
