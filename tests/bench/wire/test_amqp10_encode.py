"""What bounds sending is honoured: credit, window, outcomes that are waited for, the buffer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.wire import amqp10_layout as x
from tests.bench.wire.amqp10_client import Client, template


def frames_of(data: bytes) -> list[bytes]:
    """Cut a stream into frames."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


def test_credit_bounds_each_lane() -> None:
    """A lane without credit takes nothing more, nor does what stands behind it."""
    client, made = Client(senders=2), template(32)
    client.ready(credit=2)
    assert client.room(made) == 4
    assert client.send(made, [0, 0, 0, 1], [0, 1, 2, 3]) == 2
    assert client.room(made) == 0
    assert client.send(made, [1, 1], [4, 5]) == 2


def test_messages_without_an_outcome_bound_room() -> None:
    """The window of a lane is for the pump to keep; room tells it."""
    client, made = Client(senders=1, limit=5), template(32)
    client.ready()
    assert client.room(made) == 5
    client.send(made, [0] * 3, [0, 1, 2])
    assert client.room(made) == 2


def test_the_ring_bounds_what_waits() -> None:
    """No message is sent whose delivery-id would hide that of one which waits."""
    client, made = Client(senders=1, limit=1_000, ring=8), template(32)
    client.ready()
    assert client.room(made) == 8
    assert client.send(made, [0] * 20, list(range(20))) == 8
    assert client.room(made) == 0


def test_presettled_messages_wait_for_nothing() -> None:
    """They are bounded by credit alone, and leave the ring empty."""
    client, made = Client(senders=1, limit=0, ring=8), template(32)
    client.ready(credit=100)
    assert client.room(made) == 100
    assert client.send(made, [0] * 100, list(range(100))) == 100
    assert client.lane(0)[x.L_INFLIGHT] == 0
    assert not client.tables.rings[1].any()


@settings(deadline=None)
@given(
    windows=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    size=st.sampled_from([32, 600, 3_000]),
    out_size=st.sampled_from([600, 1_500, 10_000]),
)
def test_the_window_is_never_exceeded(windows: list[int], size: int, out_size: int) -> None:
    """Frames sent never pass the window, and every byte of a message is sent once, in order."""
    client, made = Client(senders=3, out_size=out_size), template(size)
    client.ready(window=0, peer_frame=512)
    sent, payloads = 0, {}
    for window in windows:
        client.conn[x.C_OUT_WINDOW] = window
        client.resume(made)
        room = client.room(made)
        lanes = [(sent + n) % 3 for n in range(room)]
        assert client.send(made, lanes, list(range(sent, sent + room))) == room
        sent += room
        written = frames_of(client.take_out())
        assert len(written) <= window
        assert len(written) == window - client.conn[x.C_OUT_WINDOW]
        for frame in written:
            assert len(frame) <= 512
            delivery = int.from_bytes(frame[20:24], "big")
            payloads[delivery] = payloads.get(delivery, b"") + frame[x.HEAD :]
    assert list(payloads) == sorted(payloads)
    whole = len(made.frame) - x.HEAD
    assert all(len(payload) == whole for payload in list(payloads.values())[: -3 if client.conn[x.C_PARKED] else None])
    assert len({payload[made.stamp - x.HEAD + 8 :][:8] for payload in payloads.values()}) == len(payloads)
    assert client.others_untouched()


def test_a_lane_with_a_parked_message_takes_no_other() -> None:
    """But the other lanes each take one, which go out in the order they were taken."""
    client, made = Client(senders=2), template(2_000)
    client.ready(window=1, peer_frame=512)
    assert client.room(made) == 2
    assert client.send(made, [0, 1, 0], [10, 11, 12]) == 2
    assert client.conn[x.C_PARKED] == 2
    assert client.room(made) == 0
    client.conn[x.C_OUT_WINDOW] = 100
    client.resume(made)
    assert [int.from_bytes(frame[20:24], "big") for frame in frames_of(client.take_out())] == [0] * 5 + [1] * 5
    assert client.send(made, [0], [12]) == 1


def test_a_parked_message_waits_for_credit_that_was_taken_back() -> None:
    """Without credit it is not begun, and does not keep others from being sent."""
    client, made = Client(senders=2), template(32)
    client.ready(window=1)
    client.send(made, [0, 0, 1], [0, 1, 2])
    client.take_out()
    client.lane(0)[x.L_CREDIT] = 0
    client.conn[x.C_OUT_WINDOW] = 100
    client.resume(made)
    assert [int.from_bytes(frame[15:19], "big") for frame in frames_of(client.take_out())] == [1]
    client.lane(0)[x.L_CREDIT] = 1
    client.resume(made)
    assert [int.from_bytes(frame[15:19], "big") for frame in frames_of(client.take_out())] == [0]


def test_room_of_many_lanes_counts_from_the_next_in_turn() -> None:
    """Where lanes are more than asked for, counting stops at the first that is blocked."""
    client, made = Client(senders=10), template(32)
    client.ready()
    client.lane(7)[x.L_CREDIT] = 0
    assert client.room(made, following=3, most=8) == 4
    assert client.room(made, following=8, most=8) == 8
    assert client.room(made, following=7, most=8) == 0
    assert client.room(made, most=20) == 0


def test_a_link_that_is_not_attached_has_no_room() -> None:
    """Whatever its credit."""
    client, made = Client(senders=1), template(32)
    client.ready()
    client.lane(0)[x.L_HANDLE] = -1
    assert client.room(made) == 0


@pytest.mark.parametrize("size", [32, 255, 256, 70_000])
def test_the_template_is_one_frame_after_the_other(size: int) -> None:
    """The body lies where it says, and is as long as it should be."""
    made = template(size)
    assert len(made.frame) - made.stamp == size


def test_our_own_frames_are_read_back() -> None:
    """What is encoded is scanned to the same numbers, at the highest and lowest they may be."""
    sender, receiver, made = Client(senders=1), Client(receivers=1, prefetch=50), template(100)
    sender.ready(peer_frame=512)
    receiver.ready()
    top = 2**40 - 1
    sender.now_ns = 2**63 - 1
    sender.lane(0)[x.L_PRODUCER] = 2**32 - 1
    sender.send(made, [0], [top], intended_ns=-(2**63))
    receiver.feed(sender.take_out())
    assert receiver.deliveries == [(0, 2**32 - 1, top, -(2**63), 2**63 - 1, 5, 0)]
    receiver.answer(flush=True)
    sender.feed(receiver.take_out())
    assert sender.settlements == [(0, top, 1, 2**63 - 1)]
