"""The admin over AMQP 1.0: what it asks, what it makes of refusals, and that every call ends."""

import dataclasses
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from proton import Condition, Delivery, Event, Message

from brokers.admin import amqp10_connection, amqp10_links
from brokers.admin.amqp10 import Amqp10Admin
from brokers.admin.amqp10_conditions import RefusedError
from brokers.admin.base import (
    Address,
    AdminError,
    Holding,
    LoginRefusedError,
    SilentError,
    TlsRefusedError,
    UnreachableError,
    UnsupportedError,
    VirtualHostRefusedError,
)
from brokers.artemis.admin import ArtemisAdmin
from brokers.endpoint import Sasl
from brokers.topology import Binding, DeclaredQueue, Exchange, QueueKind, Topology
from tests.brokers.admin.amqp10_peer import Amqp10Peer, amqp10_peer
from tests.tls_server import tls_server

NOT_FOUND = Condition("amqp:not-found", "no node 'q'")


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp10_connection, "ANSWER_TIMEOUT_S", 0.3)
    monkeypatch.setattr(amqp10_connection, "HANDSHAKE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(amqp10_connection, "DETACH_TIMEOUT_S", 0.3)
    monkeypatch.setattr(amqp10_links, "QUIET_S", 0.2)


def _echo(request: Message) -> list[Message]:
    return [Message(body=f"re: {request.body}", correlation_id=request.correlation_id)]


def test_whether_queues_can_be_deleted_is_known() -> None:
    """By the protocol alone they cannot; a product's own admin may have its way."""
    at = Address("127.0.0.1", 1, "/", "", "")
    assert not Amqp10Admin(at).deletes
    assert ArtemisAdmin(at).deletes


def test_a_certificate_that_comes_too_late_is_a_fault_of_tls(certified: Path) -> None:
    """TLS 1.3 refuses a client without certificate when its own handshake is over already."""
    with tls_server(certified, asks=True) as server:
        at = server.endpoint
        with pytest.raises(TlsRefusedError, match="handshake"):
            Amqp10Admin(Address(at.host, at.port, "/", "guest", "guest", at.tls)).open()


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        (b"AMQP\x00\x00\x09\x01", "it does not speak SASL over AMQP 1.0"),
        (b"HTTP/1.1 400 Bad Request", "it does not speak SASL over AMQP 1.0"),
        (b"", "it closed the connection while we logged in"),
    ],
)
def test_what_does_not_speak_amqp10_is_not_reached(says: bytes, kind: str) -> None:
    """Whatever it says instead."""
    with _talker(says) as at, pytest.raises(UnreachableError, match=kind):
        Amqp10Admin(at).open()


def test_nobody_there_is_not_reached() -> None:
    """In the system's words, without its numbers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = Address("127.0.0.1", listener.getsockname()[1], "/", "guest", "guest")
    with pytest.raises(UnreachableError, match=r"^Connection refused$"):
        Amqp10Admin(at).open()


@pytest.mark.parametrize("sasl", ["external", "anonymous"])
def test_a_mechanism_that_is_not_offered_is_a_refused_login(sasl: Sasl) -> None:
    """By its name."""
    offer = b"AMQP\x03\x01\x00\x00" + b"\x00\x00\x00\x15\x02\x01\x00\x00\x00\x53\x40\xc0\x08\x01\xa3\x05PLAIN"
    with _talker(offer) as at, pytest.raises(LoginRefusedError, match=f"offers SASL PLAIN and not {sasl.upper()}"):
        Amqp10Admin(dataclasses.replace(at, sasl=sasl)).open()


def test_a_wrong_password_is_a_refused_login() -> None:
    """The user is named, the password is not."""
    with amqp10_peer(sasl=1) as peer, pytest.raises(LoginRefusedError, match=r"PLAIN: wrong .*\(user 'guest'\)$"):
        Amqp10Admin(peer.address).open()


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        (NOT_FOUND, VirtualHostRefusedError),
        (Condition("amqp:connection:forced", "not active"), VirtualHostRefusedError),
        (Condition("amqp:unauthorized-access", "no access to this virtual host"), VirtualHostRefusedError),
        (Condition("amqp:unauthorized-access", "unable to validate user"), LoginRefusedError),
    ],
)
def test_an_open_frame_is_refused_for_its_virtual_host(condition: Condition, error: type[AdminError]) -> None:
    """Unless the broker says that it is for the user, as Artemis does; its words are quoted."""
    with amqp10_peer(refusal=condition) as peer, pytest.raises(error, match=condition.description):
        Amqp10Admin(peer.address, "vhost:nope").open()


SILENT: list[tuple[int, str, Callable[[Amqp10Admin], object]]] = [
    (Event.CONNECTION_REMOTE_OPEN, "the AMQP 1.0 handshake", Amqp10Admin.open),
    (Event.SESSION_REMOTE_OPEN, "begin", Amqp10Admin.open),
    (Event.LINK_REMOTE_OPEN, "attach", lambda admin: admin.declare("q", QueueKind(durable=True))),
    (Event.LINK_REMOTE_OPEN, "attach", lambda admin: admin.holding("q")),
    (Event.LINK_REMOTE_OPEN, "attach", lambda admin: admin.purge("q")),
    (Event.DELIVERY, "a request to m", lambda admin: admin.request("m", Message(body="x"))),
]


@pytest.mark.parametrize(
    ("silent", "what", "call"), SILENT, ids=[f"{what} {n}" for n, (_, what, _) in enumerate(SILENT)]
)
def test_each_call_ends_and_names_what_was_not_answered(
    silent: int, what: str, call: Callable[[Amqp10Admin], object]
) -> None:
    """In its time; afterwards the socket is closed, which the server sees."""
    with amqp10_peer(silent=silent) as peer:
        admin = Amqp10Admin(peer.address)
        begun = time.monotonic()
        with pytest.raises(SilentError) as caught:
            call(admin)
        assert str(caught.value) == f"it did not answer {what} within 0.3 s"
        assert time.monotonic() - begun < 2
        assert not admin.is_open()
        peer.wait()


def test_a_port_that_says_nothing_is_silence() -> None:
    """The address may be right then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = Address("127.0.0.1", listener.getsockname()[1], "/", "guest", "guest")
        with pytest.raises(SilentError, match=r"did not answer the AMQP 1.0 handshake within 0.3 s"):
            Amqp10Admin(at).open()


def test_it_tells_what_the_broker_says_of_itself() -> None:
    """Properties of the open frame, and the container's id."""
    with amqp10_peer() as peer:
        admin = Amqp10Admin(peer.address)
        admin.open()
        names = ("product", "version", "container-id", "platform")
        assert [admin.peer_property(name) for name in names] == ["a fake", "1", "fake-1", ""]
        assert admin.cipher() == ""
        admin.close()


def test_a_queue_is_declared_by_asking_for_one() -> None:
    """The target has the capability `queue`, by which brokers know what to create."""
    with amqp10_peer() as peer:
        admin = Amqp10Admin(peer.address)
        admin.declare("q", QueueKind(durable=True))
        admin.close()
    assert peer.targets == [("q", ["queue"])]


def test_a_queue_that_is_not_created_on_demand_cannot_be_declared() -> None:
    """Nor one with arguments; neither costs the connection."""
    with amqp10_peer(links={"q": NOT_FOUND}) as peer:
        admin = Amqp10Admin(peer.address)
        admin.open()
        with pytest.raises(UnsupportedError, match=r"create 'q' on demand; name one .*amqp:not-found: no node 'q'$"):
            admin.declare("q", QueueKind(durable=True))
        with pytest.raises(UnsupportedError, match="with arguments \\(x-queue-type\\)"):
            admin.declare("q", QueueKind(durable=True, arguments={"x-queue-type": "quorum"}))
        assert admin.is_open()
        admin.close()


@pytest.mark.parametrize("call", [Amqp10Admin.depth, Amqp10Admin.delete])
def test_what_the_protocol_cannot_do_is_said(call: Callable[[Amqp10Admin, str], object]) -> None:
    """Without a connection."""
    with pytest.raises(UnsupportedError, match=r"'q'.* management"):
        call(Amqp10Admin(Address("127.0.0.1", 1, "", "", "")), "q")


@pytest.mark.parametrize(("messages", "found"), [(0, 0), (1, 1), (5, 1)])
def test_a_look_into_a_queue_gives_back_what_it_saw(messages: int, found: int) -> None:
    """One message at most is asked for, and released."""
    with amqp10_peer(queues={"q": messages}) as peer:
        admin = Amqp10Admin(peer.address)
        assert admin.holding("q") == Holding(found, None)
        admin.close()
    assert peer.outcomes == ["RELEASED"] * found


def test_there_is_no_look_into_a_queue_that_is_not_there() -> None:
    """None is not the same as nothing."""
    with amqp10_peer(links={"q": NOT_FOUND}) as peer:
        admin = Amqp10Admin(peer.address)
        assert admin.holding("q") is None
        admin.close()


def test_a_purge_accepts_all_that_comes() -> None:
    """More than it asks for at a time."""
    with amqp10_peer(queues={"q": 3 * amqp10_links.PURGED}) as peer:
        admin = Amqp10Admin(peer.address)
        admin.purge("q")
        admin.close()
    assert peer.outcomes == ["ACCEPTED"] * 3 * amqp10_links.PURGED


def test_a_request_gets_its_own_answer() -> None:
    """Answers to others are passed over; the second request finds the links there."""
    stray = Message(body="stray", correlation_id="someone else's")
    with amqp10_peer(answer=lambda request: [stray, *_echo(request)]) as peer:
        admin = Amqp10Admin(peer.address)
        assert [admin.request("m", Message(body=body)).body for body in ("a", "b")] == ["re: a", "re: b"]
        admin.close()
    assert [address for address, _ in peer.targets] == ["m"]


def test_a_request_that_is_not_taken_is_refused() -> None:
    """Not waited for; the connection remains."""
    with amqp10_peer(outcome=Delivery.REJECTED) as peer:
        admin = Amqp10Admin(peer.address)
        with pytest.raises(RefusedError, match="did not take the request: rejected"):
            admin.request("m", Message(body="x"))
        assert admin.is_open()
        admin.close()


def test_a_request_to_no_node_is_refused_by_its_condition() -> None:
    """The next one, to another node, is answered."""
    with amqp10_peer(links={"q": NOT_FOUND}, answer=_echo) as peer:
        admin = Amqp10Admin(peer.address)
        with pytest.raises(RefusedError, match="no node 'q'") as caught:
            admin.request("q", Message(body="x"))
        assert caught.value.condition == "amqp:not-found"
        assert admin.request("m", Message(body="y")).body == "re: y"
        admin.close()


def test_callers_wait_for_each_other() -> None:
    """From several threads, each gets its own answer."""
    with amqp10_peer(answer=_echo) as peer:
        admin = Amqp10Admin(peer.address)
        admin.open()
        got: dict[int, object] = {}
        threads = [
            threading.Thread(target=lambda n=n: got.update({n: admin.request("m", Message(body=str(n))).body}))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        admin.close()
    assert got == {n: f"re: {n}" for n in range(8)}


@pytest.mark.parametrize(("end", "said"), [(Amqp10Admin.close, True), (Amqp10Admin.drop, False)])
def test_a_close_says_goodbye_and_a_drop_does_not(end: Callable[[Amqp10Admin], None], *, said: bool) -> None:
    """The socket is closed either way, and a second time does no harm."""
    with amqp10_peer() as peer:
        admin = Amqp10Admin(peer.address)
        admin.open()
        end(admin)
        end(admin)
        peer.wait()
        assert not admin.is_open()
    assert peer.closed is said


def test_an_unanswered_close_ends() -> None:
    """The connection is given up, not waited for."""
    asleep, awake = threading.Event(), threading.Event()
    with amqp10_peer() as peer:
        admin = Amqp10Admin(peer.address)
        admin.open()
        peer.do(lambda: (asleep.set(), awake.wait(5)))
        assert asleep.wait(5)
        begun = time.monotonic()
        admin.close()
        assert time.monotonic() - begun < 2
        assert not admin.is_open()
        awake.set()


def test_a_lost_connection_is_noticed_and_opened_again() -> None:
    """Where nobody listens any more, the check says so."""
    peer = Amqp10Peer()
    admin = Amqp10Admin(peer.address)
    admin.check()
    peer._listener.close()
    peer.do(peer._transport.close_tail)
    peer.wait()
    with pytest.raises(UnreachableError, match="Connection refused"):
        admin.check()
    assert not admin.is_open()


class _talker:  # noqa: N801  (used as a function)
    """Says the same to whoever connects, and hangs up when they do."""

    def __init__(self, says: bytes) -> None:
        self._says = says
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Address:
        self._thread.start()
        return Address("127.0.0.1", self._listener.getsockname()[1], "/", "guest", "guest")

    def __exit__(self, *_: object) -> None:
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client:
            client.recv(8)
            if self._says:
                client.sendall(self._says)
                while client.recv(1024):
                    pass


def test_of_a_topology_the_protocol_leaves_the_queues() -> None:
    """It cannot delete them, and has no exchanges; nobody is asked."""
    admin = Amqp10Admin(Address("127.0.0.1", 1, "", "", ""))
    topology = Topology((Exchange("e", "fanout"),), (DeclaredQueue("q", QueueKind(durable=True)),))
    admin.delete_topology(topology)
    with pytest.raises(UnsupportedError, match="has no exchanges, and cannot declare 'e'"):
        admin.declare_topology(topology)
    with pytest.raises(UnsupportedError, match="cannot bind 'q' to 'e'"):
        admin.bind(Binding("e", "q"))
    assert not admin.has_topology(topology)
