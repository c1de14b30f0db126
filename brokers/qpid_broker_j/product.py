"""Broker-J as a product. What is written and run: `brokers.qpid_broker_j.config`."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, cast

from brokers.admin.base import Address, Admin
from brokers.admin.json_http import ask
from brokers.durability import DurabilityClass
from brokers.endpoint import ExchangeAddresses, Protocol
from brokers.entry_points import function
from brokers.product import USER, Facts, Inquiry, Listener, Product, Program, Queue, Site, nothing_kept
from brokers.qpid_broker_j import config, translation
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.settings import BrokerSettings
from brokers.topology import FlowNeeds, QueueKind, Topology

PROBE = "bench.probe"
# Counted one message at a time: BDB makes one fsync a message, Derby one O_DSYNC write a message.
PROMISES = {"memory": DurabilityClass.NONE, "bdb": DurabilityClass.SYSTEM, "derby": DurabilityClass.SYSTEM}

EXCHANGES = ExchangeAddresses("{exchange}", "{exchange}/{key}", "subject")

CAVEAT = (
    "Whether your framework can speak to it: OpenStack's oslo.messaging, for one, has removed its AMQP 1.0"
    " driver, so that an OpenStack control plane cannot reach Qpid that way."
)


class QpidBrokerJ(Product[QpidBrokerJSettings]):
    """Broker-J 10: one port speaks every protocol."""

    kind: ClassVar[str] = "qpid-broker-j"
    title: ClassVar[str] = "Apache Qpid Broker-J"
    short: ClassVar[str] = "Broker-J"
    summary: ClassVar[str] = "Apache Qpid Broker-J: stores in memory, BDB or Derby, AMQP 0-9-1 and 1.0"
    settings: ClassVar[type[BrokerSettings]] = QpidBrokerJSettings
    announced: ClassVar[str] = "qpid"
    log: ClassVar = config.LOG
    parts: ClassVar[tuple[str, ...]] = ("openjdk-", "qpid-broker-j")
    ports: ClassVar[tuple[str, ...]] = ("amqp", "http")

    def listeners(self, settings: QpidBrokerJSettings) -> tuple[Listener, ...]:  # noqa: ARG002
        """See `Product`."""
        host = config.VIRTUAL_HOST
        return (
            # confirm.select works, and server-properties do not say so.
            Listener("amqp091", virtual_host=host, confirms_unadvertised=True),
            # The virtual host is found by open.hostname.
            Listener("amqp10", virtual_host=host, hostname="{}", exchanges=EXCHANGES),
        )

    def queue(self, settings: QpidBrokerJSettings, *, durable: bool) -> Queue:
        """See `Product`."""
        return Queue(settings.store, PROMISES[settings.store], QueueKind(durable))

    def admin(self, settings: QpidBrokerJSettings, at: Address) -> Admin:  # noqa: ARG002
        """See `Product`."""
        return cast("Admin", function("brokers.admin.amqp091:Amqp091Admin")(at))

    def checks(self, settings: QpidBrokerJSettings, durable: Iterable[str]) -> Iterator[tuple[str, str]]:
        """See `Product`."""
        return nothing_kept(settings.store, durable, "bdb or derby")

    def topology_faults(self, settings: QpidBrokerJSettings, topology: Topology, protocol: Protocol) -> Iterator[str]:
        """See `Product`."""
        yield from super().topology_faults(settings, topology, protocol)
        yield from translation.faults(topology, protocol)

    def flow_faults(
        self,
        settings: QpidBrokerJSettings,  # noqa: ARG002
        needs: FlowNeeds,
        protocol: Protocol,
    ) -> Iterator[tuple[str, str]]:
        """See `Product`."""
        return translation.flow_faults(needs, protocol)

    def as_declared(self, settings: QpidBrokerJSettings, topology: Topology) -> Topology:  # noqa: ARG002
        """See `Product`."""
        return translation.translated(topology)

    def for_rejecting(self, kind: QueueKind) -> QueueKind:
        """See `Product`; not of every queue, as over 1.0 a consumer that is lost counts as a delivery that failed."""
        return dataclasses.replace(kind, arguments={**kind.arguments, **translation.REFUSED_ONCE})

    def caveats(self, settings: QpidBrokerJSettings) -> tuple[str, ...]:  # noqa: ARG002
        """See `Product`."""
        return (CAVEAT,)

    def program(self, settings: QpidBrokerJSettings, site: Site) -> Program:
        """See `Product`."""
        library = site.newest("opt/qpid-broker/*/lib")
        return Program(
            files={"initial.json": config.initial(settings, site)},
            # The initial configuration is read only where the work folder is new.
            folders=("work",),
            argv=config.command(settings, site, library),
            environment=config.environment(site.home),
            main="java",
        )

    def observe(self, settings: QpidBrokerJSettings, running: Inquiry) -> Facts:
        """See `Product`."""
        name = config.VIRTUAL_HOST
        broker = _get(running, "broker")
        host = _get(running, f"virtualhost/{name}/{name}")
        # The policies of queues are told by a queue.
        running.admin.declare(PROBE, self.queue(settings, durable=False).kind)
        queue = _get(running, f"queue/{name}/{name}/{PROBE}")
        running.admin.delete(PROBE)
        return Facts(
            product=self.title,
            version=str(broker.get("productVersion")),
            runtime=config.runtime(broker),
            asked=config.asked(settings),
            reported=config.reported(broker, host, queue),
        )


def _get(running: Inquiry, path: str) -> dict[str, Any]:
    """Return one object of its management interface."""
    url = f"http://{running.address.host}:{running.site.ports['http']}/api/latest/{path}"
    found = ask(url, USER, running.site.password)
    one: dict[str, Any] = found[0] if isinstance(found, list) else found
    return one


PRODUCT = QpidBrokerJ()
