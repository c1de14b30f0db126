"""Addresses, credentials, messages and queues of external brokers."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pika import spec

from brokers import certificates
from brokers.admin import amqp091
from brokers.admin.amqp091 import Amqp091Admin
from brokers.admin.base import (
    Address,
    AdminError,
    Holding,
    LoginRefusedError,
    SilentError,
    TlsRefusedError,
    UnreachableError,
    VirtualHostRefusedError,
)
from brokers.admin.handshake import speaks_tls
from brokers.base import BrokerError
from brokers.endpoint import Tls
from brokers.opening import open_broker
from brokers.places.base import Opening
from brokers.places.external import ExternalBroker, address, explain
from brokers.rabbitmq.product import PRODUCT
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.registry import products
from brokers.settings import External
from brokers.topology import DeclaredQueue, Exchange, QueueKind, Topology
from tests.bench.drivers.amqp091_server import ANSWERS, Amqp091Server

EXTERNAL = External(host="broker.example", port=5671)
SETTINGS = RabbitMQSettings(name="r", kind="rabbitmq", place="external", external=EXTERNAL)
VIRTUAL_HOST = "/"
LISTENERS = PRODUCT.listeners(SETTINGS)
ENVIRON = {"BUSBENCH_USERNAME": "ann", "BUSBENCH_PASSWORD": "secret"}


def test_credentials_come_from_the_named_variables() -> None:
    """And are `guest` where these are not set."""
    named = address(EXTERNAL, VIRTUAL_HOST, ENVIRON)
    assert (named.username, named.password) == ("ann", "secret")
    default = address(EXTERNAL, VIRTUAL_HOST, {})
    assert (default.username, default.password) == ("guest", "guest")


def test_the_virtual_host_is_the_brokers_default_unless_given() -> None:
    """`/` on RabbitMQ, `default` on Broker-J."""
    assert address(EXTERNAL, VIRTUAL_HOST, {}).virtual_host == "/"
    assert address(EXTERNAL, "default", {}).virtual_host == "default"
    given = EXTERNAL.model_copy(update={"virtual_host": "v"})
    assert address(given, VIRTUAL_HOST, {}).virtual_host == "v"


def test_the_password_is_in_no_representation() -> None:
    """Nor in the endpoint that a driver gets."""
    at = address(EXTERNAL, VIRTUAL_HOST, ENVIRON)
    assert "secret" not in repr(at)
    assert "secret" not in repr(LISTENERS[0].endpoint(at))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UnreachableError("x"), "cannot be reached"),
        (LoginRefusedError("x"), "refuses the user 'ann'"),
        (VirtualHostRefusedError("x"), "refuses the virtual host '/'"),
    ],
)
def test_each_refusal_names_address_variables_and_reason(error: AdminError, says: str) -> None:
    """Three causes, three messages; none shows the password."""
    at = address(EXTERNAL, VIRTUAL_HOST, ENVIRON)
    text = explain("r", EXTERNAL, at, ENVIRON, error)
    for part in (says, "broker.example:5671", "BUSBENCH_USERNAME", "BUSBENCH_PASSWORD", "x"):
        assert part in text
    assert "secret" not in text


def test_what_is_asked_of_tls_and_sasl_reaches_drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths hold wherever a worker runs; `true` trusts the system."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    table = {"ca": "ca.pem", "certificate": "~/c.pem", "key": "/etc/k.pem", "server_name": "b", "verify": False}
    given = External.model_validate({"tls": table, "sasl": "external"})
    endpoint = LISTENERS[1].endpoint(address(given, VIRTUAL_HOST, {}))
    assert endpoint.tls == Tls(f"{tmp_path}/ca.pem", "/home/ann/c.pem", "/etc/k.pem", "b", verify=False)
    assert endpoint.sasl == "external"
    assert address(External.model_validate({"tls": True}), VIRTUAL_HOST, {}).tls == Tls(None)
    assert address(EXTERNAL, VIRTUAL_HOST, {}).tls is None


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (TlsRefusedError("its certificate does not pass"), "cannot be reached over TLS: correct `external.tls`"),
        (LoginRefusedError("x"), "does not let us in by SASL EXTERNAL: correct `external.sasl` or `external.tls`"),
    ],
)
def test_refusals_of_tls_and_certificates_name_the_setting(error: AdminError, says: str) -> None:
    """And not the variables of a password that was not sent."""
    given = External.model_validate({"tls": {"certificate": "c.pem"}, "sasl": "external"})
    text = explain("r", given, address(given, VIRTUAL_HOST, ENVIRON), ENVIRON, error)
    assert says in text
    assert str(error) in text
    assert "BUSBENCH" not in text


def test_a_port_that_speaks_tls_is_recognised(tmp_path: Path) -> None:
    """Also where its certificate is nobody's, or it wants one of ours; what to write is said."""
    certificates.make(tmp_path)
    for asks in (False, True):
        with tls_port(tmp_path, asks=asks) as port:
            for kind in ("amqp091", "amqp10"):
                given = {"name": "r", "kind": kind, "place": "external", "external": {"host": f"127.0.0.1:{port}"}}
                broker = open_broker(
                    products().installed[kind].member.settings.model_validate(given), tmp_path, None, {}
                )
                with pytest.raises(BrokerError, match=r"speaks TLS at this port, and we did not: add `tls = true`"):
                    broker.start()


def test_a_port_that_speaks_nothing_is_not_taken_for_tls() -> None:
    """Nor one where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = Address("127.0.0.1", listener.getsockname()[1], "/", "", "")

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert not speaks_tls(at)
        thread.join(5)
    assert not speaks_tls(at)


@contextlib.contextmanager
def tls_port(folder: Path, *, asks: bool) -> Iterator[int]:
    """Yield a port that shakes hands with all who come, until it is left."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / certificates.SERVER, folder / certificates.SERVER_KEY)
    context.load_verify_locations(folder / certificates.CA)
    context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener was shut
            while True:
                came, _ = listener.accept()
                came.settimeout(5)
                with contextlib.suppress(OSError), context.wrap_socket(came, server_side=True) as shaken:
                    shaken.recv(1)
                came.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_a_refused_login_says_which_variables_are_not_set() -> None:
    """The commonest cause."""
    text = explain("r", EXTERNAL, address(EXTERNAL, VIRTUAL_HOST, {}), {}, LoginRefusedError("x"))
    assert "BUSBENCH_USERNAME and BUSBENCH_PASSWORD not set: 'guest' was tried" in text


def test_open_broker_needs_no_image_for_an_external_one(tmp_path: Path) -> None:
    """And needs one for any other."""
    assert isinstance(open_broker(SETTINGS, tmp_path, None, {}), ExternalBroker)
    with pytest.raises(ValueError, match="started from an image"):
        open_broker(RabbitMQSettings(name="r", kind="rabbitmq"), tmp_path, None, {})


def test_a_silent_broker_is_told_from_one_that_is_not_there() -> None:
    """It was reached, so its address is right; what it did not answer is named."""
    at = address(EXTERNAL, VIRTUAL_HOST, ENVIRON)
    text = explain("r", EXTERNAL, at, ENVIRON, SilentError("it did not answer queue.delete within 5 s"))
    for part in ("'r'", "broker.example:5671", "silent", "did not answer queue.delete within 5 s", "restart it"):
        assert part in text


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Amqp091Server]:
    """A broker on which each queue is there already, until it is deleted by someone else."""
    monkeypatch.setattr(amqp091, "ANSWER_TIMEOUT_S", 0.3)
    monkeypatch.setattr(amqp091, "DELETE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(amqp091, "HANDSHAKE_TIMEOUT_S", 0.3)
    found = Amqp091Server()
    yield found
    found.stop()


def _connected(server: Amqp091Server, queues: set[str], tmp_path: Path) -> ExternalBroker:
    settings = SETTINGS.model_copy(update={"name": "far"})
    broker = ExternalBroker(Opening(PRODUCT, settings, tmp_path, None, {}))
    at = Address("127.0.0.1", server.endpoint.port, "/", "guest", "guest")
    link = Amqp091Admin(at)
    link.open()
    broker._attach(at, link)
    broker._queues = queues
    return broker


def test_a_queue_that_is_there_is_refused_with_what_to_do(server: Amqp091Server, tmp_path: Path) -> None:
    """Nobody can choose a name, so the message says whose the queue may be."""
    broker = _connected(server, set(), tmp_path)
    with pytest.raises(BrokerError, match=r"'busbench-1' that this run did not make.*left by runs that were killed"):
        broker.declare("busbench-1", durable=False)
    broker.stop()


def test_queues_that_cannot_be_deleted_are_named_at_the_end(server: Amqp091Server, tmp_path: Path) -> None:
    """All of them, once the broker has fallen silent; and the connection is given up."""
    broker = _connected(server, {"busbench-1", "busbench-2"}, tmp_path)  # the server does not answer queue.delete
    with pytest.raises(BrokerError, match=r"'far' .*delete them there: busbench-1, busbench-2.*answer queue.delete"):
        broker.stop()
    with pytest.raises(BrokerError, match="is not running"):
        broker.depth("busbench-1")


def test_one_refused_queue_does_not_keep_the_others(
    server: Amqp091Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those that are still there are named."""

    def answer(asked: spec.Queue.Delete) -> object:
        refusal = spec.Channel.Close(403, "no", 50, 40)
        return refusal if asked.queue == "busbench-1" else spec.Queue.DeleteOk(0)

    monkeypatch.setitem(ANSWERS, spec.Queue.Delete, answer)
    broker = _connected(server, {"busbench-1", "busbench-2"}, tmp_path)
    with pytest.raises(BrokerError, match=r"delete them there: busbench-1. Reason: .*403 no"):
        broker.stop()


def test_a_queue_whose_declaration_was_not_answered_is_deleted_too(
    server: Amqp091Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been made; at the end it is named among those left."""

    def answer(asked: spec.Queue.Declare) -> object:
        # Another method than the answer leaves the question open.
        return spec.Channel.Close(404, "no queue", 50, 10) if asked.passive else spec.Channel.Flow(active=True)

    monkeypatch.setitem(ANSWERS, spec.Queue.Declare, answer)
    broker = _connected(server, set(), tmp_path)
    with pytest.raises(BrokerError, match=r"cannot declare the queue 'busbench-1'.*not answer queue.declare within"):
        broker.declare("busbench-1", durable=False)
    with pytest.raises(BrokerError, match="delete them there: busbench-1"):
        broker.stop()


def test_consumers_of_our_own_last_trial_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may still be leaving a queue that the user named; those that were there before are refused at once."""
    external = EXTERNAL.model_copy(update={"queues": ("orders",)})
    broker = ExternalBroker(Opening(PRODUCT, SETTINGS.model_copy(update={"external": external}), tmp_path, None, {}))
    admin = Amqp091Admin(Address("127.0.0.1", 1, "/", "guest", "guest"))
    consumers = iter((1, 1, 1, 0))
    monkeypatch.setattr(admin, "holding", lambda _: Holding(0, next(consumers)))
    broker._attach(broker._at, admin)
    assert "has 1 consumers" in next(broker.unusable(1))
    broker._used.add("orders")
    assert list(broker.unusable(1)) == []
    assert list(consumers) == []


TOPOLOGY = Topology((Exchange("busbench-e", "fanout"),), (DeclaredQueue("busbench-q", QueueKind(durable=False)),))


def test_a_topology_and_named_queues_exclude_each_other(server: Amqp091Server, tmp_path: Path) -> None:
    """Whoever names queues may not be allowed to declare any."""
    broker = _connected(server, set(), tmp_path)
    broker._external = EXTERNAL.model_copy(update={"queues": ("orders",)})
    with pytest.raises(BrokerError, match=r"external.queues names queues that are there.*leave out one of them"):
        broker.declare_topology(TOPOLOGY)
    broker.stop()


def test_what_was_there_before_is_neither_declared_nor_deleted(
    server: Amqp091Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exchanges and queues alike; the server answers no deletion, and is asked for none."""
    monkeypatch.setitem(ANSWERS, spec.Exchange.Declare, lambda _: spec.Exchange.DeclareOk())
    broker = _connected(server, set(), tmp_path)
    with pytest.raises(BrokerError, match=r"has the exchange 'busbench-e', the queue 'busbench-q', which this run did"):
        broker.declare_topology(TOPOLOGY)
    broker.delete_topology(TOPOLOGY)
    broker.stop()


def test_a_topology_that_cannot_be_deleted_is_named_at_the_end(server: Amqp091Server, tmp_path: Path) -> None:
    """All of its parts."""
    broker = _connected(server, set(), tmp_path)
    broker._topologies.append(TOPOLOGY)
    with pytest.raises(BrokerError, match="delete them there: busbench-e, busbench-q"):
        broker.stop()
