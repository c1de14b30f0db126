"""The place `external`: a broker that someone else runs, at an address, with our credentials.

Nothing is started or stopped. All that is known of it is what it reports itself, and its
store holds what others put there.
"""

import contextlib
import ipaddress
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from brokers.admin.abilities import Abilities
from brokers.admin.admission import Admission
from brokers.admin.base import (
    Address,
    Admin,
    AdminError,
    Holding,
    LoginRefusedError,
    OtherProtocolError,
    SilentError,
    TlsRefusedError,
    UnreachableError,
    UnsupportedError,
    VirtualHostRefusedError,
)
from brokers.admin.handshake import answers, speaks_tls, stranger
from brokers.administered_broker import AdministeredBroker, with_security
from brokers.base import Broker, BrokerError, Needs
from brokers.credentials import OURS, may_be_read
from brokers.endpoint import PROTOCOL_NAMES, Endpoint, Protocol, Tls
from brokers.places.base import Opening, Place
from brokers.places.sampling import ProcessUsage, Sampled, descendants
from brokers.product import Facts
from brokers.settings import ClientTls, External
from brokers.topology import Topology

GUEST = "guest"
"""User name and password where the environment has none."""
LABEL = "store not fresh"
UNKNOWN = "unknown: someone else runs it"
REFRESH_S = 1.0
LEAVE_S = 2.0
QUEUE_PREFIX = "busbench-"
"""How the names of our queues start, where a user meets them among others."""


def forbidden(external: External, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each environment variable that a scenario names and that must not be read."""
    named = {"password_env": external.password_env} | (
        {} if external.username else {"username_env": external.username_env}
    )
    for field, name in named.items():
        if not may_be_read(name, environ):
            yield (
                f"external.{field} = {name!r}: credentials are read from variables named {OURS}… only, as a scenario"
                f" could send any other secret to its broker: rename it, or allow it by --credentials-from {name}"
            )


def _read(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) if may_be_read(name, environ) else None) or GUEST


def exposed(external: External) -> bool:
    """Return whether the password crosses a network in clear text."""
    host = external.host.strip("[]")
    with contextlib.suppress(ValueError):
        return external.tls is None and external.sasl == "plain" and not ipaddress.ip_address(host).is_loopback
    return external.tls is None and external.sasl == "plain" and host != "localhost"


def address(external: External, virtual_host: str, environ: Mapping[str, str]) -> Address:
    """Return the address and credentials of an external broker."""
    return Address(
        host=external.host,
        port=external.port,
        virtual_host=virtual_host if external.virtual_host is None else external.virtual_host,
        username=external.username or _read(environ, external.username_env),
        password=_read(environ, external.password_env),
        tls=None if external.tls is None else _tls(external.tls),
        sasl=external.sasl,
    )


def _tls(asked: ClientTls) -> Tls:
    """Return it with paths that hold in a worker, wherever that one runs."""
    ca, certificate, key = (
        None if name is None else str(Path(name).expanduser().absolute())
        for name in (asked.ca, asked.certificate, asked.key)
    )
    return Tls(ca, certificate, key, asked.server_name, asked.verify)


def explain(
    name: str,
    external: External,
    at: Address,
    environ: Mapping[str, str],
    error: AdminError,
    protocol: Protocol = "amqp091",
) -> str:
    """Return what to tell a user whose external broker cannot be used. Pure."""
    where = f"broker {name!r} at {at.host}:{at.port}"
    variables = f"{external.username_env} and {external.password_env}"
    named = (None if external.username else external.username_env, external.password_env)
    unset = [name for name in named if name is not None and not environ.get(name)]
    state = f" ({' and '.join(unset)} not set: {GUEST!r} was tried)" if unset else ""
    match error:
        case LoginRefusedError():
            return f"{where} {_login_words(at, f'{variables}{state}')}. It said: {error}"
        case VirtualHostRefusedError():
            return (
                f"{where} refuses the virtual host {at.virtual_host!r} to the user {at.username!r} from {variables}:"
                f" correct `external.virtual_host`, or give the user permissions on it. It said: {error}"
            )
        case TlsRefusedError():
            return f"{where} {_tls_words(at)}. Reason: {error}"
        case UnreachableError():
            return f"{where} {_unreached_words(error, protocol, variables)}. Reason: {error}"
        case SilentError():
            return (
                f"{where} takes connections but is silent: {error}. Look whether it hangs (stopped, out of memory) and"
                " restart it; or correct `external.port`, where something else listens there"
            )
        case _:
            return f"{where} refused what was asked: {error}"


def _unreached_words(error: UnreachableError, protocol: Protocol, variables: str) -> str:
    if isinstance(error, OtherProtocolError):
        return f"does not speak {PROTOCOL_NAMES[protocol]}: correct `external.port`, or its `kind`"
    return (
        f"cannot be reached over {PROTOCOL_NAMES[protocol]}: start it, or correct `external.host` and `external.port`"
        f" (credentials are taken from {variables})"
    )


def _tls_words(at: Address) -> str:
    if at.tls is None:
        return (
            "speaks TLS at this port, and we did not: add `tls = true` to `external`, write the host as amqps://…, or"
            " correct `external.port`"
        )
    return "cannot be reached over TLS: correct `external.tls`, host or port"


def _login_words(at: Address, variables: str) -> str:
    if at.sasl == "plain":
        return f"refuses the user {at.username!r} or the password: set the environment variables {variables}"
    return f"does not let us in by SASL {at.sasl.upper()}: correct `external.sasl` or `external.tls`"


class ExternalBroker(AdministeredBroker):
    """A broker at an address."""

    def __init__(self, given: Opening) -> None:
        """Describe an external broker; nothing is connected yet."""
        super().__init__(given.product, given.settings)
        if given.settings.external is None:
            message = f"broker {self.name!r} has no address: its table `external` is missing"
            raise ValueError(message)
        self.folder = given.folder  # nothing is written there
        self._external = given.settings.external
        self._environ = given.environ
        self._consume_existing = given.consume_existing
        self._at = address(self._external, given.product.listeners(given.settings)[0].virtual_host, given.environ)
        self._speaks: set[Protocol] = set()
        self._facts: Facts | None = None
        self._queues: set[str] = set()
        self._topologies: list[Topology] = []
        """Those that we declared, or began to, and did not delete."""
        self._used: set[str] = set()
        """Queues that the user named and that were found empty, or emptied, for a trial of ours."""
        self._sampled = Sampled(self.pids)
        self._pids: tuple[int, ...] = ()
        self._looked = float("-inf")
        self._abilities: Abilities | None = None

    def start(self) -> None:
        """Connect to it; see `Broker`."""
        admin = self._product.admin(self._settings, self._at)
        try:
            admin.open()
            self._facts = self._known(admin)
        except AdminError as error:
            admin.drop()
            seen = self._looked_at(error)
            raise BrokerError(self._explain(seen)) from seen
        except BaseException:  # Ctrl-C included: nothing would close it
            admin.drop()
            raise
        self._speaks = {self.protocols()[0]}
        self._attach(self._at, admin)

    def _looked_at(self, error: AdminError) -> AdminError:
        """Return what is wrong with a port that did not let us in: a second look may tell more than the first."""
        if type(error) not in (UnreachableError, SilentError):
            return error
        if self._at.tls is None and speaks_tls(self._at):
            return TlsRefusedError("it answers a TLS handshake there")
        other = stranger(self.protocols()[0], self._at)
        return OtherProtocolError(other) if other else error

    def _known(self, admin: Admin) -> Facts:
        """Return what is known of it, by asking and, where nothing is known of its product, by trying."""
        announced = admin.peer_property("product")
        if not self._product.is_product(announced):
            message = (
                f"broker {self.name!r} at {self._at.host}:{self._at.port} is {announced!r}, not"
                f" {self._product.title}: correct its `kind`"
            )
            raise BrokerError(message)
        self._abilities = self._product.probe(self._settings, self._at)
        tried = {} if self._abilities is None else self._abilities.words()
        facts = Facts(
            # Of a generic kind, it says itself what it is.
            product=self._product.title if self._product.announced else announced or self._product.title,
            version=admin.peer_property("version"),
            runtime=admin.peer_property("platform") or UNKNOWN,
            # Kinds of queues are asked for where they are declared by us.
            asked={} if self._external.queues else self._product.asked(self._settings),
            reported={"address": f"{self._at.host}:{self._at.port}", "virtual host": self._at.virtual_host, **tried},
            limits={"memory": UNKNOWN, "cpus": UNKNOWN},
            labels=(LABEL,),
        )
        return with_security(facts, self._at, admin)

    def lacks(self, needs: Needs) -> Iterator[str]:
        """See `Broker`."""
        named = self._external.queues
        if named and len(named) < needs.queues:
            yield f"{needs.queues} queues are needed, and external.queues names {len(named)}"
        if self._abilities is not None:
            yield from self._abilities.lacks(needs.confirms)

    def admission(self, protocol: Protocol, bodies: Sequence[int], *, durable: bool) -> Admission:
        """See `Broker`; a queue that the user named is attached to, no more, and none is made that could not go."""
        if self._external.queues:
            return self._admission(protocol, self._external.queues[0], bodies, ours=False)
        if not self._attached()[1].deletes:
            return self._admission(protocol, None, bodies, ours=False)
        return super().admission(protocol, bodies, durable=durable)

    def unusable(self, queues: int) -> Iterator[str]:
        """See `Broker`."""
        if self._external.pid_file is not None and not self.pids():
            yield f"pid_file {self._external.pid_file!r} names no process of this host: correct it, or leave it out"
        for queue in self._external.queues[:queues]:
            yield from self._occupied(queue)

    def _occupied(self, queue: str) -> Iterator[str]:
        """Yield why a queue that the user named cannot be used."""
        try:
            found = self._left_alone(queue)
        except AdminError as error:
            yield f"queue {queue!r} cannot be looked at: {self._explain(error)}"
            return
        if found is None:
            yield f"queue {queue!r} of external.queues is not there: correct its name, or make it"
            return
        held = [
            f"{count} {what}" for count, what in ((found.messages, "messages"), (found.consumers, "consumers")) if count
        ]
        if held and not self._consume_existing:
            yield (
                f"queue {queue!r} has {' and '.join(held)}: measuring would consume what is in it. Empty it, name"
                " another, or add --consume-existing"
            )

    def queues(self, prefix: str, count: int) -> tuple[str, ...]:
        """See `Broker`; those that the user named, where there are any."""
        named = self._external.queues
        if not named:
            return super().queues(prefix, count)
        if len(named) < count:
            message = f"broker {self.name!r}: {count} queues are needed, and external.queues names {len(named)}"
            raise BrokerError(message)
        return named[:count]

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """See `Broker`; raises BrokerError where it does not speak that protocol."""
        found = super().endpoint(protocol)
        listener = self._product.listener(self._settings, protocol)
        advice = f" ({listener.advice})" if listener is not None and listener.advice else ""
        if protocol not in self._speaks and not answers(protocol, self._at):
            message = (
                f"broker {self.name!r} at {self._at.host}:{self._at.port} does not answer {PROTOCOL_NAMES[protocol]}:"
                f" enable it there{advice}, or leave out its targets with protocol {protocol!r}"
            )
            raise BrokerError(message)
        self._speaks.add(protocol)
        return found

    def facts(self) -> Facts:
        """See `Broker`."""
        if self._facts is None:
            message = f"broker {self.name!r} was never reached: start it first"
            raise BrokerError(message)
        return self._facts

    def declare(self, queue: str, *, durable: bool, rejecting: bool = False) -> None:
        """See `Broker`; one that was there before is someone else's and not touched, unless the user named it."""
        _, admin = self._attached()
        if queue in self._external.queues:
            self._make_ready(queue, admin)
            self._used.add(queue)
            return
        try:
            there = queue not in self._queues and admin.depth(queue) is not None
        except UnsupportedError:
            there = False  # names are drawn for each run
        except AdminError as error:
            raise BrokerError(self._explain(error)) from error
        if there:
            message = (
                f"broker {self.name!r} has a queue {queue!r} that this run did not make: nothing was changed."
                f" Queues whose names start with {QUEUE_PREFIX!r} are left by runs that were killed: delete it there"
                " unless another run uses it now"
            )
            raise BrokerError(message)
        again = queue in self._queues
        self._queues.add(queue)
        try:
            if again:
                self._drop_queue(queue, admin)
            admin.declare(queue, self._declared_as(durable=durable, rejecting=rejecting))
        except AdminError as error:
            if not isinstance(error, (SilentError, UnreachableError)):
                self._queues.discard(queue)  # refused; without an answer it may have been made
            raise self._not_declared(queue, error, durable=durable) from error

    def declare_topology(self, topology: Topology) -> None:
        """See `Broker`; what was there before is someone else's and not touched."""
        if self._external.queues:
            message = (
                f"broker {self.name!r}: external.queues names queues that are there, and the workload has a topology,"
                " whose queues are declared: leave out one of them"
            )
            raise BrokerError(message)
        if topology not in self._topologies:
            self._unless_there(topology)
            self._topologies.append(topology)
        super().declare_topology(topology)

    def _unless_there(self, topology: Topology) -> None:
        """Raise BrokerError where the broker has something of these names."""
        _, admin = self._attached()
        try:
            there = [f"the exchange {one.name!r}" for one in topology.exchanges if admin.has_exchange(one)]
            there += [f"the queue {one.name!r}" for one in topology.queues if admin.depth(one.name) is not None]
        except UnsupportedError:
            return  # names are drawn for each run
        except AdminError as error:
            raise BrokerError(self._explain(error)) from error
        if there:
            message = (
                f"broker {self.name!r} has {', '.join(there)}, which this run did not make: nothing was changed."
                f" Names that start with {QUEUE_PREFIX!r} are left by runs that were killed: delete them there unless"
                " another run uses them now"
            )
            raise BrokerError(message)

    def delete_topology(self, topology: Topology) -> None:
        """See `Broker`; of a topology that this run did not declare nothing is deleted."""
        if topology in self._topologies:
            super().delete_topology(topology)
            self._topologies.remove(topology)

    def _left_alone(self, queue: str) -> Holding | None:
        """Return what a queue holds; of one that we used, once our own consumers have left it."""
        until = time.monotonic() + (LEAVE_S if queue in self._used else 0.0)
        while True:
            found = self._attached()[1].holding(queue)
            if found is None or not found.consumers or time.monotonic() >= until:
                return found
            time.sleep(0.05)

    def _make_ready(self, queue: str, admin: Admin) -> None:
        """See that a queue that the user named can be measured."""
        for why in self._occupied(queue):
            message = f"broker {self.name!r}: {why}"
            raise BrokerError(message)
        if self._consume_existing:
            self._empty(queue, admin)

    def delete(self, queue: str) -> None:
        """See `Broker`; a queue that the user named stays."""
        _, admin = self._attached()
        if queue in self._external.queues:
            self._take_back(queue, admin)
            return
        try:
            self._drop_queue(queue, admin)
        except AdminError as error:
            raise self._fault("delete", queue, error) from error
        self._queues.discard(queue)

    def _take_back(self, queue: str, admin: Admin) -> None:
        """Empty a queue that the user named, of what a trial left: it was empty before, or could be consumed."""
        if queue in self._used:
            self._empty(queue, admin)

    def _empty(self, queue: str, admin: Admin) -> None:
        try:
            found = admin.holding(queue)
            if found is not None and found.messages:
                admin.purge(queue)
        except AdminError as error:
            raise self._fault("empty", queue, error) from error

    def _drop_queue(self, queue: str, admin: Admin) -> None:
        """Delete a queue where that can be done; otherwise it stays, as the product's caveats say."""
        with contextlib.suppress(UnsupportedError):
            admin.delete(queue)

    def pids(self) -> tuple[int, ...]:
        """See `Broker`; those below the process of `external.pid_file`, looked at again once a second."""
        if self._external.pid_file is None:
            return ()
        now = time.monotonic()
        if now - self._looked >= REFRESH_S:
            self._looked = now
            pids = _pids(Path(self._external.pid_file).expanduser())
            if pids[:1] != self._pids[:1]:  # another process, whose totals begin anew
                self._sampled.close()
                self._sampled = Sampled(self.pids)
            self._pids = pids
        return self._pids

    def usage(self) -> ProcessUsage | None:
        """See `Broker`."""
        return self._sampled.usage()

    def switches(self) -> tuple[int, int] | None:
        """See `Broker`."""
        return self._sampled.switches()

    def data_bytes(self) -> int | None:
        """Return None: where its data lie is not ours to know."""
        return None

    def failure(self) -> str | None:
        """See `Broker`; looks at the control connection."""
        if self._admin is None:
            return "it is not connected"
        try:
            self._admin.check()
        except AdminError as error:
            return self._explain(error)
        return None

    def log(self) -> str:
        """Return nothing: its log is not ours to read."""
        return ""

    def stop(self) -> None:
        """Delete the queues and topologies that we declared and disconnect.

        Raises:
            BrokerError: queues are left there; names each, and the reason.
        """
        if self._admin is None:
            return
        try:
            error = self._delete_all(self._admin)
            self._admin.close()
        finally:
            self._detach()
            self._sampled.close()
        if error is not None:
            message = (
                f"broker {self.name!r} keeps what this run made and could not delete; delete them there:"
                f" {', '.join(self._kept())}. Reason: {self._explain(error)}"
            )
            raise BrokerError(message)

    def _kept(self) -> list[str]:
        """Return the names of what we made and did not delete."""
        exchanges = {one.name for topology in self._topologies for one in topology.exchanges}
        queues = {one.name for topology in self._topologies for one in topology.queues}
        return sorted(self._queues | exchanges | queues)

    def _delete_all(self, admin: Admin) -> AdminError | None:
        """Delete what is ours as far as possible; return the first failure."""
        first: AdminError | None = None
        for topology in tuple(self._topologies):
            try:
                admin.delete_topology(self._product.as_declared(self._settings, topology))
            except (UnreachableError, SilentError) as error:
                return error
            except AdminError as error:
                first = first or error
            else:
                self._topologies.remove(topology)
        for queue in sorted(self._queues):
            try:
                self._drop_queue(queue, admin)
            except (UnreachableError, SilentError) as error:
                return first or error  # the others would fail in the same way, each after its own timeout
            except AdminError as error:
                first = first or error
            else:
                self._queues.discard(queue)
        return first

    def kill(self) -> None:
        """Do what `stop` does: it is not ours to end."""
        self.stop()

    def _reason(self, error: AdminError) -> str:
        # Asking what is wrong would only wait for the same silence again.
        return self._explain(error) if isinstance(error, SilentError) else super()._reason(error)

    def _explain(self, error: AdminError) -> str:
        return explain(self.name, self._external, self._at, self._environ, error, self.protocols()[0])


def _pids(file: Path) -> tuple[int, ...]:
    """Return the process that a file names and all below it; none where there is no such file or process."""
    with contextlib.suppress(OSError, ValueError):
        first = int(file.read_text())
        if Path(f"/proc/{first}").exists():
            return (first, *descendants([first]))
    return ()


class ExternalPlace(Place):
    """An address that someone else runs."""

    name: ClassVar[str] = "external"
    summary: ClassVar[str] = "run by someone else, reached at the address in its table `external`"
    starts: ClassVar[bool] = False
    caveats: ClassVar[tuple[str, ...]] = (
        "The fresh state of external brokers, and their CPU and memory: someone else runs them.",
    )

    @classmethod
    def open(cls, given: Opening) -> Broker:
        """See `Place`."""
        return ExternalBroker(given)
