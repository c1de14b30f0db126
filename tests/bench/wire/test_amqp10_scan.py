"""Streams in any legal encoding give the same rows, however they are cut."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.arrivals import stamp
from bench.drivers.wire.receive_loop import COMPILED
from bench.wire import amqp10_layout as x
from tests.bench.wire import amqp10_forms as forms
from tests.bench.wire.amqp10_client import Client, ProtocolError, pieces
from tests.examples import examples

BASE = 0xFFFFFFFC
"""RabbitMQ's first delivery-id."""


@dataclass(frozen=True)
class Stream:
    """Bytes of a peer and what they must give."""

    data: bytes
    rows: list[tuple[int, ...]]
    unsettled: list[int]
    foreign: int


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Deliveries on two links, their frames interleaved in any order that keeps each link's."""
    queues: list[list[tuple[bytes, int, tuple[int, ...] | None, bool]]] = [[], []]
    starts: list[int] = []
    foreign = 0
    for number in range(draw(st.integers(1, 6))):
        link, settled = draw(st.integers(0, 1)), draw(st.booleans())
        size = draw(st.sampled_from([32, 40, 300, 0, 31]))
        body = bytearray(size)
        ours = size >= stamp.SIZE and draw(st.integers(0, 9)) > 0
        if ours:
            stamp.pack_into(body, 2**32 - 1 - number, number, -number, 2**62)
        payload, redelivered = draw(forms.message(bytes(body)))
        delivery = (BASE + number) & x.MASK32
        frames = draw(forms.transfers(link, delivery, payload, settled=settled))
        row = (link, 2**32 - 1 - number, number, -number, 2**62, 5, int(redelivered)) if ours else None
        foreign += not ours
        starts.append(link)
        for place, frame in enumerate(frames):
            last = place == len(frames) - 1
            queues[link].append((frame, delivery if last and not settled else -1, row if last else None, last))
    data, rows, unsettled = b"", [], []
    while queues[0] or queues[1]:
        link = draw(st.integers(0, 1)) if queues[0] and queues[1] else int(not queues[0])
        frame, delivery, row, _ = queues[link].pop(0)
        data += frame + (draw(forms.frame(b"")) if draw(st.integers(0, 5)) == 0 else b"")
        rows += [row] if row else []
        unsettled += [delivery] if delivery >= 0 else []
    return Stream(data, rows, unsettled, foreign)


def receiver(**options: int) -> Client:
    """Return a client with two open receiving lanes, on handles 1 and 0 of the peer."""
    client = Client(receivers=2, prefetch=100, ack_batch=100, **options)
    client.ready()
    return client


def acknowledged(data: bytes) -> list[int]:
    """Return the delivery-ids of our dispositions, in order."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 8 : at + 11] == b"\x00\x53\x15":
            first, last = (int.from_bytes(data[at + n : at + n + 4], "big") for n in (16, 21))
            found += [(first + n) & x.MASK32 for n in range(((last - first) & x.MASK32) + 1)]
        at += size
    return found


@pytest.mark.compiled
@settings(deadline=None)
@given(stream=streams(), cuts=st.lists(st.integers(0, 3_000), max_size=20), rows=st.sampled_from([1, 1_000]))
def test_any_legal_stream_is_understood(stream: Stream, cuts: list[int], rows: int) -> None:
    """Rows, foreign bodies and acknowledgements are those that were meant."""
    client = receiver(rows=rows)
    for piece in pieces(stream.data, cuts):
        client.feed(piece)
    client.answer(flush=True)
    assert client.deliveries == stream.rows
    assert client.tally[x.T_FOREIGN] == stream.foreign
    assert sorted(acknowledged(client.take_out())) == sorted(stream.unsettled)
    assert client.rest == b""
    assert client.others_untouched()


@pytest.mark.compiled
@settings(deadline=None, max_examples=examples(0.4) if COMPILED else 1)
@given(stream=streams())
def test_every_byte_boundary_gives_the_same(stream: Stream) -> None:
    """A stream cut in two anywhere, and one that comes byte by byte, ends in the same state."""
    whole = receiver()
    whole.feed(stream.data)
    for cut in range(len(stream.data)) if len(stream.data) < 400 else range(0, len(stream.data), 7):
        parted = receiver(canary=cut & 0xFF)
        parted.feed(stream.data[:cut])
        parted.feed(stream.data[cut:])
        assert (parted.deliveries, parted.out) == (whole.deliveries, whole.out)
        assert (parted.tables.conns == whole.tables.conns).all()
        assert (parted.tables.runs == whole.tables.runs).all()
    single = receiver()
    for byte in stream.data:
        single.feed(bytes((byte,)))
    assert (single.deliveries, single.out) == (whole.deliveries, whole.out)


def frame(body: bytes, kind: int = 0, channel: int = 0) -> bytes:
    """Return a frame."""
    return (8 + len(body)).to_bytes(4, "big") + bytes((2, kind)) + channel.to_bytes(2, "big") + body


def transfer(fields: bytes, count: int, payload: bytes = b"", channel: int = 0) -> bytes:
    """Return a transfer frame with a list8."""
    return frame(b"\x00\x53\x14\xc0" + bytes((len(fields) + 1, count)) + fields + payload, channel=channel)


def delivered(payload: bytes, delivery: int = 0) -> bytes:
    """Return a message on handle 0 as a single frame."""
    return transfer(b"\x43\x52" + bytes((delivery,)) + b"\xa0\x01t", 3, payload)


DATA = b"\x00\x53\x75\xa0\x02hi"
WRONG = {
    "frame too long": (b"\x00\x01\x00\x01\x02\x00\x00\x00", x.E_FRAME_SIZE),
    "frame too short": (b"\x00\x00\x00\x07\x02\x00\x00\x00", x.E_FRAME_SIZE),
    "offset 1": (b"\x00\x00\x00\x08\x01\x00\x00\x00", x.E_FRAME_OFFSET),
    "offset beyond": (b"\x00\x00\x00\x08\x03\x00\x00\x00", x.E_FRAME_OFFSET),
    "type 2": (frame(b"", kind=2), x.E_FRAME_TYPE),
    "other channel": (transfer(b"\x43\x43\xa0\x00", 3, channel=1), x.E_CHANNEL),
    "flow on another channel": (frame(b"\x00\x53\x13\x45", channel=9), x.E_CHANNEL),
    "no performative": (frame(b"\x53\x14\x45"), x.E_PERFORMATIVE),
    "unknown performative": (frame(b"\x00\x53\x19\x45"), x.E_PERFORMATIVE),
    "unknown symbol": (frame(b"\x00\xa3\x03abc\x45"), x.E_PERFORMATIVE),
    "long symbol": (frame(b"\x00\xb3\xff\xff\xff\xff" + b"a" * 50), x.E_PERFORMATIVE),
    "half a descriptor": (frame(b"\x00\x53"), x.E_PERFORMATIVE),
    "no list": (frame(b"\x00\x53\x14\xa0\x00"), x.E_LIST),
    "list beyond the frame": (frame(b"\x00\x53\x14\xc0\x09\x00"), x.E_LIST),
    "huge list": (frame(b"\x00\x53\x14\xd0\xff\xff\xff\xff\x00\x00\x00\x00"), x.E_LIST),
    "fields missing": (transfer(b"\x43\x43", 3), x.E_LIST),
    "fields to spare": (transfer(b"\x43\x43\xa0\x00", 2), x.E_LIST),
    "too many fields": (transfer(b"\x40" * 12, 12), x.E_FIELDS),
    "handle of another type": (transfer(b"\x44", 1), x.E_FIELD),
    "boolean of another value": (transfer(b"\x43\x43\xa0\x00\x43\x56\x02", 5), x.E_FIELD),
    "unknown constructor": (frame(b"\x00\x53\x13\xc0\x0c\x0b" + b"\x40" * 10 + b"\x3f"), x.E_CONSTRUCTOR),
    "no handle": (transfer(b"\x40\x43\xa0\x00", 3), x.E_MISSING),
    "flow without window": (frame(b"\x00\x53\x13\x45"), x.E_MISSING),
    "disposition without role": (frame(b"\x00\x53\x15\xc0\x03\x02\x40\x43"), x.E_MISSING),
    "unknown handle": (transfer(b"\x52\x07\x43\xa0\x00", 3), x.E_HANDLE),
    "flow of an unknown handle": (frame(b"\x00\x53\x13\xc0\x07\x05\x43\x43\x43\x43\x52\x07"), x.E_HANDLE),
    "no delivery-id": (transfer(b"\x43\x40\xa0\x00", 3), x.E_DELIVERY_ID),
    "two delivery-ids": (
        transfer(b"\x43\x43\xa0\x00\x40\x40\x41", 6) + transfer(b"\x43\x52\x01\xa0\x00", 3),
        x.E_DELIVERY_ID,
    ),
    "long tag": (transfer(b"\x43\x43\xa0\x21" + bytes(33), 3), x.E_TAG),
    "future delivery-count": (frame(b"\x00\x53\x13\xc0\x0a\x07\x43\x43\x43\x43\x52\x02\x52\x01\x43"), x.E_COUNT),
    "future window": (frame(b"\x00\x53\x13\xc0\x06\x04\x52\x01\x43\x43\x43"), x.E_WINDOW),
    "payload behind a flow": (frame(b"\x00\x53\x13\xc0\x05\x04\x43\x43\x43\x43\x00"), x.E_LIST),
    "transfer to a sender": (transfer(b"\x52\x02\x43\xa0\x00", 3), x.E_ROLE),
    "unknown section": (delivered(b"\x00\x53\x79\xa0\x00"), x.E_SECTION),
    "no section": (delivered(b"\xa0\x02hi"), x.E_SECTION),
    "annotations are a list": (delivered(b"\x00\x53\x72\x45" + DATA), x.E_SECTION),
    "header with a sixth field": (delivered(b"\x00\x53\x70\xc0\x07\x06" + b"\x40" * 6 + DATA), x.E_SECTION),
    "header without end": (delivered(b"\x00\x53\x70\xd0\x00\xff\xff\xff"), x.E_SECTION),
    "header behind body": (delivered(DATA + b"\x00\x53\x70\x45"), x.E_ORDER),
    "annotations twice": (delivered(2 * b"\x00\x53\x72\xc1\x01\x00" + DATA), x.E_ORDER),
    "value behind data": (delivered(DATA + b"\x00\x53\x77\xa0\x00"), x.E_ORDER),
    "value twice": (delivered(2 * b"\x00\x53\x77\xa0\x00"), x.E_ORDER),
    "text behind data": (delivered(DATA + b"\x00\x53\x77\xa1\x02hi"), x.E_ORDER),
    "data in a list": (delivered(b"\x00\x53\x75\x45"), x.E_BODY),
    "binary sequence": (delivered(b"\x00\x53\x76\xa0\x02hi"), x.E_BODY),
    "cut in the body": (delivered(b"\x00\x53\x75\xa0\x03hi"), x.E_CUT),
    "cut in a head": (delivered(DATA + b"\x00"), x.E_CUT),
    "no body": (delivered(b"\x00\x53\x70\x45"), x.E_NO_BODY),
    "empty": (delivered(b""), x.E_NO_BODY),
    "footer alone": (delivered(b"\x00\x53\x78\xc1\x01\x00"), x.E_NO_BODY),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("step", [1, 1_000])
def test_wrong_bytes_are_a_protocol_error(name: str, step: int) -> None:
    """Each says what is wrong, at once and byte by byte, also behind a good message; no row is made."""
    data, status = WRONG[name]
    client = Client(receivers=2, senders=0)
    client.ready()
    client.tables.lanes[client.lane0 + 1, (x.L_HANDLE, x.L_SENDS)] = 2, 1
    client.feed(delivered(DATA))
    with pytest.raises(ProtocolError) as caught:
        client.feed_all(pieces(data, list(range(0, len(data), step))))
    assert caught.value.status == status
    assert client.deliveries == []
    assert client.others_untouched()


STAMP = bytearray(stamp.SIZE)
stamp.pack_into(STAMP, 1, 2, 3, 4)
OTHER_BODIES = {
    "text": b"\x00\x53\x77\xa1\x02hi",
    "null": b"\x00\x53\x77\x40",
    "number": b"\x00\x53\x77\x80" + bytes(8),
    "described": b"\x00\x53\x77\x00\x80" + bytes(8) + b"\x41",
    "map with a footer": b"\x00\x53\x77\xc1\x03\x02\x41\x41\x00\x53\x78\xc1\x01\x00",
    "two sequences": 2 * b"\x00\x53\x76\xc0\x02\x01\x41",
    "our stamp as text": b"\x00\x53\x77\xa1\x20" + STAMP,
}


@pytest.mark.parametrize("name", OTHER_BODIES)
@pytest.mark.parametrize("step", [1, 7, 1_000])
def test_bodies_of_other_kinds_are_passed_over(name: str, step: int) -> None:
    """Whatever values they hold, they are counted as not ours, and the next message is read."""
    ours = b"\x00\x53\x75\xa0\x20" + STAMP
    client, data = receiver(), delivered(OTHER_BODIES[name], 0) + delivered(ours, 1)
    client.feed_all(pieces(data, list(range(0, len(data), step))))
    assert (client.tally[x.T_FOREIGN], len(client.deliveries)) == (1, 1)


def test_every_error_has_words_and_is_tested() -> None:
    """Each error's text is its own, and the table above meets each."""
    assert len(set(x.ERRORS.values())) == len(x.ERRORS)
    assert {status for _, status in WRONG.values()} == set(x.ERRORS)


def test_heartbeats_are_counted() -> None:
    """Empty frames, also those with an extended header, are no news."""
    client = receiver()
    client.feed(3 * b"\x00\x00\x00\x08\x02\x00\x00\x00" + b"\x00\x00\x00\x0c\x03\x00\x00\x09\xff\xff\xff\xff")
    assert client.tally[x.T_HEARTBEATS] == 4


def test_payload_is_consumed_as_it_comes() -> None:
    """Of a long body nothing is kept for the next read."""
    client = receiver()
    head = transfer(b"\x43\x43\xa0\x00", 3, b"\x00\x53\x75\xb0\x00\x00\xff\x00")
    long = (len(head) + 0xFF00).to_bytes(4, "big") + head[4:]
    client.feed(long)
    assert client.rest == b""
    for _ in range(0xFF):
        client.feed(bytes(0x100))
        assert client.rest == b""
    assert client.tally[x.T_FOREIGN] == 1


def test_what_was_not_asked_for_is_counted() -> None:
    """Transfers beyond credit or beyond the window are taken, and told."""
    client = receiver()
    client.lane(0)[x.L_CREDIT] = 1
    client.feed(delivered(DATA, 0) + delivered(DATA, 1))
    assert client.tally[x.T_UNASKED] == 1
    client.conn[x.C_IN_WINDOW] = 1
    client.conn[x.C_DUE] = 0
    client.lane(0)[x.L_CREDIT] = 50
    client.feed(delivered(DATA, 2) + delivered(DATA, 3))
    assert client.tally[x.T_UNASKED] == 2
