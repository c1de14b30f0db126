"""The relay, as stock clients see it: counts, prefetch and credit, what is refused, and what ends."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pika
import pika.exceptions
import pytest
from proton import Link, Message, Timeout
from proton.utils import BlockingConnection, LinkDetached, SendException

from bench.ceiling.measure import relay
from tests.bench.ceiling.relay_client import channel, declared

pytestmark = pytest.mark.compiled

PERSISTENT = pika.BasicProperties(delivery_mode=2, headers={"kind": "test"}, message_id="m")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A relay: where it listens."""
    with relay() as where:
        yield where


@pytest.fixture
def queue(port: int) -> str:
    """A fresh queue of ten messages, the bodies b"0" to b"9"."""
    name = f"q-{uuid4()}"
    with channel(port) as one:
        one.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        one.confirm_delivery()
        for number in range(10):
            one.basic_publish("", name, str(number).encode(), PERSISTENT, mandatory=True)
    return name


def until(true: Callable[[], bool], act: Callable[[], object] = lambda: time.sleep(0.01)) -> None:
    """Do something until a thing is true, for 5 s at most."""
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        act()


def consume(one: Any, queue: str, **options: Any) -> tuple[list[tuple[int, bytes]], str]:
    """Consume; return where deliveries will be, by tag and body, and the consumer's tag."""
    came: list[tuple[int, bytes]] = []
    tag = one.basic_consume(queue, lambda _c, method, _p, body: came.append((method.delivery_tag, body)), **options)
    return came, tag


def settled(one: Any) -> None:
    """Let all that is on its way come: a question is answered behind it."""
    one.queue_declare("")
    one.connection.process_data_events(time_limit=0.05)


def test_counts_are_true(port: int, queue: str) -> None:
    """Passively declared: messages that are ready, and consumers; purge and delete say what they dropped."""
    assert declared(port, queue, passive=True) == (10, 0)
    with channel(port) as one, channel(port) as other:
        one.basic_qos(prefetch_count=4)
        came, _ = consume(one, queue)
        settled(one)
        assert len(came) == 4
        assert declared(port, queue, passive=True) == (6, 1)
        assert other.queue_purge(queue).method.message_count == 6
        assert declared(port, queue, passive=True) == (0, 1)
        other.basic_publish("", queue, b"more")
        assert other.queue_delete(queue).method.message_count == 1
        assert other.queue_delete(queue).method.message_count == 0
        until(lambda: not one.consumer_tags, lambda: one.connection.process_data_events(time_limit=0.05))
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="NOT_FOUND"):
        declared(port, queue, passive=True)


def test_the_prefetch_bounds_what_is_unacknowledged(port: int, queue: str) -> None:
    """Single and multiple acknowledgements, and refusals, each make room; nothing is delivered twice."""
    with channel(port) as one:
        one.basic_qos(prefetch_count=3)
        came, _ = consume(one, queue)
        for settle, expected in (
            (lambda: None, 3),
            (lambda: one.basic_ack(2), 4),
            (lambda: one.basic_ack(3, multiple=True), 6),
            (lambda: one.basic_reject(5, requeue=True), 7),
            (lambda: one.basic_nack(0, multiple=True), 10),
        ):
            settle()
            settled(one)
            assert len(came) == expected
        assert came == [(number + 1, str(number).encode()) for number in range(10)]
        one.basic_ack(99)
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match=r"406.*unknown delivery tag 99"):
            one.queue_declare(queue, passive=True)


def test_a_global_prefetch_holds_for_all_consumers_of_a_channel(port: int, queue: str) -> None:
    """Two consumers have three messages between them, in turn."""
    with channel(port) as one:
        one.basic_qos(prefetch_count=3, global_qos=True)
        (first, _), (second, _) = consume(one, queue), consume(one, queue)
        settled(one)
        assert len(first) + len(second) == 3
        one.basic_ack(0, multiple=True)
        settled(one)
        assert len(first) + len(second) == 6


def test_consumers_share_a_queue_and_leave_it(port: int, queue: str) -> None:
    """In turn, as far as each takes; one that was cancelled, or whose connection is gone, gets nothing more."""
    with channel(port) as one, channel(port) as other:
        one.basic_qos(prefetch_count=1)
        other.basic_qos(prefetch_count=2)
        came, tag = consume(one, queue)
        consume(other, queue)
        settled(one)
        assert declared(port, queue, passive=True) == (7, 2)
        one.basic_cancel(tag)
        one.basic_ack(0, multiple=True)
        settled(one)
        assert len(came) == 1
        assert declared(port, queue, passive=True) == (7, 1)
    until(lambda: declared(port, queue, passive=True)[1] == 0)


def test_properties_are_those_that_were_published(port: int, queue: str) -> None:
    """Headers, delivery mode and the routing key come with each message."""
    with channel(port) as one:
        found: list[Any] = []
        one.basic_consume(queue, lambda _c, method, properties, _b: found.append((method, properties)), auto_ack=True)
        settled(one)
    assert len(found) == 10
    method, properties = found[0]
    assert (method.exchange, method.routing_key, method.redelivered) == ("", queue, False)
    assert properties == PERSISTENT


def test_what_reaches_no_queue_comes_back(port: int) -> None:
    """Where it is mandatory; else it is confirmed and dropped."""
    with channel(port) as one:
        one.confirm_delivery()
        one.basic_publish("", "nowhere", b"x")
        with pytest.raises(pika.exceptions.UnroutableError) as found:
            one.basic_publish("", "nowhere", b"x", mandatory=True)
        assert found.value.messages[0].body == b"x"


def test_what_it_cannot_do_is_refused(port: int, queue: str) -> None:
    """Another exchange costs the channel, a method that it lacks the connection; each with a reason."""
    with channel(port) as one:
        one.basic_publish("amq.topic", queue, b"x")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match=r"no exchange 'amq\.topic'"):
            one.queue_declare(queue, passive=True)
        again = one.connection.channel()
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match=r"540.*Basic\.Get"):
            again.basic_get(queue)


def test_another_protocol_is_told_which_is_spoken(port: int) -> None:
    """By the header of 0-9-1, and the end of the connection; what is no frame ends it with a reason."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(100, socket.MSG_WAITALL) == b"AMQP\0\0\x09\x01"
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"AMQP\0\0\x09\x01" + bytes((1, 0, 0, 0x7F, 0, 0, 0)) + bytes(8))
        said = b""
        while b"FRAME_ERROR" not in said:
            said += (part := client.recv(4_096))
            assert part, said
        client.sendall(b"no frame, though a close-ok is waited for")
        while client.recv(4_096):
            pass


def test_heartbeats_are_sent_where_they_are_asked_for(port: int) -> None:
    """A client that agrees on one second hears one each half of it."""
    beat = pika.frame.Heartbeat().marshal()
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"AMQP\0\0\x09\x01")
        for method in (pika.spec.Connection.StartOk({}, "PLAIN", "", "en_US"), pika.spec.Connection.TuneOk(0, 0, 1)):
            client.sendall(pika.frame.Method(0, method).marshal())
        said = b""
        while said.count(beat) < 3:
            said += (part := client.recv(4_096))
            assert part, said


def proton(port: int) -> BlockingConnection:
    """Connect by Proton's own client; without SASL, for which it needs plug-ins."""
    return BlockingConnection(f"127.0.0.1:{port}", timeout=5, sasl_enabled=False)


def test_credit_bounds_what_a_receiver_is_sent(port: int, queue: str) -> None:
    """Three credits are three messages, the next one more; accepted ones are settled."""
    connection = proton(port)
    receiver = connection.create_receiver(f"/queues/{queue}", credit=3)
    for number in range(3):
        message = receiver.receive(5)
        assert bytes(message.body) == str(number).encode()
        receiver.accept()
        assert declared(port, queue, passive=True)[0] >= 10 - 3 - number - 1
    connection.close()
    until(lambda: declared(port, queue, passive=True)[1] == 0)


def test_a_sender_is_accepted_on_an_address_that_it_makes(port: int) -> None:
    """A queue is made by a link; messages of any kind come back as they were, and a deleted queue ends its links."""
    address = f"made-{uuid4()}"
    connection = proton(port)
    sender, receiver = connection.create_sender(address), connection.create_receiver(address, credit=10)
    sent = Message(id="one", body={"a": [1, "two"]}, durable=True, properties={"kind": "test"}, subject="s")
    assert sender.send(sent).remote_state.name == "ACCEPTED"
    came = receiver.receive(5)
    receiver.accept()
    assert (came.id, came.body, came.durable, came.properties, came.subject) == (
        sent.id, sent.body, sent.durable, sent.properties, sent.subject,
    )  # fmt: skip
    assert declared(port, address, passive=True) == (0, 1)
    with pytest.raises(Timeout):
        receiver.receive(0.1)
    receiver.close()
    until(lambda: declared(port, address, passive=True) == (0, 0))
    receiver = connection.create_receiver(address, credit=10)
    with channel(port) as one:
        one.queue_delete(address)
    with pytest.raises(LinkDetached, match="was deleted"):
        receiver.receive(5)
    connection.close()


def test_links_without_an_address(port: int) -> None:
    """A dynamic source is given a name; to a target that names nothing each message names its own, or is rejected."""
    connection = proton(port)
    receiver = connection.create_receiver(None, dynamic=True, credit=1)
    name = receiver.link.remote_source.address
    connection.create_sender(name).send(Message(body="x"))
    assert receiver.receive(5).body == "x"
    anonymous = connection.create_sender(None)
    anonymous.send(Message(body="y", address=name))
    assert receiver.receive(5).body == "y"
    with pytest.raises(SendException):
        anonymous.send(Message(body="z"))
    with pytest.raises(LinkDetached, match="name the queue"):
        connection.create_receiver(None)
    connection.close()


def test_a_message_beyond_the_bound_is_refused() -> None:
    """Over 1.0 by the end of its link, over 0-9-1 by that of its channel."""
    with relay(memory_mib=1) as where:
        connection = proton(where)
        sender = connection.create_sender("large")
        with pytest.raises(LinkDetached, match="at most 1048576 octets"):
            sender.send(Message(body=bytes(2_000_000)))
        connection.close()
        with channel(where) as one:
            one.confirm_delivery()
            with pytest.raises(pika.exceptions.ChannelClosedByBroker, match=r"311.*CONTENT_TOO_LARGE"):
                one.basic_publish("", "large", bytes(2_000_000))


def test_settled_senders_and_receivers(port: int, queue: str) -> None:
    """What goes settled each way is delivered once and waits for no word."""
    connection = proton(port)
    settled_both = [_Settled()]
    sender = connection.create_sender(queue, options=settled_both)
    receiver = connection.create_receiver(queue, credit=20, options=settled_both)
    came = [receiver.receive(5) for _ in range(10)]
    assert [bytes(message.body) for message in came] == [str(number).encode() for number in range(10)]
    sender.send(Message(body=b"last"))
    last = receiver.receive(5)  # its body is no more than a view of it
    assert bytes(last.body) == b"last"
    connection.close()


class _Settled:
    """Asks for pre-settled transfers."""

    def apply(self, link: Link) -> None:
        """See `proton.reactor.LinkOption`."""
        link.snd_settle_mode = Link.SND_SETTLED

    def test(self, _link: Link) -> bool:
        """See there."""
        return True
