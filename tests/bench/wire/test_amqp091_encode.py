"""What the compiled encoder writes, pika's decoder reads: methods, headers, bodies over many frames, stamps, tags."""

import numpy as np
import pika.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import spec

from bench.arrivals import stamp
from bench.drivers.base import Sends
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_encode import body_frames, delivery_prefix, encode, prefix
from bench.wire.templates import make_templates
from tests.bench.wire.amqp091_twin import CHANNELS, SPAN, Fast


def decoded(octets: bytes) -> list[pika.frame.Frame]:
    """Return the frames of a stream, by pika."""
    found = []
    while octets:
        length, frame = pika.frame.decode_frame(octets)
        assert frame is not None
        found.append(frame)
        octets = octets[length:]
    return found


def written(
    prefixes: list[bytes], size: int, frame_max: int, rows: list[int], *, tag_at: int = 0, tracked: bool = True
) -> tuple[bytes, Fast]:
    """Encode one message for each lane in `rows`, numbered from 0; return the octets and the state."""
    state = Fast(span=SPAN if tracked else 1)
    width = max(map(len, prefixes))
    block = np.zeros(width * len(prefixes), np.uint8)
    tables = state.tables._replace(prefixes=block)
    for row, octets in enumerate(prefixes):
        block[row * width : row * width + len(octets)] = np.frombuffer(octets, np.uint8)
        state.lanes[row, [layout.PREFIX_AT, layout.PREFIX, layout.PRODUCER]] = row * width, len(octets), 100 + row
    state.lanes[:, layout.TAG_AT] = tag_at
    body = body_frames(size, frame_max)
    out = np.full(len(rows) * (width + len(body)) + 8, 0x5A, np.uint8)
    lane, seq = np.array(rows, np.int64), np.arange(len(rows))
    templates = make_templates([body], [0], None)
    sends = Sends(lane=lane, seq=seq, intended_ns=seq * 7 - 3, sent_ns=seq)
    half = len(rows) // 2
    middle = encode(out, 0, templates, tables, sends, 1 << 40, 0, half)
    end = encode(out, middle, templates, tables, sends, 1 << 40, half, len(rows))
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
    prefixes = [prefix(c, f"{queue}{c}", size, durable=mode == 2, mandatory=True) for c in range(1, CHANNELS + 1)]
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
    frames = decoded(bytes(body_frames(size, 131_072 if size > 1 << 20 else 4_096)))
    assert sum(len(frame.fragment) for frame in frames) == size
    assert len({len(frame.fragment) for frame in frames[:-1]}) <= 1
