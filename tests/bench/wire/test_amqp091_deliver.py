"""What the compiled scan makes of deliveries that few workloads ask for: shares rejected, compact stamps, attempts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import spec

from bench.arrivals import stamp
from bench.arrivals.sizes import MASK, REFUSAL_SEED, Sizes
from bench.drivers.base import Outcome
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_settle import note_published
from tests.bench.wire.amqp091_twin import NOW, READ, Fast, frames, stamped

REJECTED, REQUEUED, TAKEN = range(3)
PLAIN = spec.BasicProperties()


def delivery(tag: int, body: bytes, *, redelivered: bool = False, piece: int = 1_000) -> bytes:
    """Return the frames of a message on channel 1."""
    method = spec.Basic.Deliver("tag", tag, redelivered, "", "q")
    return b"".join(frames(method, 1, body, piece, PLAIN))


def answering(reject: float, requeue: float) -> Fast:
    """Return a scan that rejects and gives back a share on channel 1."""
    fast = Fast(ack_batch=1)
    cells = (layout.REJECT_BELOW, layout.REQUEUE_BELOW)
    fast.lanes[0, cells] = round(reject * (MASK + 1)), round((reject + requeue) * (MASK + 1))
    return fast


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**50), st.booleans()), max_size=20),
    st.sampled_from([(0.0, 0.5), (0.5, 0.0), (0.3, 0.4), (1.0, 0.0), (0.0, 1.0)]),
    st.sampled_from([1, 20, 1_000]),
)
def test_each_message_has_its_answer(
    messages: list[tuple[int, int, bool]], shares: tuple[float, float], piece: int
) -> None:
    """By the hash of producer and number; what was given back once is taken; foreign bodies are acknowledged."""
    fast, (reject, requeue) = answering(*shares), shares
    stream, acks, rejects = b"", [], []
    for tag, (producer, seq, redelivered) in enumerate(messages, 1):
        stream += delivery(2 * tag - 1, stamped(producer, seq, 40), redelivered=redelivered, piece=piece)
        stream += delivery(2 * tag, b"another's", piece=piece)
        all_three = (reject, requeue, 1 - reject - requeue)
        what = Sizes((REJECTED, REQUEUED, TAKEN), all_three, REFUSAL_SEED).of(producer, seq)
        if what == REJECTED or (what == REQUEUED and not redelivered):
            rejects.append((1, 2 * tag - 1, what == REQUEUED))
        else:
            acks.append((1, 2 * tag - 1, False))
        acks.append((1, 2 * tag, False))
    found = fast.feed([stream])
    assert (found.acks, found.rejects) == (acks, rejects)
    assert len(found.delivered) == len(messages)
    counted = fast.lanes[0, [layout.REJECTED, layout.REQUEUED]].tolist()
    assert counted == [sum(not given for *_, given in rejects), sum(given for *_, given in rejects)]


@pytest.mark.parametrize("piece", [5, 1_000])
def test_an_attempt_is_no_part_of_the_number(piece: int) -> None:
    """Whether the stamp comes whole or in pieces."""
    body = bytearray(40)
    stamp.pack_into(body, 3, 4, 5, 6, attempt=200)
    assert Fast().feed([delivery(1, bytes(body), piece=piece)]).delivered == [(0, 3, 4, 5, 6, 0)]


@given(
    st.integers(0, stamp.MOST_COMPACT_PRODUCERS - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, stamp.TIME_MASK - (READ - NOW)),
    st.integers(12, 60),
    st.sampled_from([3, 12, 1_000]),
)
def test_compact_stamps_are_read(producer: int, seq: int, ago_ns: int, size: int, piece: int) -> None:
    """Their time is the last one that fits; there is no time of sending; whatever is too short is not ours."""
    body = bytearray(size)
    stamp.pack_compact_into(body, producer, seq, NOW - ago_ns)
    fast = Fast(ack_batch=1)
    fast.tables.outline[layout.COMPACT] = 1
    octets = delivery(1, bytes(body), piece=piece) + delivery(2, bytes(11), piece=piece)
    for pieces in ([octets], [octets[at : at + 1] for at in range(len(octets))]):
        fast.found.delivered.clear()
        fast.feed(pieces)
        assert fast.found.delivered == [(0, producer, seq, NOW - ago_ns, NOW - ago_ns, 0)]
        fast.lanes[0, layout.TAG] = 0
    assert fast.found.foreign == 2
    assert fast.found.acks == [(1, 1, False), (1, 2, False)] * 2


def test_a_returned_message_is_known_by_its_compact_stamp() -> None:
    """Its confirm says so."""
    fast = Fast()
    fast.tables.outline[layout.COMPACT] = 1
    for seq in range(3):
        note_published(fast.tables, 0, seq)
    body = bytearray(12)
    stamp.pack_compact_into(body, 1, 1, 0)
    returned = b"".join(frames(spec.Basic.Return(312, "NO_ROUTE", "", "q"), 1, bytes(body), 99, PLAIN))
    ack = frames(spec.Basic.Ack(3, multiple=True), 1, b"", 1, PLAIN)[0]
    settled = fast.feed([returned + ack]).settled
    assert [outcome for *_, outcome in settled] == [Outcome.CONFIRMED, Outcome.RETURNED, Outcome.CONFIRMED]
    assert np.unique([seq for _, seq, _ in settled]).tolist() == [0, 1, 2]
