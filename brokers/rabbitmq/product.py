"""RabbitMQ as a product. What is written and run: `brokers.rabbitmq.config`."""

import dataclasses
from collections.abc import Iterator
from typing import ClassVar, cast

from brokers.admin.base import Address, Admin
from brokers.durability import DurabilityClass
from brokers.endpoint import ExchangeAddresses, Protocol
from brokers.entry_points import function
from brokers.product import Facts, Inquiry, Listener, Product, Program, Queue, Site
from brokers.rabbitmq import config, queue_types
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.settings import BrokerSettings
from brokers.topology import FlowNeeds, QueueKind, Topology

# Counted one message at a time: a quorum queue makes one fsync a message, a classic one one in a thousand.
PROMISES = {
    "classic": DurabilityClass.PROCESS,
    "durable-classic": DurabilityClass.PROCESS,
    "quorum": DurabilityClass.SYSTEM,
}
DENIED = "transient_nonexcl_queues"
"""The deprecated feature that is named where a server permits no transient queues."""

V1_PREFIX = "/amq/queue/"
"""Addresses of format v1 name a queue that is there so (https://www.rabbitmq.com/docs/3.13/amqp)."""
# https://www.rabbitmq.com/docs/amqp#target-address-v2: there the key is in the address, of the link or of each message.
V2_EXCHANGES = ExchangeAddresses("/exchanges/{exchange}", "/exchanges/{exchange}/{key}", "to", encoded=True)
V1_EXCHANGES = ExchangeAddresses("/exchange/{exchange}", "/exchange/{exchange}/{key}", "subject", encoded=True)
OF_4_0 = ("stable",)
"""Recipes of the image whose RabbitMQ is 4.0."""
BEFORE_4 = "RabbitMQ before 4.0: the plugin rabbitmq_amqp1_0"


class RabbitMQ(Product[RabbitMQSettings]):
    """RabbitMQ 4: both protocols at one port, 1.0 addresses of format v2."""

    kind: ClassVar[str] = "rabbitmq"
    title: ClassVar[str] = "RabbitMQ"
    short: ClassVar[str] = "RabbitMQ"
    summary: ClassVar[str] = "RabbitMQ: classic and quorum queues, AMQP 0-9-1 and 1.0"
    settings: ClassVar[type[BrokerSettings]] = RabbitMQSettings
    announced: ClassVar[str] = "rabbitmq"
    log: ClassVar = config.LOG
    parts: ClassVar[tuple[str, ...]] = ("rabbitmq-server", "erlang-base")
    ports: ClassVar[tuple[str, ...]] = ("amqp", "epmd", "dist")

    def listeners(self, settings: RabbitMQSettings) -> tuple[Listener, ...]:  # noqa: ARG002
        """See `Product`."""
        return (
            Listener("amqp091"),
            # https://www.rabbitmq.com/docs/amqp#virtual-hosts and #address-v2
            Listener("amqp10", hostname="vhost:{}", address_prefix="/queues/", exchanges=V2_EXCHANGES, advice=BEFORE_4),
        )

    def queue(self, settings: RabbitMQSettings, *, durable: bool) -> Queue:
        """See `Product`."""
        name = settings.durable_queue if durable else settings.transient_queue
        # A quorum queue is durable by nature; a transient workload on it is transient messages.
        kind = QueueKind(durable or name != "classic", {"x-queue-type": name.removeprefix("durable-")})
        return Queue(name, PROMISES[name], kind)

    def admin(self, settings: RabbitMQSettings, at: Address) -> Admin:  # noqa: ARG002
        """See `Product`."""
        return cast("Admin", function("brokers.admin.amqp091:Amqp091Admin")(at))

    def advice(self, settings: RabbitMQSettings, refusal: str, *, durable: bool) -> str:  # noqa: ARG002
        """See `Product`."""
        if DENIED not in refusal:
            return ""
        return (
            "use transient_queue = 'durable-classic' for this broker, which takes transient messages, or permit"
            f" {DENIED} there"
        )

    def topology_faults(self, settings: RabbitMQSettings, topology: Topology, protocol: Protocol) -> Iterator[str]:
        """See `Product`."""
        yield from super().topology_faults(settings, topology, protocol)
        for whose, queues in topology.alike():
            yield from (f"{whose}: {fault}" for fault in queue_types.faults(queues[0].kind))

    def flow_faults(
        self, settings: RabbitMQSettings, needs: FlowNeeds, protocol: Protocol
    ) -> Iterator[tuple[str, str]]:
        """See `Product`."""
        if needs.reply == "dynamic" and protocol == "amqp10" and settings.image in OF_4_0 and not settings.external:
            yield "reply", "'dynamic': over AMQP 1.0 RabbitMQ 4.0 names no nodes (dynamic sources): use 'queue'"

    def as_declared(self, settings: RabbitMQSettings, topology: Topology) -> Topology:
        """See `Product`; a queue that names no type gets that of the settings, where that type can be what it asks."""
        default = {durable: self.queue(settings, durable=durable).kind for durable in (False, True)}
        queues = (
            dataclasses.replace(one, kind=queue_types.typed(one.kind, default[one.kind.durable]))
            for one in topology.queues
        )
        return dataclasses.replace(topology, queues=tuple(queues))

    def dialect(self, listener: Listener, version: str) -> Listener:
        """See `Product`; before 4.0 the plugin rabbitmq_amqp1_0 knows addresses of format v1 alone."""
        major = version.partition(".")[0]
        if listener.protocol == "amqp10" and major.isdigit() and int(major) < 4:  # noqa: PLR2004
            return dataclasses.replace(listener, address_prefix=V1_PREFIX, exchanges=V1_EXCHANGES)
        return listener

    def asked(self, settings: RabbitMQSettings) -> dict[str, str]:
        """See `Product`."""
        return config.asked_anywhere(settings)

    def program(self, settings: RabbitMQSettings, site: Site) -> Program:
        """See `Product`."""
        return Program(
            files=config.files(settings, site),
            folders=("home", "data", "log"),
            # The wrapper in /usr/sbin insists on being root or the user rabbitmq.
            argv=(str(site.newest("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")),),
            environment=config.environment(settings, site),
            main="beam.smp",
        )

    def observe(self, settings: RabbitMQSettings, running: Inquiry) -> Facts:
        """See `Product`."""
        return Facts(
            product=self.title,
            version=running.admin.peer_property("version"),
            runtime=config.runtime(running.log()),
            asked=config.asked(settings),
            reported=config.answer(running.run(config.inquiry(), config.environment(settings, running.site))),
        )


PRODUCT = RabbitMQ()
