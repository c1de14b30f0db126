"""What is decided of a delivery as it comes: whether it is taken, rejected or given back, and what is kept of it."""

import cproton as pn
import numpy as np
import pytest
from proton import Data, Message

from bench.arrivals import stamp
from bench.arrivals.sizes import REFUSAL_SEED, Sizes
from bench.drivers.base import Properties
from bench.wire import amqp10_layout as x
from bench.wire.amqp10_front import make_front
from bench.wire.amqp10_outgoing import make_form
from bench.wire.amqp10_table_rows import new_receiver
from tests.bench.wire.amqp10_client import Client
from tests.bench.wire.amqp10_proton import ProtonPeer, exchange

REJECTED, GIVEN_BACK, TAKEN = range(3)


def encoded(producer: int, seq: int, **fields: object) -> bytes:
    """Return a message of ours as Proton encodes it."""
    body = bytearray(40)
    stamp.pack_into(body, producer, seq, 1, 2)
    message = Message(body=bytes(body), inferred=True)
    for name, value in fields.items():
        setattr(message, name, value)
    return bytes(message.encode())


@pytest.mark.parametrize("ack_batch", [1, 4, 1_000])
@pytest.mark.parametrize(("reject", "requeue"), [(0.3, 0.4), (0.0, 1.0), (1.0, 0.0)])
def test_shares_are_rejected_and_given_back(ack_batch: int, reject: float, requeue: float) -> None:
    """By the hash of the message; what comes again is given back no more; bodies of others are accepted."""
    client, peer = Client(receivers=1, prefetch=200), ProtonPeer()
    lane = client.lane0
    new_receiver(client.tables, lane, number=0, handle=0, prefetch=200, ack_batch=ack_batch, shares=(reject, requeue))
    client.hello()
    exchange(client, peer)
    expected = []
    verdicts = Sizes((REJECTED, GIVEN_BACK, TAKEN), (reject, requeue, 1 - reject - requeue), REFUSAL_SEED)
    for seq in range(100):
        peer.deliver("r0", seq.to_bytes(4, "big"), [encoded(9, seq, delivery_count=seq % 2)], settled=False)
        verdict = verdicts.of(9, seq)
        if verdict == REJECTED:
            expected.append(pn.PN_REJECTED)
        elif verdict == GIVEN_BACK and seq % 2 == 0:
            expected.append(pn.PN_MODIFIED)
        else:
            expected.append(pn.PN_ACCEPTED)
    peer.deliver("r0", b"none", [bytes(Message(body=b"short", inferred=True).encode())], settled=False)
    exchange(client, peer)
    client.answer(flush=True)
    exchange(client, peer)
    peer.close()
    assert [state for _, state, _ in peer.news] == [*expected, pn.PN_ACCEPTED]
    assert all(settled for _, _, settled in peer.news)
    assert (client.tally[x.T_REJECTED], client.tally[x.T_REQUEUED]) == (
        expected.count(pn.PN_REJECTED),
        expected.count(pn.PN_MODIFIED),
    )
    assert len(client.deliveries) == 100
    assert client.others_untouched()


def learning(width: int = 200, news: int = 2_000) -> Client:
    """Return a client that keeps the properties of what it receives."""
    client = Client(receivers=2, prefetch=100)
    client.tables = client.tables._replace(
        spans=np.zeros((4, 2), np.int64),
        scratch=np.zeros((len(client.tables.lanes), x.SCRATCH + width), np.uint8),
        texts=np.zeros(news + 10, np.uint8),
        form=make_form(make_front(Properties(), durable=False), compact=True, news=news),
    )
    for lane in range(2):
        client.lane(lane)[x.L_MORE] = 1
    return client


def learned(client: Client) -> list[tuple[int, list[object] | None]]:
    """Return producers with the lists that were handed on."""
    news, found = client.tables.texts[: client.tally[x.T_LEARNED]].tobytes(), []
    while news:
        producer, length = int.from_bytes(news[:4], "big"), int.from_bytes(news[4:8], "big")
        octets, news = news[8 : 8 + length], news[8 + length :]
        listed = None
        if octets:
            data = Data()
            sizes = {0xC0: 1, 0xD0: 4}[octets[0]]
            data.decode(octets[:1] + (length - 1).to_bytes(sizes, "big") + octets[1:])
            data.rewind()
            data.next()
            listed = data.get_object()
        found.append((producer, listed))
    client.tally[x.T_LEARNED] = 0
    return found


@pytest.mark.parametrize("step", [0, 1, 7])
def test_properties_of_new_producers_are_handed_on(step: int) -> None:
    """Of each message until there is a text for its producer, or it is known that there is none."""
    client, peer = learning(), ProtonPeer()
    client.hello()
    exchange(client, peer, step)
    for tag, (link, producer) in enumerate([(0, 1), (1, 2), (0, 1), (0, 1_000)]):
        message = encoded(producer, tag, reply_to=f"reply-{producer}", subject="s" * producer)
        peer.deliver(f"r{link}", bytes((tag,)), [message], settled=False)
        exchange(client, peer, step)
    found = learned(client)
    assert [(producer, listed and listed[4]) for producer, listed in found] == [
        (1, "reply-1"),
        (2, "reply-2"),
        (1, "reply-1"),
        (1_000, None),  # its section is longer than what is kept
    ]
    client.tables.spans[1, x.SPAN_LENGTH] = 9
    client.tables.spans[2, x.SPAN_LENGTH] = -1
    for tag, producer in enumerate([1, 2, 3]):
        peer.deliver("r0", bytes((90 + tag,)), [encoded(producer, 5)], settled=False)
    exchange(client, peer, step)
    assert [producer for producer, _ in learned(client)] == [3]
    assert len(client.deliveries) == 7
    peer.close()


def test_what_there_is_no_room_for_is_left_out() -> None:
    """A message without properties says so; nothing is written behind the end."""
    client, peer = learning(news=20), ProtonPeer()
    client.hello()
    exchange(client, peer)
    peer.deliver("r0", b"a", [b"\0\x53\x75\xa0\x28" + encoded(1, 0)[-40:]], settled=False)
    peer.deliver("r0", b"b", [encoded(1, 1, reply_to="some-address")], settled=False)
    exchange(client, peer)
    assert not client.tables.texts[20:].any()
    assert learned(client) == [(1, None)]
    assert len(client.deliveries) == 2
    peer.close()
