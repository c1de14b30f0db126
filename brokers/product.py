"""What a product is: everything that is known of one kind of broker, in one folder.

A product is an entry point of the group `busbench.brokers`. Its object holds no state: it
turns settings into what is written and run, says how it is spoken to and asked, and what
its log tells. The rest of the suite knows products by this contract alone: no product's
name occurs anywhere else.

What must live in a product's folder
    settings        what a scenario may ask of it: a model derived from `BrokerSettings`
    listeners       protocol → port and dialect; the first is the one its admin speaks
    queues          what kind of queue a workload gets, and what a confirm promises there
    program         files, command line and environment, where we start it
    log patterns    how it gets ready, fails and complains
    admin           how queues are declared, counted and deleted
    facts           version, runtime, settings as asked and as reported
    checks          what its settings and a durable workload forbid together
    topology        which exchanges and arguments of queues it has not, and its own words for those that it has
    flows           what producers and consumers cannot ask of it, beside what is declared
    parts           what an image must hold
    caveats         what a report must say whenever it was measured

What must not: processes, control groups, ports and files of a running broker. They belong
to its place (`brokers.places`) and to `brokers.started_broker`.

A product that we cannot start (someone else runs it, always) sets `starts = False` and
leaves out program and observe.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, ClassVar, Generic, TypeVar

from brokers.admin.abilities import Abilities
from brokers.admin.base import Address, Admin
from brokers.durability import DurabilityClass
from brokers.endpoint import Endpoint, ExchangeAddresses, Protocol
from brokers.log_patterns import LogPatterns
from brokers.settings import BrokerSettings
from brokers.topology import FlowNeeds, QueueKind, Topology, faults_anywhere

S = TypeVar("S", bound=BrokerSettings)


@dataclass(frozen=True)
class Facts:
    """What a running broker is, as it reports itself.

    `asked` and `reported` share their keys where both are known, so that they can be
    compared; `limits` says how the memory cap and the CPU count are applied, and `ground` what
    surrounds it: limits that are in force, network path, file system of its data, virtualisation.
    """

    product: str
    version: str
    runtime: str
    asked: dict[str, str] = field(default_factory=dict)
    reported: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    ground: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    """Words a report must show, such as `store not fresh`."""
    ready_s: float | None = None
    """Where we started it: from the start of its program until every protocol answered; seconds, in steps of .05."""
    first_confirm_s: float | None = None
    """From the same instant until a first message was confirmed; None where that was not to be had."""


@dataclass(frozen=True)
class Listener:
    """One protocol of a product: which port it is at, and what a driver must know to be understood there.

    What differs between products is data here, so that no driver asks which broker it meets.

    Attributes:
        protocol: what is spoken.
        port: name of the port; several protocols may share one.
        virtual_host: the default virtual host.
        hostname: 1.0: `hostname` of the open frame, `{}` standing for the virtual host; None = none is sent.
        address_prefix: see `Endpoint`.
        confirms_unadvertised: see `Endpoint`.
        exchanges: see `Endpoint`.
        advice: how it is enabled where it does not answer.
    """

    protocol: Protocol
    port: str = "amqp"
    virtual_host: str = "/"
    hostname: str | None = None
    address_prefix: str = ""
    confirms_unadvertised: bool = False
    exchanges: ExchangeAddresses | None = None
    advice: str = ""

    def endpoint(self, at: Address) -> Endpoint:
        """Return where a driver of this protocol reaches a broker at an address."""
        return Endpoint(
            protocol=self.protocol,
            host=at.host,
            port=at.port,
            virtual_host=at.virtual_host,
            hostname=None if self.hostname is None else self.hostname.format(at.virtual_host),
            username=at.username,
            password=at.password,
            address_prefix=self.address_prefix,
            confirms_unadvertised=self.confirms_unadvertised,
            exchanges=self.exchanges,
            tls=at.tls,
            sasl=at.sasl,
        )


@dataclass(frozen=True)
class Queue:
    """What a workload's queue is on a product.

    Attributes:
        name: of the kind, in the product's own words: `quorum`, `bdb`.
        promises: what a confirmed message survives there, as seen elsewhere; None = nothing is known.
        kind: how it is declared.
    """

    name: str
    promises: DurabilityClass | None
    kind: QueueKind


@dataclass(frozen=True)
class Program:
    """What a product asks to be written and run.

    Attributes:
        files: text of each file, by path below the broker's folder.
        folders: further folders to make below it.
        argv: command and arguments, in paths of the place.
        environment: every environment variable.
        main: name of the process that takes signals.
    """

    files: Mapping[str, str]
    folders: tuple[str, ...]
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    main: str


USER = "guest"
"""The one account of a broker that we start."""


@dataclass(frozen=True)
class Site:
    """Where a program is to run, as its product needs to know it.

    Attributes:
        home: the broker's own folder, as it sees it.
        host: the address at which it is to listen.
        ports: its ports by name, see `Product.ports`.
        newest: returns the last of the files that match a pattern such as `opt/x/*/lib`, as the
            program sees it; raises FileNotFoundError where there is none.
        password: of its one user, `USER`; another at each start. It stands in files of its folder alone.
    """

    home: PurePosixPath
    host: str
    ports: Mapping[str, int]
    newest: Callable[[str], PurePosixPath]
    password: str


@dataclass(frozen=True)
class Inquiry:
    """A broker that has just become ready, to be asked for its facts.

    Attributes:
        site: where it runs.
        address: where its first listener is reached.
        admin: connected to it.
        log: returns what it has logged so far.
        run: runs a command beside it, in its own environment, and returns what it printed.
    """

    site: Site
    address: Address
    admin: Admin
    log: Callable[[], str]
    run: Callable[[tuple[str, ...], Mapping[str, str]], str]


def nothing_kept(store: str, durable: Iterable[str], stores: str) -> Iterator[tuple[str, str]]:
    """Yield what `Product.checks` does where durable workloads meet a store in memory; `stores` keep messages."""
    names = ", ".join(durable)
    if names and store == "memory":
        yield "store", f"'memory' keeps nothing, and workload {names} is durable: use {stores}, or durable = false"


class Product(ABC, Generic[S]):
    """One kind of broker. Stateless: everything follows from settings.

    Attributes:
        kind: as scenarios write it; also the name of the entry point.
        title: name for people.
        short: the same for tables and figures, which have little room.
        summary: one line for lists.
        settings: what a scenario may ask of it; its field `kind` is a Literal of `kind`.
        announced: part of what it calls itself at a handshake, in lower case; empty = anything passes.
        log: how its log is read.
        parts: Debian packages and Maven artifacts that an image must hold, by parts of their names.
        ports: names of the ports that it listens on where we start it.
        starts: whether we can start it.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    short: ClassVar[str]
    summary: ClassVar[str]
    settings: ClassVar[type[BrokerSettings]]
    log: ClassVar[LogPatterns]
    announced: ClassVar[str] = ""
    parts: ClassVar[tuple[str, ...]] = ()
    ports: ClassVar[tuple[str, ...]] = ("amqp",)
    starts: ClassVar[bool] = True

    @abstractmethod
    def listeners(self, settings: S) -> tuple[Listener, ...]:
        """Return what it listens to; the first is what its admin speaks."""

    @abstractmethod
    def queue(self, settings: S, *, durable: bool) -> Queue:
        """Return what queues of such workloads are."""

    @abstractmethod
    def admin(self, settings: S, at: Address) -> Admin:
        """Return an admin, not connected yet, for the first listener at an address."""

    def asked(self, settings: S) -> dict[str, str]:  # noqa: ARG002
        """Return the settings that hold wherever it runs, by the names under which reports show them."""
        return {}

    def checks(self, settings: S, durable: Iterable[str]) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Yield each field that cannot be as it is, with a sentence that ends in what to do.

        Args:
            settings: what was asked for.
            durable: names of the durable workloads that are for it.
        """
        yield from ()

    def topology_faults(self, settings: S, topology: Topology, protocol: Protocol) -> Iterator[str]:  # noqa: ARG002
        """Yield what a topology asks for and this product has not: each names what, its value, and what to do.

        Args:
            settings: what was asked for.
            topology: names are those of the scenario, or of a trial.
            protocol: what the workload's drivers speak.
        """
        yield from faults_anywhere(topology)

    def flow_faults(
        self,
        settings: S,  # noqa: ARG002
        needs: FlowNeeds,  # noqa: ARG002
        protocol: Protocol,  # noqa: ARG002
    ) -> Iterator[tuple[str, str]]:
        """Yield each field of a flow that this product cannot do, with its value and what to do.

        Args:
            settings: what was asked for.
            needs: what one side of the flow asks.
            protocol: what that side speaks.
        """
        yield from ()

    def as_declared(self, settings: S, topology: Topology) -> Topology:  # noqa: ARG002
        """Return a topology without faults as it is declared: in the product's own words, and in its order."""
        return topology

    def sources(self, topology: Topology) -> Mapping[str, str]:  # noqa: ARG002
        """Return the addresses of its queues that have another over AMQP 1.0 than their name, by that name."""
        return {}

    def for_rejecting(self, kind: QueueKind) -> QueueKind:
        """Return what a queue is declared as whose consumers reject messages for good: such a message must be gone."""
        return kind

    def caveats(self, settings: S) -> tuple[str, ...]:  # noqa: ARG002
        """Return what its figures never show.

        Each is written as reports list it: what is not shown, a colon, and why, such as
        `What larger messages cost: each goes to a file of its own.`
        """
        return ()

    def program(self, settings: S, site: Site) -> Program:
        """Return what to write and run.

        Raises:
            FileNotFoundError: the place holds no such program.
        """
        raise NotImplementedError(self.kind, settings, site)

    def observe(self, settings: S, running: Inquiry) -> Facts:
        """Return the facts of a broker that has just become ready (limits left out).

        Raises:
            BrokerError, AdminError: it does not answer.
        """
        raise NotImplementedError(self.kind, settings, running)

    def advice(self, settings: S, refusal: str, *, durable: bool) -> str:  # noqa: ARG002
        """Return what to change where a queue of such workloads was refused in these words; nothing where not known."""
        return ""

    def probe(self, settings: S, at: Address) -> Abilities | None:  # noqa: ARG002
        """Return what a broker that someone else runs can do, by trying; None where the product is known.

        Raises:
            AdminError: it does not answer.
        """
        return None

    def dialect(self, listener: Listener, version: str) -> Listener:  # noqa: ARG002
        """Return how a listener is spoken to by a broker that reports this version of itself."""
        return listener

    def listener(self, settings: S, protocol: Protocol) -> Listener | None:
        """Return how a protocol is spoken; None where it is not."""
        return next((one for one in self.listeners(settings) if one.protocol == protocol), None)

    def is_product(self, announced: str) -> bool:
        """Return whether this is how such a broker names itself."""
        return self.announced in announced.lower()

    @cached_property
    def defaults(self) -> S:
        """Settings with nothing asked for, the broker being called as its kind."""
        given: dict[str, Any] = {"name": self.kind, "kind": self.kind}
        return self.settings.model_validate(given)  # type: ignore[return-value]
