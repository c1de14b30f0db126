"""Artemis as a product. What is written and run: `brokers.artemis.config`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from brokers.admin.base import Address, Admin
from brokers.artemis import config, facts, routing
from brokers.artemis.settings import ArtemisSettings
from brokers.endpoint import ExchangeAddresses, Protocol
from brokers.entry_points import function
from brokers.log_patterns import LogPatterns
from brokers.product import Facts, Inquiry, Listener, Product, Program, Queue, Site, nothing_kept
from brokers.settings import BrokerSettings
from brokers.topology import QueueKind, Topology

if TYPE_CHECKING:  # it loads Proton, which a list of products does not need
    from brokers.artemis.admin import ArtemisAdmin


EXCHANGES = ExchangeAddresses("{exchange}", "{exchange}.{key}", "to")


class Artemis(Product[ArtemisSettings]):
    """Artemis 2.44, over AMQP 1.0, which is all of AMQP that it speaks."""

    kind: ClassVar[str] = "artemis"
    title: ClassVar[str] = config.PRODUCT
    short: ClassVar[str] = "Artemis"
    summary: ClassVar[str] = "Apache ActiveMQ Artemis: a journal of Java NIO, or none, AMQP 1.0"
    settings: ClassVar[type[BrokerSettings]] = ArtemisSettings
    announced: ClassVar[str] = config.ANNOUNCED
    log: ClassVar[LogPatterns] = facts.LOG
    parts: ClassVar[tuple[str, ...]] = ("openjdk-", "apache-artemis")

    def listeners(self, settings: ArtemisSettings) -> tuple[Listener, ...]:  # noqa: ARG002
        """See `Product`; it has no virtual hosts, and takes any hostname."""
        return (Listener("amqp10", virtual_host="", exchanges=EXCHANGES),)

    def queue(self, settings: ArtemisSettings, *, durable: bool) -> Queue:
        """See `Product`."""
        return Queue(settings.store, config.PROMISES[settings.store], QueueKind(durable))

    def admin(self, settings: ArtemisSettings, at: Address) -> Admin:  # noqa: ARG002
        """See `Product`."""
        return cast("Admin", function("brokers.artemis.admin:ArtemisAdmin")(at))

    def checks(self, settings: ArtemisSettings, durable: Iterable[str]) -> Iterator[tuple[str, str]]:
        """See `Product`."""
        return nothing_kept(settings.store, durable, "nio")

    def topology_faults(self, settings: ArtemisSettings, topology: Topology, protocol: Protocol) -> Iterator[str]:
        """See `Product`."""
        yield from super().topology_faults(settings, topology, protocol)
        yield from routing.faults(topology)

    def sources(self, topology: Topology) -> Mapping[str, str]:
        """See `Product`."""
        return routing.sources(topology)

    def caveats(self, settings: ArtemisSettings) -> tuple[str, ...]:  # noqa: ARG002
        """See `Product`."""
        return facts.CAVEATS

    def program(self, settings: ArtemisSettings, site: Site) -> Program:
        """See `Product`."""
        installation = site.newest("opt/apache-artemis-*")
        return Program(
            files=config.files(settings, site),
            folders=("etc", *config.FOLDERS),
            argv=config.command(settings, site, installation),
            environment=config.environment(site.home, installation),
            main="java",
        )

    def observe(self, settings: ArtemisSettings, running: Inquiry) -> Facts:
        """See `Product`."""
        admin = cast("ArtemisAdmin", running.admin)
        broker = {name: admin.attribute("broker", name) for name in facts.ATTRIBUTES}
        return Facts(
            product=self.title,
            version=running.admin.peer_property("version"),
            runtime=facts.runtime(running.log()),
            asked=facts.asked(settings),
            reported=facts.reported(broker, running.log()),
        )


PRODUCT = Artemis()
