"""The admin over AMQP 0-9-1 against a broker that stops answering."""

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pika import spec

from brokers.admin import amqp091
from brokers.admin.amqp091 import Amqp091Admin
from brokers.admin.base import Address, AdminError, LoginRefusedError, SilentError
from brokers.endpoint import Sasl
from brokers.topology import Exchange, QueueKind, TakenMessage, Topology
from tests.bench.drivers.amqp091_server import ANSWERS, Amqp091Server

CALLS: list[tuple[str, Callable[[Amqp091Admin], object]]] = [
    ("channel.open", lambda asked: asked.depth("q")),
    ("queue.declare", lambda asked: asked.declare("q", QueueKind(durable=True, arguments={}))),
    ("queue.declare (passive)", lambda asked: asked.depth("q")),
    ("queue.delete", lambda asked: asked.delete("q")),
    ("exchange.declare", lambda asked: asked.declare_topology(Topology((Exchange("e", "direct"),)))),
    ("exchange.delete", lambda asked: asked.delete_exchange("e")),
]
SILENT = {"channel.open": spec.Channel.Open, "queue.declare": spec.Queue.Declare, "queue.delete": spec.Queue.Delete}


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp091, "ANSWER_TIMEOUT_S", 0.3)
    monkeypatch.setattr(amqp091, "DELETE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(amqp091, "HANDSHAKE_TIMEOUT_S", 0.3)


@pytest.mark.parametrize("sasl", ["external", "anonymous"])
def test_a_mechanism_that_is_not_offered_is_a_refused_login(sasl: Sasl) -> None:
    """By its name."""
    server = Amqp091Server()
    with pytest.raises(LoginRefusedError, match=sasl.upper()):
        Amqp091Admin(Address("127.0.0.1", server.endpoint.port, "/", "", "", sasl=sasl)).open()
    server.stop()


def _control(server: Amqp091Server) -> Amqp091Admin:
    return Amqp091Admin(Address("127.0.0.1", server.endpoint.port, "/", "guest", "guest"))


@pytest.mark.parametrize(("method", "call"), CALLS, ids=[name for name, _ in CALLS])
def test_each_call_ends_and_names_what_was_not_answered(
    method: str, call: Callable[[Amqp091Admin], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its time; afterwards the socket is closed, which the server sees."""
    monkeypatch.delitem(ANSWERS, SILENT.get(method.removesuffix(" (passive)"), spec.Exchange.Declare), raising=False)
    server = Amqp091Server()
    asked = _control(server)
    asked.open()
    begun = time.monotonic()
    with pytest.raises(SilentError) as caught:
        call(asked)
    assert str(caught.value) == f"it did not answer {method} within 0.3 s"
    assert time.monotonic() - begun < 2
    server._thread.join(5)  # ends when its client hangs up
    assert not server._thread.is_alive()
    server.stop()


def test_a_deletion_may_take_longer_but_only_where_the_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent broker costs the time of one answer, however patient a deletion is."""
    monkeypatch.setattr(amqp091, "DELETE_TIMEOUT_S", 60.0)
    monkeypatch.delitem(ANSWERS, spec.Queue.Declare)
    server = Amqp091Server()
    asked = _control(server)
    asked.open()
    with pytest.raises(SilentError, match=r"queue.declare \(passive\) within 0.3 s"):
        asked.delete("q")
    server.stop()


def test_a_handshake_that_stays_unfinished_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is right then, so this is not told as a broker that cannot be reached."""
    monkeypatch.delitem(ANSWERS, spec.Connection.Open)
    server = Amqp091Server()
    with pytest.raises(SilentError, match=r"did not answer the AMQP 0-9-1 handshake within 0.3 s"):
        _control(server).open()
    server.stop()


@pytest.mark.parametrize("end", [Amqp091Admin.close, Amqp091Admin.drop])
def test_an_unanswered_close_ends(end: Callable[[Amqp091Admin], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is given up, not waited for."""
    monkeypatch.delitem(ANSWERS, spec.Connection.Close)
    server = Amqp091Server()
    asked = _control(server)
    asked.open()
    begun = time.monotonic()
    end(asked)
    assert time.monotonic() - begun < 2
    server._thread.join(5)
    assert not server._thread.is_alive()
    server.stop()


def test_a_drop_says_nothing_to_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A close does: its method is heard."""
    monkeypatch.delitem(ANSWERS, spec.Connection.Close)  # what is not answered is kept in `heard`
    heard = []
    for end in (Amqp091Admin.drop, Amqp091Admin.close):
        server = Amqp091Server()
        asked = _control(server)
        asked.open()
        end(asked)
        server._thread.join(5)
        heard.append(any(isinstance(method, spec.Connection.Close) for method in server.heard.queue))
        server.stop()
    assert heard == [False, True]


def test_a_drop_closes_the_socket_after_a_refusal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that the broker closed leaves pika an event to tell, which must not end its loop too early."""
    monkeypatch.setitem(ANSWERS, spec.Queue.Declare, lambda _: spec.Channel.Close(404, "no queue", 50, 10))
    server = Amqp091Server()
    asked = _control(server)
    asked.open()
    assert asked.depth("q") is None
    asked.drop()
    server._thread.join(5)
    assert not server._thread.is_alive()
    server.stop()


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Python's own answer to Ctrl-C, also where the tests run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_ends_a_call_and_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late answer can therefore not be taken for that of the next call."""
    monkeypatch.setattr(amqp091, "DELETE_TIMEOUT_S", 60.0)
    server = Amqp091Server()
    asked = _control(server)
    asked.open()
    main = threading.get_ident()

    def interrupt() -> None:
        server.hear(spec.Queue.Delete)
        signal.pthread_kill(main, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        asked.delete("q")
    interrupter.join()
    server._thread.join(5)
    assert not server._thread.is_alive()
    server.stop()


DEATHS = [{"reason": "expired", "queue": "q", "count": 2}, {"reason": "rejected", "queue": "p", "count": 1}]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-death": DEATHS}, TakenMessage(b"", "expired", "q", 2)),
        ({"x-death": [{}]}, TakenMessage(b"")),
        ({"x-death": [{"count": "many", "queue": "\x1b[2J"}]}, TakenMessage(b"", "", "\\x1b[2J", 0)),
        ({"x-death": "soon"}, TakenMessage(b"")),
        ({}, TakenMessage(b"")),
    ],
)
def test_the_last_death_is_told(headers: dict[str, object], found: TakenMessage) -> None:
    """Whatever a stranger wrote there."""
    assert amqp091._with_its_death(b"", headers) == found


def test_nothing_is_taken_from_a_queue_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor from one that is empty, which is not consumed from."""
    server = Amqp091Server()
    asked = _control(server)
    asked.open()
    assert list(asked.take("q", 5)) == []
    monkeypatch.setitem(ANSWERS, spec.Queue.Declare, lambda _: spec.Channel.Close(404, "no queue", 50, 10))
    with pytest.raises(AdminError, match="there is no queue 'q'"):
        list(asked.take("q", 5))
    asked.drop()
    server.stop()
