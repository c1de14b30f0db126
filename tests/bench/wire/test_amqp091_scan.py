"""The compiled 0-9-1 scan finds what pika's decoder finds, however the octets come, and believes nobody."""

from pathlib import Path
from typing import Any

import numpy as np
import pika.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import spec

from bench.drivers.wire.receive_loop import COMPILED
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_layout import Status
from bench.wire.amqp091_scan import scan
from tests.bench.wire.amqp091_twin import CHANNELS, NOW, Fast, Found, Twin, frames, stamped

GOLDEN = Path(__file__).parents[2] / "golden"
PUBLISHED = 40
channels = st.integers(1, CHANNELS)
names = st.text(max_size=20)
bodies = st.one_of(
    st.builds(stamped, st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(32, 300)),
    st.binary(max_size=80),
)
properties = st.builds(
    spec.BasicProperties,
    content_type=st.none() | names,
    headers=st.none() | st.dictionaries(st.text(min_size=1, max_size=9), st.integers(0, 9) | names, max_size=3),
    delivery_mode=st.none() | st.integers(1, 2),
    message_id=st.none() | names,
    timestamp=st.none() | st.integers(0, 2**40),
)
content = st.one_of(
    st.builds(spec.Basic.Deliver, names, st.integers(1, 2**62), st.booleans(), names, names),
    st.builds(spec.Basic.GetOk, st.integers(1, 2**62), st.booleans(), names, names, st.integers(0, 99)),
    st.builds(spec.Basic.Return, st.integers(300, 400), names, names, names),
)
single = st.one_of(
    st.builds(pika.frame.Heartbeat),
    st.builds(
        pika.frame.Method,
        channels,
        st.one_of(
            st.builds(spec.Basic.Ack, st.integers(0, PUBLISHED + 3), st.booleans()),
            st.builds(spec.Basic.Nack, st.integers(0, PUBLISHED + 3), st.booleans(), st.booleans()),
            st.builds(spec.Channel.Flow, st.booleans()),
            st.builds(spec.Basic.Cancel, names, st.booleans()),
            st.builds(spec.Basic.GetEmpty),
        ),
    ),
    st.builds(pika.frame.Method, st.just(0), st.builds(spec.Connection.Blocked, names)),
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Return the frames of a stream in which messages of several channels are interleaved."""
    queues: dict[int, list[bytes]] = {channel: [] for channel in range(CHANNELS + 1)}
    for _ in range(draw(st.integers(1, 6))):
        channel = draw(channels)
        method, body, piece = draw(content), draw(bodies), draw(st.integers(1, 400))
        queues[channel] += frames(method, channel, body, piece, draw(properties))
        if draw(st.booleans()):
            queues[0].append(draw(single).marshal())
    stream = []
    while any(queues.values()):
        channel = draw(st.sampled_from([c for c, waiting in queues.items() if waiting]))
        stream.append(queues[channel].pop(0))
    return [*stream, *(draw(single).marshal() for _ in range(2))]


def expected(stream: list[bytes], batch: int) -> Found:
    """Return what pika makes of it."""
    return Twin(PUBLISHED, batch).read(b"".join(stream))


def _status(stream: list[bytes]) -> int:
    """Return how a scan of the stream ends: chance may put a method into the midst of a message."""
    fast = Fast(PUBLISHED)
    fast.feed([b"".join(stream)])
    return fast.status


@given(streams(), st.sampled_from([0, 1, 2, 64]), st.data())
def test_it_finds_what_pika_finds(stream: list[bytes], batch: int, data: st.DataObject) -> None:
    """Rows, foreign bodies, acknowledgements, other frames: whole, in any pieces, and with hardly any room for rows."""
    octets = b"".join(stream)
    if _status(stream) == Status.UNEXPECTED_METHOD:
        return
    there = expected(stream, batch)
    assert Fast(PUBLISHED, batch).feed([octets]) == there
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=9)))
    pieces = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    assert Fast(PUBLISHED, batch).feed(pieces) == there
    assert Fast(PUBLISHED, batch, capacity=1).feed(pieces) == there


def test_a_stream_may_be_cut_at_every_octet() -> None:
    """In two at each place, and into single octets."""
    deliver = spec.Basic.Deliver("tag", 7, True, "", "q")  # noqa: FBT003
    plain = spec.BasicProperties(delivery_mode=2)
    got = spec.Basic.GetOk(9, redelivered=False, exchange="x", routing_key="y", message_count=0)
    stream = [
        *frames(deliver, 1, stamped(3, 4, 100), 1_000, plain),
        *frames(spec.Basic.Return(312, "NO_ROUTE", "", "q"), 2, stamped(3, 4, 40), 9, plain),
        pika.frame.Method(2, spec.Basic.Ack(5, multiple=True)).marshal(),
        pika.frame.Method(1, spec.Channel.Flow(active=False)).marshal(),
        *frames(got, 3, b"", 9, plain),
        pika.frame.Heartbeat().marshal(),
        *frames(deliver, 3, stamped(1, 2, 33), 31, plain),
    ]
    octets, there = b"".join(stream), expected(stream, 1)
    assert [len(there.delivered), there.foreign, len(there.settled), len(there.controls)] == [2, 1, 5, 1]
    for cut in range(len(octets) + 1):
        assert Fast(PUBLISHED, 1).feed([octets[:cut], octets[cut:]]) == there, cut
    assert Fast(PUBLISHED, 1).feed([octets[at : at + 1] for at in range(len(octets))]) == there


@given(streams(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_broken_octets_end_in_a_status(stream: list[bytes], changes: list[tuple[int, int]]) -> None:
    """Never in an exception, a hang or a step back; and what lies behind the end makes no difference."""
    octets = bytearray(b"".join(stream))
    for at, octet in changes:
        octets[at % len(octets)] = octet
    fast, guarded = Fast(PUBLISHED, 2), Fast(PUBLISHED, 2)
    fast.feed([bytes(octets)])
    assert fast.status in {0, *map(int, layout.FAULTS)}
    cut = len(octets) // 2
    buf = np.frombuffer(bytes(octets[:cut]) + b"\xce" * 64, np.uint8).copy()
    scan_once(guarded, buf, cut)
    twin = Fast(PUBLISHED, 2)
    scan_once(twin, np.frombuffer(bytes(octets[:cut]), np.uint8).copy(), cut)
    assert guarded.cursor.tolist() == twin.cursor.tolist()
    assert guarded.rows.tolist() == twin.rows.tolist()


def scan_once(fast: Fast, buf: Any, end: int) -> int:
    """Scan buf[:end] once."""
    return scan(buf, 0, end, NOW, fast.tables, 0, fast.scanned)


HEADER_OF_40 = frames(spec.Basic.Deliver("t", 1, exchange="", routing_key=""), 1, b"x" * 40, 99, spec.BasicProperties())
FAULTS: dict[str, tuple[bytes, Status]] = {
    "another protocol": (b"AMQP\x00\x01\x00\x00", Status.BAD_TYPE),
    "an end octet that is none": (pika.frame.Heartbeat().marshal()[:-1] + b"\xcd", Status.BAD_END),
    "a length out of all bounds": (b"\x01\x00\x01\xff\xff\xff\xff", Status.TOO_LARGE),
    "a body on channel 9": (pika.frame.Body(9, b"x").marshal(), Status.BAD_CHANNEL),
    "a body on channel 0": (pika.frame.Body(0, b"x").marshal(), Status.BAD_CHANNEL),
    "a header on channel 9": (pika.frame.Header(9, 1, spec.BasicProperties()).marshal(), Status.BAD_CHANNEL),
    "an ack without a tag": (b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x50\xce", Status.SHORT),
    "a delivery without a tag": (b"\x01\x00\x01\x00\x00\x00\x06\x00\x3c\x00\x3c\xff\xff\xce", Status.SHORT),
    "a method of two octets": (b"\x01\x00\x01\x00\x00\x00\x02\x00\x3c\xce", Status.SHORT),
    "a header of no length": (HEADER_OF_40[0] + b"\x02\x00\x01\x00\x00\x00\x02\x00\x3c\xce", Status.SHORT),
    "a delivery in a delivery": (HEADER_OF_40[0] * 2, Status.UNEXPECTED_METHOD),
    "a header without a method": (HEADER_OF_40[1], Status.UNEXPECTED_HEADER),
    "a body without a header": (HEADER_OF_40[2], Status.UNEXPECTED_BODY),
    "a header of another class": (
        HEADER_OF_40[0] + HEADER_OF_40[1].replace(b"\x00\x3c\x00\x00", b"\x00\x3d\x00\x00", 1),
        Status.BAD_CLASS,
    ),
    "more body than was said": (
        b"".join(HEADER_OF_40[:2]) + pika.frame.Body(1, b"x" * 41).marshal(),
        Status.BODY_TOO_LONG,
    ),
    "a body of 2^63 octets": (
        HEADER_OF_40[0] + HEADER_OF_40[1][:11] + b"\x80" + bytes(7) + HEADER_OF_40[1][19:],
        Status.BODY_SIZE,
    ),
    "a wrong end in pieces": (b"".join(HEADER_OF_40)[:-1] + b"\xcd", Status.BAD_END),
}


@pytest.mark.parametrize("what", FAULTS)
def test_each_fault_has_its_status(what: str) -> None:
    """Also when it comes octet by octet; and each has words for people."""
    octets, status = FAULTS[what]
    for pieces in ([octets], [octets[at : at + 1] for at in range(len(octets))]):
        fast = Fast()
        fast.feed(pieces)
        assert fast.status == status
    assert layout.FAULTS[status]


def test_nothing_is_gathered_of_a_large_body() -> None:
    """A body of 1 MiB in frames of 4 KiB, fed 1,000 octets at a time, leaves no more than a frame header unread."""
    stream = frames(
        spec.Basic.Deliver("t", 1, exchange="", routing_key=""),
        1,
        stamped(0, 1, 1 << 20),
        4_088,
        spec.BasicProperties(),
    )
    octets, fast = b"".join(stream), Fast(frame_max=4_096)
    for at in range(0, len(octets), 1_000):
        fast.feed([octets[at : at + 1_000]])
        assert len(fast._carry) < 64
    assert fast.found.delivered == [(0, 0, 1, -5, 1 << 50, 0)]


@pytest.mark.compiled
@pytest.mark.parametrize("broker", ["rabbitmq", "broker-j"])
@pytest.mark.parametrize("side", ["producer", "consumer"])
def test_what_real_brokers_sent_is_found_however_it_is_cut(broker: str, side: str) -> None:
    """Recorded by `tests.evidence.record091`: the handshake, 30 confirms or messages, bodies of others, many frames."""
    octets = (GOLDEN / f"amqp091-{broker}-{side}.bin").read_bytes()
    step = 1 if COMPILED else len(octets) // 7
    there = Twin(PUBLISHED, 3).read(octets)
    if side == "producer":
        assert [row[1] for row in there.settled] == list(range(30))
    else:
        assert [row[2] for row in there.delivered] == list(range(30))
        assert (there.foreign, len(there.acks)) == (4, 11)
    assert Fast(PUBLISHED, 3).feed([octets]) == there
    assert Fast(PUBLISHED, 3).feed([octets[at : at + step] for at in range(0, len(octets), step)]) == there
    for cut in range(0, len(octets) + 1, step):
        assert Fast(PUBLISHED, 3).feed([octets[:cut], octets[cut:]]) == there, cut
