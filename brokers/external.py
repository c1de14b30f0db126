"""The place `external`: a broker that someone else runs, at an address, with our credentials.

Nothing is started or stopped. All that is known of it is what it reports itself, and its
store holds what others put there.
"""

from collections.abc import Mapping
from pathlib import Path

from brokers.amqp import AmqpBroker, with_security
from brokers.base import BrokerError, Facts
from brokers.control import (
    Control,
    ControlError,
    LoginRefusedError,
    SilentError,
    TlsRefusedError,
    UnreachableError,
    VirtualHostRefusedError,
    answers_amqp10,
)
from brokers.dialect import Address, Dialect
from brokers.endpoint import Endpoint, Protocol, Tls
from brokers.settings import ClientTls, External

GUEST = "guest"
"""User name and password where the environment has none."""
LABEL = "store not fresh"
UNKNOWN = "unknown: someone else runs it"
QUEUE_PREFIX = "busbench-"
"""How the names of our queues start, where a user meets them among others."""


def address(external: External, dialect: Dialect, environ: Mapping[str, str]) -> Address:
    """Return the address and credentials of an external broker."""
    return Address(
        host=external.host,
        port=external.port,
        virtual_host=dialect.virtual_host if external.virtual_host is None else external.virtual_host,
        username=environ.get(external.username_env) or GUEST,
        password=environ.get(external.password_env) or GUEST,
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


def explain(name: str, external: External, at: Address, environ: Mapping[str, str], error: ControlError) -> str:
    """Return what to tell a user whose external broker cannot be used. Pure."""
    where = f"broker {name!r} at {at.host}:{at.port}"
    variables = f"{external.username_env} and {external.password_env}"
    unset = [name for name in (external.username_env, external.password_env) if not environ.get(name)]
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
            return f"{where} cannot be reached over TLS: correct `external.tls`, host or port. Reason: {error}"
        case UnreachableError():
            return (
                f"{where} cannot be reached over AMQP 0-9-1: start it, or correct `external.host` and"
                f" `external.port` (credentials are taken from {variables}). Reason: {error}"
            )
        case SilentError():
            return (
                f"{where} takes connections but is silent: {error}. Look whether it hangs (stopped, out of memory) and"
                " restart it; or correct `external.port`, where something else listens there"
            )
        case _:
            return f"{where} refused what was asked: {error}"


def _login_words(at: Address, variables: str) -> str:
    if at.sasl == "plain":
        return f"refuses the user {at.username!r} or the password: set the environment variables {variables}"
    return f"does not let us in by SASL {at.sasl.upper()}: correct `external.sasl` or `external.tls`"


class ExternalBroker(AmqpBroker):
    """A broker at an address."""

    def __init__(
        self,
        name: str,
        folder: Path,
        external: External,
        dialect: Dialect,
        asked: Mapping[str, str],
        environ: Mapping[str, str],
    ) -> None:
        """Describe an external broker; nothing is connected yet.

        Args:
            name: how scenario and report call it.
            folder: nothing is written there.
            external: where it is.
            dialect: how it is spoken to.
            asked: the settings that still hold for it, such as queue types.
            environ: where its credentials are looked up.
        """
        super().__init__(name, dialect)
        self.folder = folder
        self._external = external
        self._environ = environ
        self._asked = dict(asked)
        self._at = address(external, dialect, environ)
        self._speaks_amqp10 = False
        self._facts: Facts | None = None
        self._queues: set[str] = set()

    def start(self) -> None:
        """Connect to it; see `Broker`."""
        control = Control(self._at)
        try:
            control.open()
        except ControlError as error:
            raise BrokerError(self._explain(error)) from error
        product = control.server_property("product")
        if not self._dialect.is_product(product):
            control.close()
            message = (
                f"broker {self.name!r} at {self._at.host}:{self._at.port} is {product!r}, not"
                f" {self._dialect.product}: correct its `kind`"
            )
            raise BrokerError(message)
        self._speaks_amqp10 = answers_amqp10(self._at)
        facts = Facts(
            product=self._dialect.product,
            version=control.server_property("version"),
            runtime=control.server_property("platform") or UNKNOWN,
            asked=self._asked,
            reported={"address": f"{self._at.host}:{self._at.port}", "virtual host": self._at.virtual_host},
            limits={"memory": UNKNOWN, "cpus": UNKNOWN},
            labels=(LABEL,),
        )
        self._facts = with_security(facts, self._at, control)
        self._attach(self._at, control)

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """See `Broker`; raises BrokerError where it does not speak that protocol."""
        found = super().endpoint(protocol)
        if protocol == "amqp10" and not self._speaks_amqp10:
            message = (
                f"broker {self.name!r} at {self._at.host}:{self._at.port} does not answer AMQP 1.0: enable it there"
                " (RabbitMQ before 4.0: the plugin rabbitmq_amqp1_0), or leave out its targets with protocol 'amqp10'"
            )
            raise BrokerError(message)
        return found

    def facts(self) -> Facts:
        """See `Broker`."""
        if self._facts is None:
            message = f"broker {self.name!r} was never reached: start it first"
            raise BrokerError(message)
        return self._facts

    def declare(self, queue: str, *, durable: bool) -> None:
        """See `Broker`; a queue that was there before is someone else's and is not touched."""
        _, control = self._attached()
        try:
            there = queue not in self._queues and control.depth(queue) is not None
        except ControlError as error:
            raise BrokerError(self._explain(error)) from error
        if there:
            message = (
                f"broker {self.name!r} has a queue {queue!r} that this run did not make: nothing was changed."
                f" Queues whose names start with {QUEUE_PREFIX!r} are left by runs that were killed: delete it there"
                " unless another run uses it now"
            )
            raise BrokerError(message)
        self._queues.add(queue)
        try:
            super().declare(queue, durable=durable)
        except BrokerError as error:
            if not isinstance(error.__cause__, (SilentError, UnreachableError)):
                self._queues.discard(queue)  # refused; without an answer it may have been made
            raise

    def delete(self, queue: str) -> None:
        """See `Broker`."""
        super().delete(queue)
        self._queues.discard(queue)

    def pids(self) -> tuple[int, ...]:
        """Return none: its processes are not ours to see."""
        return ()

    def failure(self) -> str | None:
        """See `Broker`; looks at the control connection."""
        if self._control is None:
            return "it is not connected"
        try:
            self._control.check()
        except ControlError as error:
            return self._explain(error)
        return None

    def log(self) -> str:
        """Return nothing: its log is not ours to read."""
        return ""

    def stop(self) -> None:
        """Delete the queues that we declared and disconnect.

        Raises:
            BrokerError: queues are left there; names each, and the reason.
        """
        if self._control is None:
            return
        try:
            error = self._delete_all(self._control)
            self._control.close()
        finally:
            self._detach()
        if error is not None:
            message = (
                f"broker {self.name!r} keeps queues that this run made and could not delete; delete them there:"
                f" {', '.join(sorted(self._queues))}. Reason: {self._explain(error)}"
            )
            raise BrokerError(message)

    def _delete_all(self, control: Control) -> ControlError | None:
        """Delete our queues as far as possible; return the first failure."""
        first: ControlError | None = None
        for queue in sorted(self._queues):
            try:
                control.delete(queue)
            except (UnreachableError, SilentError) as error:
                return first or error  # the others would fail as this one, each after its time
            except ControlError as error:
                first = first or error
            else:
                self._queues.discard(queue)
        return first

    def kill(self) -> None:
        """Do what `stop` does: it is not ours to end."""
        self.stop()

    def _reason(self, error: ControlError) -> str:
        # To look what is wrong now would only wait for the same silence again.
        return self._explain(error) if isinstance(error, SilentError) else super()._reason(error)

    def _explain(self, error: ControlError) -> str:
        return explain(self.name, self._external, self._at, self._environ, error)
