"""Reading and answering in one call: what a driver is told, and when it must take something out first."""

import numpy as np
import pytest

from bench.wire import amqp10_layout as x
from bench.wire.amqp10_control import AMQP_HEADER
from bench.wire.amqp10_scan_answer import answer_octets, take
from bench.wire.cursor import FRAME_END, OUT, OWES, ROWS_WIDTH, TAKEN, Scanned
from bench.wire.octets import Octets
from tests.bench.wire.amqp10_client import CONN, Client, template

RUNS = 4


class Taking:
    """A receiver whose bytes `take` reads.

    Attributes:
        written: what it wrote for the peer, in turn.
    """

    def __init__(self, lanes: int, ack_batch: int, spare: int) -> None:
        """Make it, with a buffer for what is owed that holds no more than it must, and `spare` bytes."""
        self.client = Client(receivers=lanes, ack_batch=ack_batch, prefetch=1_000, runs=RUNS)
        self.client.ready()
        self.cursor = np.zeros(x.TALLIES, np.int64)
        out = np.zeros(2 * answer_octets(lanes, RUNS) + spare, np.uint8)
        self.found = Scanned(rows=np.zeros((ROWS_WIDTH, 1_000), np.int64), cursor=self.cursor, out=out)
        self.written: list[bytes] = []

    def take(self, data: bytes) -> list[int]:
        """Read all of it; return each status."""
        buffer: Octets = np.frombuffer(bytearray(data), np.uint8)
        statuses, at = [], 0
        while not statuses or statuses[-1] == x.ROWS_FULL:
            status = take(buffer, at, len(data), 5, self.client.tables, CONN, self.found)
            statuses.append(status)
            at = int(self.cursor[TAKEN])
            self.written.append(self.found.out[: self.cursor[OUT]].tobytes())
            self.cursor[OUT] = 0
        assert status < 0 or status == x.CONTROL or at == len(data)
        return statuses


def messages(links: list[int]) -> bytes:
    """Return a message on each of these links, in turn."""
    lanes = max(links) + 1
    sender = Client(senders=lanes, limit=1_000)
    sender.ready()
    sender.send(template(32), links, list(range(len(links))))
    return sender.take_out()


@pytest.mark.parametrize("spare", [0, 100, 10_000])
def test_every_message_is_acknowledged_whatever_the_room(spare: int) -> None:
    """Links in turn make a run of each message: the caller is asked to take bytes out where they would not fit."""
    taking = Taking(lanes=3, ack_batch=1_000, spare=spare)
    statuses = taking.take(messages([0, 1, 2] * 40))
    assert statuses[-1] == x.DONE
    assert (len(statuses) == 1) == (spare == 10_000)
    assert taking.cursor[x.T_DELIVERIES] == 120
    assert taking.cursor[x.T_ACKS] + taking.client.tables.lanes[:, x.L_RUNS].clip(0).sum() == 120
    assert taking.client.conn[x.C_DUE] == 0


def test_it_tells_what_is_owed() -> None:
    """A batch that is not full: nothing is written, and the caller hears that it must not wait for ever."""
    taking = Taking(lanes=1, ack_batch=10, spare=0)
    assert taking.take(messages([0] * 9)) == [x.DONE]
    assert (taking.written, taking.cursor[OWES]) == ([b""], 1)
    taking.cursor[OWES] = 0
    full = Taking(lanes=1, ack_batch=9, spare=0)
    assert full.take(messages([0] * 9)) == [x.DONE]
    assert (len(full.written[0]) > 0, full.cursor[OWES]) == (True, 0)


def test_headers_and_other_frames_are_for_the_caller() -> None:
    """Both stop the reading, with their bounds."""
    taking = Taking(lanes=1, ack_batch=1, spare=0)
    for data in (AMQP_HEADER, b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x18\x45"):
        assert taking.take(data) == [x.CONTROL]
        assert (taking.cursor[TAKEN], taking.cursor[FRAME_END]) == (0, len(data))


def test_wrong_bytes_are_told() -> None:
    """As the codec's own status."""
    assert Taking(lanes=1, ack_batch=1, spare=0).take(bytes(8)) == [x.E_FRAME_SIZE]
