"""The slow, obvious twin of the compiled 0-9-1 scan, made of pika's decoder, and a harness that feeds the fast one."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pika.frame
from pika import spec

from bench.arrivals import stamp
from bench.drivers.base import Outcome
from bench.drivers.pika.confirm_window import ConfirmWindow
from bench.wire import amqp091_layout as layout
from bench.wire import cursor as cursor_at
from bench.wire.amqp091_requesters import ANSWERING_WIDTH
from bench.wire.amqp091_scan import scan

NOW = 1_000_000
READ = NOW + 7
CHANNELS = 3
SPAN = 64
Row = tuple[int, ...]


@dataclass
class Found:
    """What a stream holds, by either twin.

    Attributes:
        settled: (lane, seq, outcome).
        delivered: (lane, producer, seq, intended_ns, sent_ns, redelivered).
        foreign: bodies without our stamp.
        acks: (channel, tag, multiple) of the acknowledgements that are due.
        rejects: (channel, tag, requeue) of what is rejected.
        controls: other frames, as they came.
        heartbeats: heartbeat frames.
    """

    settled: list[Row] = field(default_factory=list)
    delivered: list[Row] = field(default_factory=list)
    foreign: int = 0
    acks: list[tuple[int, int, bool]] = field(default_factory=list)
    rejects: list[tuple[int, int, bool]] = field(default_factory=list)
    controls: list[bytes] = field(default_factory=list)
    heartbeats: int = 0


class Twin:
    """Reads whole frames with pika."""

    def __init__(self, published: int, ack_batch: int) -> None:
        """Have so many messages unconfirmed on each channel, numbered from 0."""
        self.found = Found()
        self._batch = ack_batch
        self._windows = [ConfirmWindow() for _ in range(CHANNELS)]
        for window in self._windows:
            for seq in range(published):
                window.publish(seq)
        self._method: dict[int, spec.amqp_object.Method] = {}
        self._left: dict[int, int] = {}
        self._body: dict[int, bytes] = {}
        self._unacked = dict.fromkeys(range(CHANNELS), 0)

    def read(self, octets: bytes) -> Found:
        """Return what a stream of whole frames holds."""
        while octets:
            length, frame = pika.frame.decode_frame(octets)
            assert frame is not None
            self._take(frame, octets[:length])
            octets = octets[length:]
        return self.found

    def _take(self, frame: pika.frame.Frame, octets: bytes) -> None:
        lane = frame.channel_number - 1
        if isinstance(frame, pika.frame.Heartbeat):
            self.found.heartbeats += 1
        elif isinstance(frame, pika.frame.Header):
            self._left[lane], self._body[lane] = frame.body_size, b""
            self._complete(lane)
        elif isinstance(frame, pika.frame.Body):
            self._body[lane] += frame.fragment
            self._left[lane] -= len(frame.fragment)
            if frame.fragment:
                self._complete(lane)
        elif isinstance(frame.method, spec.Basic.Ack | spec.Basic.Nack):
            good = isinstance(frame.method, spec.Basic.Ack)
            outcome = Outcome.CONFIRMED if good else Outcome.REFUSED
            method = frame.method
            rows = self._windows[lane].settle(method.delivery_tag, multiple=method.multiple, outcome=outcome)
            self.found.settled += [(lane, seq, what) for seq, what in rows]
        elif isinstance(frame.method, spec.Basic.Deliver | spec.Basic.GetOk | spec.Basic.Return):
            self._method[lane] = frame.method
        else:
            self.found.controls.append(octets)

    def _complete(self, lane: int) -> None:
        if self._left[lane]:
            return
        method, stamped = self._method.pop(lane), stamp.unpack(self._body[lane])
        if isinstance(method, spec.Basic.Return):
            if stamped is not None:
                self._windows[lane].give_back(stamped[1])
            return
        if stamped is None:
            self.found.foreign += 1
        else:
            self.found.delivered.append((lane, *stamped, int(method.redelivered)))
        if self._batch:
            self._unacked[lane] += 1
            if self._unacked[lane] >= self._batch:
                self._unacked[lane] = 0
                self.found.acks.append((lane + 1, method.delivery_tag, self._batch > 1))


class Fast:
    """Feeds the compiled scan in pieces, as a connection does.

    Attributes:
        status: the last status below 0, or MORE.
    """

    def __init__(
        self, published: int = 0, ack_batch: int = 0, capacity: int = 64, frame_max: int = 131_072, span: int = SPAN
    ) -> None:
        """Have so many messages unconfirmed on each channel, numbered from 0."""
        self.found = Found()
        self.status = int(layout.Status.MORE)
        self.tables = layout.make_channel_tables(1, CHANNELS, CHANNELS, span, 0, frame_max)
        self.lanes = self.tables.lanes
        self.tables.conns[0, layout.CHANNELS] = CHANNELS
        self.lanes[:, layout.OWN] = range(CHANNELS)
        self.lanes[:, layout.CHANNEL] = range(1, CHANNELS + 1)
        self.lanes[:, layout.ACK_BATCH] = ack_batch
        self.lanes[:, layout.PUBLISHED] = self.lanes[:, layout.IN_FLIGHT] = published
        for seq in range(published):
            self.tables.ring[:, seq + 1] = seq << layout.STATE_BITS | layout.WAITING
        self.rows = np.zeros((cursor_at.ROWS_WIDTH, capacity), np.int64)
        self.cursor = np.zeros(ANSWERING_WIDTH, np.int64)
        self.cursor[cursor_at.READ_NS] = READ
        self.scanned = cursor_at.Scanned(rows=self.rows, cursor=self.cursor, out=np.zeros(21 * capacity, np.uint8))
        self._carry = b""

    def feed(self, pieces: Iterable[bytes]) -> Found:
        """Scan pieces one after the other, until one is at fault."""
        for piece in pieces:
            self._feed(self._carry + piece)
            if self.status < 0:
                break
        self.found.heartbeats = int(self.tables.conns[0, layout.HEARTBEATS])
        return self.found

    def _feed(self, octets: bytes) -> None:
        # The array ends where the octets do, so that reading on would be seen.
        buf, start = np.frombuffer(octets, np.uint8).copy(), 0
        while True:
            status = scan(buf, start, len(buf), NOW, self.tables, 0, self.scanned)
            assert start <= self.cursor[cursor_at.TAKEN] <= len(buf)
            start = int(self.cursor[cursor_at.TAKEN])
            self._take_out()
            if status == layout.Status.CONTROL:
                end = int(self.cursor[cursor_at.FRAME_END])
                self.found.controls.append(octets[start:end])
                start = end
            elif status != layout.Status.FULL:
                break
        self.status = min(status, 0)
        self._carry = octets[start:]

    def _take_out(self) -> None:
        settled, delivered, foreign = self.cursor[:3].tolist()
        self.found.settled += [tuple(row[:3]) for row in self.rows[:4, :settled].T.tolist()]
        came = self.rows[4:, :delivered].T.tolist()
        self.found.delivered += [(*row[:5], row[6]) for row in came]
        assert {(row[5], row[7]) for row in came} <= {(NOW, READ)}
        self.found.foreign += foreign
        out = bytes(self.scanned.out[: self.cursor[cursor_at.OUT]])
        while out:
            length, frame = pika.frame.decode_frame(out)
            assert frame is not None
            method = frame.method
            if isinstance(method, spec.Basic.Reject):
                self.found.rejects.append((frame.channel_number, method.delivery_tag, method.requeue))
            else:
                self.found.acks.append((frame.channel_number, method.delivery_tag, method.multiple))
            out = out[length:]
        self.cursor[[0, 1, 2, cursor_at.OUT]] = 0


def frames(method: object, channel: int, body: bytes, piece: int, properties: spec.BasicProperties) -> list[bytes]:
    """Return the frames of a message, its body cut into pieces."""
    parts = [pika.frame.Method(channel, method), pika.frame.Header(channel, len(body), properties)]
    parts += [pika.frame.Body(channel, body[at : at + piece]) for at in range(0, len(body), piece)]
    return [part.marshal() for part in parts]


def stamped(producer: int, seq: int, size: int, intended_ns: int = -5, sent_ns: int = 1 << 50) -> bytes:
    """Return a body of ours."""
    body = bytearray(b"." * size)
    stamp.pack_into(body, producer, seq, intended_ns, sent_ns)
    return bytes(body)
