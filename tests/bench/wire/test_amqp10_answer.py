"""Acknowledgements, credit and window are written when they are due, no sooner and no later."""

import numpy as np
import pytest

from bench.wire import amqp10_layout as x
from bench.wire.amqp10_answer import NEVER, answer
from tests.bench.wire.amqp10_client import CONN, Client, template
from tests.bench.wire.test_amqp10_encode import frames_of
from tests.bench.wire.test_amqp10_scan import acknowledged, frame


def pair(
    count: int, *, lanes: int = 1, prefetch: int = 100, ack_batch: int = 10, window: int = 0x7FFFFFFF
) -> tuple[Client, bytes]:
    """Return a receiver and the bytes of `count` messages that are dealt to its lanes."""
    sender = Client(senders=lanes, limit=2_000, ring=4_096)
    receiver = Client(receivers=lanes, prefetch=prefetch, ack_batch=ack_batch, window=window)
    sender.ready(10_000)
    receiver.ready()
    sender.send(template(32), [n % lanes for n in range(count)], list(range(count)))
    return receiver, sender.take_out()


def kinds(data: bytes) -> list[int]:
    """Return the performatives of a stream."""
    return [found[10] for found in frames_of(data)]


def test_a_batch_is_acknowledged_when_it_is_full() -> None:
    """Nine of ten wait, the tenth sends one range of all ten."""
    receiver, data = pair(10)
    step = len(data) // 10
    receiver.feed(data[: 9 * step])
    assert receiver.out == b""
    receiver.feed(data[9 * step :])
    out = receiver.take_out()
    assert kinds(out) == [x.DISPOSITION]
    assert acknowledged(out) == list(range(10))
    assert receiver.tally[x.T_ACKS] == 1


def test_an_unfinished_batch_is_acknowledged_on_demand() -> None:
    """As a lane that has nothing more to come, or is about to close, wants it."""
    receiver, data = pair(3)
    receiver.feed(data)
    assert (receiver.lane(0)[x.L_PENDING], receiver.lane(0)[x.L_LAST_NS]) == (3, 5)
    receiver.answer(flush=True)
    assert acknowledged(receiver.take_out()) == [0, 1, 2]
    receiver.answer(flush=True)
    assert receiver.out == b""


def test_lanes_acknowledge_their_own() -> None:
    """Deliveries that alternate between lanes make runs of one; a full run list does not wait for the batch."""
    receiver, data = pair(20, lanes=2, ack_batch=50)
    receiver.feed(data)
    first = acknowledged(receiver.take_out())
    assert len(first) == 16
    receiver.answer(flush=True)
    assert sorted(first + acknowledged(receiver.take_out())) == list(range(20))


def test_credit_is_restored_at_half() -> None:
    """What is unacknowledged counts as used, so that no more than the prefetch is ever out."""
    receiver, data = pair(100, prefetch=20, ack_batch=1)
    step = len(data) // 100
    for number in range(100):
        receiver.feed(data[number * step : (number + 1) * step])
        assert receiver.lane(0)[x.L_CREDIT] > 10
    flows = [found for found in frames_of(receiver.take_out()) if found[10] == x.FLOW]
    assert len(flows) == 10
    assert {int.from_bytes(found[45:49], "big") for found in flows} == {20}
    assert int.from_bytes(flows[-1][40:44], "big") == 100


def test_the_window_is_restored_at_half() -> None:
    """By a flow without a link where no link's is due."""
    receiver, data = pair(10, prefetch=1_000, ack_batch=100, window=8)
    step = len(data) // 10
    receiver.feed(data[: 3 * step])
    assert receiver.out == b""
    receiver.feed(data[3 * step : 4 * step])
    [flow] = frames_of(receiver.take_out())
    assert (len(flow), [int.from_bytes(flow[at : at + 4], "big") for at in (15, 20)]) == (34, [4, 8])
    receiver.feed(data[4 * step :])
    assert receiver.tally[x.T_UNASKED] == 0


def flow_frame(echo: bytes, link: bytes = b"") -> bytes:
    """Return the peer's flow, with an echo asked for."""
    fields = b"\x43\x52\x64\x43\x52\x64" + (link or b"\x40\x40\x40") + b"\x40\x42" + echo
    return frame(b"\x00\x53\x13\xc0" + bytes((len(fields) + 1, 10)) + fields)


@pytest.mark.parametrize(("link", "length"), [(b"", 34), (b"\x43\x43\x52\x09", 51)])
def test_an_echo_is_given(link: bytes, length: int) -> None:
    """For the session, or for the link that is named."""
    client = Client(senders=1)
    client.ready()
    client.feed(flow_frame(b"\x42", link))
    assert client.out == b""
    client.feed(flow_frame(b"\x41", link))
    assert len(client.take_out()) == length
    assert client.conn[x.C_OUT_WINDOW] == 100


def test_a_small_buffer_makes_several_answers() -> None:
    """Nothing is written beyond it, and the rest stays due."""
    receiver, data = pair(9, lanes=3, ack_batch=1)
    receiver.feed(data, answers=False)
    buffer = np.full(400, 0xEE, np.uint8)
    total, calls = b"", 0
    while receiver.conn[x.C_DUE]:
        end = answer(buffer[:256], 0, receiver.tables, CONN, receiver.tally, NEVER)
        total += buffer[:end].tobytes()
        calls += 1
        assert (buffer[256:] == 0xEE).all()
    assert calls > 1
    assert sorted(acknowledged(total)) == list(range(9))
