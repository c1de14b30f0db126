"""The AMQP 1.0 codec and Proton's engine understand each other, whatever is sent, however it is cut."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import cproton as pn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proton import Message, symbol

from bench.arrivals import stamp
from bench.wire import amqp10_layout as x
from bench.wire.amqp10_control import Attach, Begin, Open
from tests.bench.wire.amqp10_client import Client, template
from tests.bench.wire.amqp10_proton import STATES, ProtonPeer, exchange, settle

SECTIONS: list[dict[str, Any]] = [
    {},
    {"durable": True, "ttl": 5.0},
    {"address": "/queues/q", "subject": "s" * 300, "correlation_id": "c"},
    {"annotations": {symbol("x-routing-key"): "q" * 400}},
    {"instructions": {symbol("x-opt"): 1}, "properties": {"key": "value", "n": 2**40}},
    {"delivery_count": 3},
]
STATE = st.sampled_from([pn.PN_ACCEPTED, pn.PN_REJECTED, pn.PN_RELEASED, pn.PN_MODIFIED])


@contextmanager
def joined(client: Client, peer: ProtonPeer, step: int = 0) -> Iterator[None]:
    """Open everything; release the engine at the end."""
    client.hello()
    exchange(client, peer, step)
    try:
        yield
    finally:
        peer.close()


def stamped(size: int, producer: int, seq: int) -> bytes:
    """Return a body of ours."""
    body = bytearray(n % 251 for n in range(size))
    stamp.pack_into(body, producer, seq, -5 - seq, seq + 2**60)
    return bytes(body)


def encoded(body: bytes, fields: dict[str, Any], *, inferred: bool) -> bytes:
    """Encode a message with Proton, the body as data or as an amqp-value."""
    message = Message(body=body, inferred=inferred)
    for name, value in fields.items():
        setattr(message, name, value)
    return bytes(message.encode())


def test_the_handshake_is_understood() -> None:
    """Open, begin and attach pass both ways, cut at every byte, and credit comes."""
    client, peer = Client(senders=2, receivers=1, prefetch=50), ProtonPeer(max_frame=4_096, grant=7)
    with joined(client, peer, step=1):
        assert [type(control) for control in client.controls] == [Open, Begin, Attach, Attach, Attach]
        assert client.conn[x.C_MAX_OUT] == 4_096
        assert [client.lane(lane)[x.L_CREDIT] for lane in range(3)] == [7, 7, 50]
        assert pn.pn_link_credit(peer.links["r2"]) == 50
        assert pn.pn_link_remote_snd_settle_mode(peer.links["s0"]) == pn.PN_SND_UNSETTLED
        assert pn.pn_terminus_get_address(pn.pn_link_remote_source(peer.links["r2"])) == "q2"
        assert client.others_untouched()


MESSAGE = st.tuples(
    st.integers(0, 1),  # link
    st.sampled_from([32, 33, 100, 255, 256, 3_000, 9, 0]),  # bytes of the body
    st.sampled_from(SECTIONS),
    st.booleans(),  # data or amqp-value
    st.booleans(),  # settled
    st.integers(1, 3),  # pieces
)


@settings(deadline=None)
@given(
    messages=st.lists(MESSAGE, min_size=1, max_size=30),
    max_frame=st.sampled_from([512, 1_024, 65_536]),
    step=st.sampled_from([0, 1, 2, 7, 100, 600]),
    rows=st.sampled_from([1, 5, 1_000]),
    ack_batch=st.sampled_from([1, 4]),
)
def test_proton_sends_and_we_receive(
    messages: list[tuple[int, int, dict[str, Any], bool, bool, int]],
    max_frame: int,
    step: int,
    rows: int,
    ack_batch: int,
) -> None:
    """Every stamp arrives once; what is unsettled is accepted and settled; credit is restored."""
    client = Client(receivers=2, max_frame=max_frame, rows=rows, ack_batch=ack_batch, prefetch=8)
    peer = ProtonPeer()
    expected: list[tuple[int, ...]] = []
    unsettled, foreign = set(), 0
    with joined(client, peer, step):
        for seq, (link, size, fields, inferred, settled, count) in enumerate(messages):
            body = stamped(size, 9, seq) if size >= stamp.SIZE else bytes(size)
            data = encoded(body, fields, inferred=inferred)
            tag = seq.to_bytes(4, "big")
            cuts = [len(data) * n // count for n in range(count + 1)]
            parts = [data[a:b] for a, b in pairwise(cuts)]
            delivery = peer.deliver(f"r{link}", tag, parts, settled=settled)
            for number, part in enumerate(parts[1:]):
                exchange(client, peer, step)
                pn.pn_link_send(peer.links[f"r{link}"], part)
                if number == count - 2:
                    peer.finish(f"r{link}", delivery, settled=settled)
            exchange(client, peer, step)
            if size >= stamp.SIZE:
                expected.append((link, 9, seq, -5 - seq, seq + 2**60, 5, int(bool(fields.get("delivery_count")))))
            else:
                foreign += 1
            if not settled:
                unsettled.add(tag)
        client.answer(flush=True)
        exchange(client, peer, step)
        assert client.deliveries == expected
        assert client.tally[x.T_FOREIGN] == foreign
        assert {tag for tag, state, done in peer.news if state == pn.PN_ACCEPTED and done} == unsettled
        assert all(4 < pn.pn_link_credit(link) <= 8 for link in peer.links.values())
        assert client.tally[x.T_UNASKED] == 0
        assert client.others_untouched()


@settings(deadline=None)
@given(parts=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 700)), max_size=12), step=st.sampled_from([0, 1, 50]))
def test_links_interleave_within_a_session(parts: list[tuple[int, int]], step: int) -> None:
    """Deliveries of two links whose frames alternate are told apart."""
    client, peer = Client(receivers=2, max_frame=512), ProtonPeer()
    with joined(client, peer, step):
        rest = [encoded(stamped(2_000 + link, link, link), SECTIONS[3], inferred=True) for link in range(2)]
        begun = [peer.deliver(f"r{link}", bytes((link,)), [b"", b""], settled=False) for link in range(2)]
        for link, size in [*parts, (0, 5_000), (1, 5_000)]:
            part, rest[link] = rest[link][:size], rest[link][size:]
            if part:
                pn.pn_link_send(peer.links[f"r{link}"], part)
                if not rest[link]:
                    peer.finish(f"r{link}", begun[link], settled=False)
                exchange(client, peer, step)
        client.answer(flush=True)
        exchange(client, peer, step)
        assert sorted(row[:3] for row in client.deliveries) == [(0, 0, 0), (1, 1, 1)]
        assert len(peer.news) == 2


def test_an_aborted_delivery_is_forgotten() -> None:
    """It gives no row, its credit is given back, and the next delivery is whole."""
    client, peer = Client(receivers=1, max_frame=512), ProtonPeer()
    with joined(client, peer):
        body = encoded(stamped(2_000, 1, 2), {}, inferred=True)
        delivery = peer.deliver("r0", b"a", [body[:1_000], b""], settled=False)
        exchange(client, peer)
        pn.pn_delivery_abort(delivery)
        exchange(client, peer)
        peer.deliver("r0", b"b", [body], settled=True)
        exchange(client, peer)
        assert [row[:3] for row in client.deliveries] == [(0, 1, 2)]
        assert client.tally[x.T_ABORTED] == 1


@pytest.mark.compiled
@settings(deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=6),
    size=st.sampled_from([32, 100, 300, 2_000, 70_000]),
    frame=st.sampled_from([512, 600, 65_536]),
    out_size=st.sampled_from([66_000, 140_000]),
    settled=st.booleans(),
    states=st.lists(STATE, min_size=72, max_size=72),
    step=st.sampled_from([0, 1, 33]),
)
def test_we_send_and_proton_receives(
    batches: list[list[int]], size: int, frame: int, out_size: int, *, settled: bool, states: list[int], step: int
) -> None:
    """Bodies, tags and settlement arrive as meant, and each outcome comes back to its message."""
    limit = 0 if settled else 64
    client, peer = Client(senders=3, limit=limit, out_size=out_size, rows=2), ProtonPeer(max_frame=frame, grant=200)
    made = template(size, durable=True)
    with joined(client, peer, step):
        sent: list[tuple[int, int]] = []
        for lanes in batches:
            numbers = [len(sent) + n for n in range(len(lanes))]
            assert client.send(made, lanes, numbers) == len(lanes)
            sent += zip(lanes, numbers, strict=True)
            exchange(client, peer, step)
        assert [(name, tag) for name, tag, _, _ in peer.received] == [
            (f"s{lane}", seq.to_bytes(4, "big")) for lane, seq in sent
        ]
        for (lane, seq), (_, _, was_settled, message) in zip(sent, peer.received, strict=True):
            decoded = Message()
            decoded.decode(message)
            assert (decoded.durable, was_settled) == (True, settled)
            assert stamp.unpack(decoded.body) == (40 + lane, seq, 3, 5)
            assert bytes(decoded.body[32:]) == made.frame[made.stamp + 32 :].tobytes()
        if not settled:
            for delivery, state in zip(peer.deliveries, states, strict=False):
                settle(delivery, state)
            exchange(client, peer, step)
            outcomes = {(row[0], row[1]): row[2] for row in client.settlements}
            assert len(client.settlements) == len(sent)
            assert outcomes == {key: STATES[state] for key, state in zip(sent, states, strict=False)}
            assert not client.tables.rings[1].any()
            assert [client.lane(lane)[x.L_INFLIGHT] for lane in range(3)] == [0, 0, 0]
        assert client.others_untouched()


@settings(deadline=None)
@given(size=st.integers(32, 6_000), count=st.integers(1, 12), capacity=st.sampled_from([512, 1_024, 2_048]))
def test_a_window_smaller_than_a_message_is_honoured(size: int, count: int, capacity: int) -> None:
    """Messages are sent in parts as the session window opens, and arrive whole, over two links."""
    client, peer = Client(senders=2), ProtonPeer(max_frame=512, capacity=capacity)
    made = template(size)
    with joined(client, peer):
        sent = 0
        while sent < count:
            room = client.room(made)
            assert room, "an empty exchange leaves room"
            batch = min(room, count - sent)
            assert (
                client.send(made, [n % 2 for n in range(sent, sent + batch)], list(range(sent, sent + batch))) == batch
            )
            sent += batch
            while client.conn[x.C_PARKED] or client.out:
                exchange(client, peer)
                client.resume(made)
        assert sorted(stamp.unpack(part[-size:])[1] for _, _, _, part in peer.received) == list(range(count))  # type: ignore[index]
        assert client.conn[x.C_NEXT_OUT] == count * -(-(len(made.frame) - x.HEAD) // (512 - x.HEAD))


def test_drain_uses_up_the_credit() -> None:
    """A receiver that drains gets its credit back in a flow, and later credit serves again."""
    client, peer = Client(senders=1), ProtonPeer(grant=20)
    made = template(40)
    with joined(client, peer):
        client.send(made, [0, 0], [0, 1])
        exchange(client, peer)
        pn.pn_link_drain(peer.links["s0"], 5)
        exchange(client, peer)
        assert client.room(made) == 0
        assert not pn.pn_link_draining(peer.links["s0"])
        pn.pn_link_set_drain(peer.links["s0"], False)  # noqa: FBT003  (positional only)
        pn.pn_link_flow(peer.links["s0"], 3)
        exchange(client, peer)
        assert client.room(made) == 3
        assert client.send(made, [0, 0, 0, 0], [2, 3, 4, 5]) == 3
        exchange(client, peer)
        assert len(peer.received) == 5
