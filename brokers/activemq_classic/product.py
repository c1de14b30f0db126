"""ActiveMQ Classic as a product. What is written and run: `brokers.activemq_classic.config`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from brokers.activemq_classic import config, facts, routing
from brokers.activemq_classic.settings import ActiveMQClassicSettings
from brokers.admin.base import Address, Admin
from brokers.endpoint import ExchangeAddresses, Protocol
from brokers.entry_points import function
from brokers.log_patterns import LogPatterns
from brokers.product import Facts, Inquiry, Listener, Product, Program, Queue, Site, nothing_kept
from brokers.settings import BrokerSettings
from brokers.topology import QueueKind, Topology

if TYPE_CHECKING:  # it loads Proton, which a list of products does not need
    from brokers.activemq_classic.admin import ActiveMQClassicAdmin

EXCHANGES = ExchangeAddresses(
    f"topic://{routing.topic('{exchange}')}", f"topic://{routing.topic('{exchange}', '{key}')}", "to"
)


class ActiveMQClassic(Product[ActiveMQClassicSettings]):
    """ActiveMQ Classic 5.17, over AMQP 1.0, which is all of AMQP that it speaks."""

    kind: ClassVar[str] = "activemq-classic"
    title: ClassVar[str] = config.PRODUCT
    short: ClassVar[str] = "ActiveMQ"
    summary: ClassVar[str] = "Apache ActiveMQ Classic: KahaDB, or no store, AMQP 1.0"
    settings: ClassVar[type[BrokerSettings]] = ActiveMQClassicSettings
    announced: ClassVar[str] = config.ANNOUNCED
    log: ClassVar[LogPatterns] = facts.LOG
    parts: ClassVar[tuple[str, ...]] = ("openjdk-", "apache-activemq")
    ports: ClassVar[tuple[str, ...]] = ("amqp", "http")

    def listeners(self, settings: ActiveMQClassicSettings) -> tuple[Listener, ...]:  # noqa: ARG002
        """See `Product`; it has no virtual hosts, and takes any hostname."""
        return (Listener("amqp10", virtual_host="", exchanges=EXCHANGES),)

    def queue(self, settings: ActiveMQClassicSettings, *, durable: bool) -> Queue:
        """See `Product`."""
        return Queue(settings.store, config.promise(settings), QueueKind(durable))

    def admin(self, settings: ActiveMQClassicSettings, at: Address) -> Admin:  # noqa: ARG002
        """See `Product`; of a broker that someone else runs the port of its management is not known."""
        name = "brokers.activemq_classic.admin:ActiveMQClassicAdmin" if at.ports else "brokers.admin.amqp10:Amqp10Admin"
        return cast("Admin", function(name)(at))

    def checks(self, settings: ActiveMQClassicSettings, durable: Iterable[str]) -> Iterator[tuple[str, str]]:
        """See `Product`."""
        yield from nothing_kept(settings.store, durable, "kahadb")
        if settings.store == "memory" and settings.disk_sync != "always":
            yield "disk_sync", f"{settings.disk_sync!r}: a store in memory has no disk: leave it out, or use kahadb"
        if settings.transport == "tls":
            yield "transport", "'tls': it reads keys from Java's own key stores, of which we make none: use 'tcp'"
        if settings.sasl == "anonymous" and settings.place != "external":
            yield "sasl", "'anonymous': its management asks for a password, and we declare queues by that: use 'plain'"

    def topology_faults(
        self, settings: ActiveMQClassicSettings, topology: Topology, protocol: Protocol
    ) -> Iterator[str]:
        """See `Product`."""
        yield from super().topology_faults(settings, topology, protocol)
        yield from routing.faults(topology)

    def sources(self, topology: Topology) -> Mapping[str, str]:
        """See `Product`."""
        return {own: name for own, name in routing.names(topology).items() if own != name}

    def caveats(self, settings: ActiveMQClassicSettings) -> tuple[str, ...]:  # noqa: ARG002
        """See `Product`."""
        return facts.CAVEATS

    def program(self, settings: ActiveMQClassicSettings, site: Site) -> Program:
        """See `Product`."""
        installation = site.newest("opt/apache-activemq-[0-9]*")
        return Program(
            files=config.files(settings, site),
            folders=("etc", *config.FOLDERS),
            argv=config.command(settings, site, installation),
            environment=config.environment(site.home),
            main="java",
        )

    def observe(self, settings: ActiveMQClassicSettings, running: Inquiry) -> Facts:
        """See `Product`."""
        admin = cast("ActiveMQClassicAdmin", running.admin)
        broker = admin.attributes(config.BEAN, *facts.ATTRIBUTES)
        memory = admin.attributes("java.lang:type=Memory", "HeapMemoryUsage")
        system = admin.attributes("java.lang:type=OperatingSystem", "AvailableProcessors")
        return Facts(
            product=self.title,
            version=str(broker["BrokerVersion"]),
            runtime=facts.runtime(admin.attributes("java.lang:type=Runtime", *facts.RUNTIME)),
            asked=facts.asked(settings),
            reported=facts.reported(broker, memory, system, running.log()),
        )


PRODUCT = ActiveMQClassic()
