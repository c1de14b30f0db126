"""What the compiled encoder writes, pika's decoder reads: methods, headers, bodies over many frames, stamps, tags."""

import numpy as np
import pika.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import spec

from bench.arrivals import keys, stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.sizes import Sizes
from bench.drivers.base import Properties, Sends
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_encode import OF_REQUESTS, encode
from bench.wire.amqp091_frames import (
    SEQ,
    HeaderFrame,
    body_frames,
    delivery_prefix,
    header_frame,
    make_outline,
    publish_frame,
)
from bench.wire.octets import DIGITS, Int64
from bench.wire.templates import Templates, make_templates
from tests.bench.wire.amqp091_twin import CHANNELS, SPAN, Fast

TRANSIENT = header_frame(1, 50, Properties(), durable=False)


def decoded(octets: bytes) -> list[pika.frame.Frame]:
    """Return the frames of a stream, by pika."""
    found = []
    while octets:
        length, frame = pika.frame.decode_frame(octets)
        assert frame is not None
        found.append(frame)
        octets = octets[length:]
    return found


def filled(
    prefixes: list[bytes],
    header: HeaderFrame,
    *,
    choice: Int64 | None = None,
    methods: tuple[bytes, ...] = (),
    span: int = SPAN,
) -> Fast:
    """Return tables of lanes with these first frames, which end with a header, and with method frames of keys."""
    state, width = Fast(span=span), max(map(len, prefixes))
    block = np.zeros(width * len(prefixes), np.uint8)
    for row, octets in enumerate(prefixes):
        block[row * width : row * width + len(octets)] = np.frombuffer(octets, np.uint8)
        cells = (layout.PREFIX_AT, layout.PREFIX, layout.PRODUCER, layout.SIZE_AT)
        state.lanes[row, cells] = row * width, len(octets), 100 + row, len(octets) - header.size_at
    state.tables = state.tables._replace(
        prefixes=np.concatenate([block, np.frombuffer(b"".join(methods), np.uint8)]),
        outline=make_outline(header.digits, choice, methods, len(block), compact=False),
    )
    return state


def encoded(state: Fast, templates: Templates, sends: Sends, sent_ns: int) -> list[pika.frame.Frame]:
    """Encode all messages; return the frames, by pika."""
    out = np.full(1 << 20, 0x5A, np.uint8)
    end = encode(out, 0, templates, state.tables, sends, sent_ns, 0, len(sends.seq))
    assert (out[end : end + 64] == 0x5A).all()
    return decoded(bytes(out[:end]))


def sends_of(rows: list[int], seqs: list[int]) -> Sends:
    """Return messages of lanes."""
    lane, seq = np.array(rows, np.int64), np.array(seqs, np.int64)
    return Sends(lane=lane, seq=seq, intended_ns=seq * 7 - 3, sent_ns=seq * 11)


def written(
    prefixes: list[bytes], size: int, frame_max: int, rows: list[int], *, tag_at: int = 0, tracked: bool = True
) -> tuple[bytes, Fast]:
    """Encode one message for each lane in `rows`, numbered from 0; return the octets and the state."""
    state, width = filled(prefixes, TRANSIENT, span=SPAN if tracked else 1), max(map(len, prefixes))
    state.lanes[:, layout.TAG_AT] = tag_at
    body = body_frames(bytes(size), frame_max)
    out = np.full(len(rows) * (width + len(body)) + 8, 0x5A, np.uint8)
    lane, seq = np.array(rows, np.int64), np.arange(len(rows))
    templates = make_templates([body], [0], None)
    sends = Sends(lane=lane, seq=seq, intended_ns=seq * 7 - 3, sent_ns=seq)
    half = len(rows) // 2
    middle = encode(out, 0, templates, state.tables, sends, 1 << 40, 0, half)
    end = encode(out, middle, templates, state.tables, sends, 1 << 40, half, len(rows))
    assert (out[end:] == 0x5A).all()
    return bytes(out[:end]), state


@given(
    st.integers(32, 9_000),
    st.sampled_from([4_096, 4_097, 5_000, 131_072]),
    st.lists(st.integers(0, CHANNELS - 1), min_size=1, max_size=12),
    st.sampled_from([1, 2]),
    st.text(max_size=60),
)
def test_pika_reads_what_was_meant(size: int, frame_max: int, rows: list[int], mode: int, queue: str) -> None:
    """Each message on its channel, whole, with its stamp, and entered in the ring."""
    prefixes = [
        publish_frame(c, "", f"{queue}{c}", mandatory=True)
        + header_frame(c, size, Properties(), durable=mode == 2).octets
        for c in range(1, CHANNELS + 1)
    ]
    octets, state = written(prefixes, size, frame_max, rows)
    frames = iter(decoded(octets))
    for seq, row in enumerate(rows):
        method, header = next(frames), next(frames)
        assert {method.channel_number, header.channel_number} == {row + 1}
        assert isinstance(method.method, spec.Basic.Publish)
        assert (method.method.exchange, method.method.routing_key) == ("", f"{queue}{row + 1}")
        assert (method.method.mandatory, header.body_size) == (True, size)
        assert header.properties.delivery_mode == mode
        body = b""
        while len(body) < size:
            frame = next(frames)
            assert frame.channel_number == row + 1
            assert len(frame.fragment) <= frame_max - 8
            body += frame.fragment
        assert stamp.unpack(body) == (100 + row, seq, seq * 7 - 3, 1 << 40)
        assert body[stamp.SIZE :] == bytes(size - stamp.SIZE)
    assert list(frames) == []
    assert state.lanes[:, layout.IN_FLIGHT].tolist() == [rows.count(row) for row in range(CHANNELS)]


def test_deliveries_carry_their_tags() -> None:
    """Where we play the broker, tags are counted for each channel from 1."""
    both = [delivery_prefix(channel, "a-tag", "q", 50) for channel in (1, 2)]
    octets, _ = written([octets for octets, _ in both], 50, 4_096, [0, 1, 0, 0], tag_at=both[0][1], tracked=False)
    methods = [frame for frame in decoded(octets) if isinstance(frame, pika.frame.Method)]
    assert [(m.channel_number, m.method.delivery_tag) for m in methods] == [(1, 1), (2, 1), (1, 2), (1, 3)]
    assert {m.method.consumer_tag for m in methods} == {"a-tag"}


@pytest.mark.parametrize("size", [0, 1, 4_088, 4_089, 16 << 20])
def test_a_body_is_cut_into_frames(size: int) -> None:
    """As many as it takes, all but the last full; a body of nothing has none."""
    frames = decoded(bytes(body_frames(bytes(size), 131_072 if size > 1 << 20 else 4_096)))
    assert sum(len(frame.fragment) for frame in frames) == size
    assert len({len(frame.fragment) for frame in frames[:-1]}) <= 1


@given(
    st.sampled_from([keys.in_turn(5), keys.by_producer(5), keys.drawn(keys.zipf(5, 1.0), seed=3)]),
    st.lists(st.tuples(st.integers(0, CHANNELS - 1), st.integers(0, 2**40)), min_size=1, max_size=20),
)
def test_each_message_has_the_key_that_is_chosen(choice: Int64, messages: list[tuple[int, int]]) -> None:
    """By producer and number, on the channel of its lane, whatever the length of the key."""
    names = ["", "a", "orders.eu", "x" * 200, "\u00e9" * 100]
    methods = tuple(publish_frame(0, "events", name, mandatory=True) for name in names)
    headers = [header_frame(channel, 50, Properties(), durable=False) for channel in range(1, CHANNELS + 1)]
    state = filled([one.octets for one in headers], headers[0], choice=choice, methods=methods)
    rows, seqs = [row for row, _ in messages], [seq for _, seq in messages]
    frames = encoded(state, make_templates([body_frames(bytes(50), 4_096)], [7], None), sends_of(rows, seqs), 1)
    for (row, seq), method, header, body in zip(messages, frames[::3], frames[1::3], frames[2::3], strict=True):
        assert {method.channel_number, header.channel_number, body.channel_number} == {row + 1}
        assert method.method.exchange == "events"
        assert method.method.routing_key == names[keys.keys_of(choice, 100 + row, seq, 1)[0]]
        assert stamp.unpack(body.fragment) == (100 + row, seq, seq * 7 - 3, 1)


texts = st.lists(st.sampled_from([SEQ, "0", "1", "\u00e9", " - "]), max_size=6).map("".join)
given_properties = st.builds(
    Properties,
    headers=st.dictionaries(
        st.text(min_size=1, max_size=9), texts | st.booleans() | st.integers(-(2**31), 2**31), max_size=3
    ).map(lambda made: tuple(made.items())),
    content_type=texts,
    content_encoding=texts,
    priority=st.none() | st.integers(0, 255),
    correlation_id=texts,
    expiration_ms=st.none() | st.integers(0, 10**9),
    message_id=texts,
    type=texts,
    app_id=texts,
)


def reads(found: pika.BasicProperties, asked: Properties, number: str) -> None:
    """The properties are those asked for, with the number in each text."""
    said = {name: text.replace(SEQ, number) if isinstance(text, str) else text for name, text in asked.headers}
    assert (found.headers or {}) == said
    for name in ("content_type", "content_encoding", "correlation_id", "message_id", "type", "app_id"):
        assert (getattr(found, name) or "") == getattr(asked, name).replace(SEQ, number)
    assert found.priority == asked.priority
    assert found.expiration == (None if asked.expiration_ms is None else str(asked.expiration_ms))


@given(given_properties, st.integers(0, 10**DIGITS - 1), st.sampled_from(["", "replies"]), st.booleans())
def test_properties_say_the_sequence_number(asked: Properties, seq: int, reply_to: str, durable: bool) -> None:  # noqa: FBT001
    """With leading zeros, as often as they name it; and the body size of each of two classes is right.

    Where is the same for all lanes, however long the names of their reply queues.
    """
    mix = Sizes((40, 300), (1.0, 1.0), seed=5)
    header = header_frame(1, 300, asked, durable=durable, reply_to=reply_to)
    assert header.digits == header_frame(1, 300, asked, durable=durable, reply_to="r" * 200).digits
    state = filled([publish_frame(1, "", "q", mandatory=False) + header.octets], header)
    templates = make_templates([body_frames(b"x" * size, 4_096) for size in mix.sizes], [7, 7], mix)
    numbers = [seq, 10**DIGITS - 1 - seq, 0]
    frames = encoded(state, templates, sends_of([0] * 3, numbers), 1)
    for number, header, body in zip(numbers, frames[1::3], frames[2::3], strict=True):
        reads(header.properties, asked, f"{number:0{DIGITS}d}")
        assert header.properties.reply_to == (reply_to or None)
        assert header.properties.delivery_mode == (2 if durable else 1)
        assert header.body_size == len(body.fragment) == mix.of(100, number)


def test_bodies_hold_their_content_behind_the_stamp() -> None:
    """Over frames as well; a compact stamp takes less of it."""
    content = BodyContent("json").fill(6_000)
    for compact in (0, 1):
        state = filled([publish_frame(1, "", "q", mandatory=False) + TRANSIENT.octets], TRANSIENT)
        state.tables.outline[layout.COMPACT] = compact
        templates = make_templates([body_frames(content, 4_096)], [7], None)
        frames = encoded(state, templates, sends_of([0], [9]), 77)
        body = b"".join(frame.fragment for frame in frames[2:])
        size = stamp.COMPACT_SIZE if compact else stamp.SIZE
        assert body[size:] == content[size:]
        found = stamp.unpack_compact(body, 100) if compact else stamp.unpack(body)
        assert found == ((100, 9, 60, 60) if compact else (100, 9, 60, 77))


@given(st.integers(0, stamp.MOST_COMPACT_PRODUCERS - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**62))
def test_compact_stamps_hold_what_they_can(producer: int, seq: int, intended_ns: int) -> None:
    """Producers of 20 bits, numbers of 32, and the lower bits of a time."""
    state = filled([publish_frame(1, "", "q", mandatory=False) + TRANSIENT.octets], TRANSIENT)
    state.tables.outline[layout.COMPACT], state.lanes[0, layout.PRODUCER] = 1, producer
    sends = sends_of([0], [seq])._replace(intended_ns=np.array([intended_ns]))
    (*_, body) = encoded(state, make_templates([body_frames(bytes(12), 4_096)], [7], None), sends, 1)
    assert stamp.unpack_compact(body.fragment, intended_ns + 5) == (producer, seq, intended_ns, intended_ns)


def test_replies_have_the_times_of_their_requests() -> None:
    """Each its own, where no time is given."""
    state = filled([publish_frame(1, "", "q", mandatory=False) + TRANSIENT.octets], TRANSIENT)
    templates = make_templates([body_frames(bytes(50), 4_096)], [7], None)
    frames = encoded(state, templates, sends_of([0, 0], [4, 5]), OF_REQUESTS)
    assert [stamp.unpack(body.fragment) for body in frames[2::3]] == [(100, 4, 25, 44), (100, 5, 32, 55)]
