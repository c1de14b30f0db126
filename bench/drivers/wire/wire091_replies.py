"""Answering over AMQP 0-9-1: who sent requests, and the replies that go to each of them.

A requester is a row of a table as that of lanes, with the frames of its own replies: they go
by the default exchange to the queue that its first request named, on the channel on which
that came. So replies are encoded as messages are.
"""

import numpy as np

from bench.drivers.base import Properties, Sends
from bench.drivers.wire.context import WireContext
from bench.jit import packed
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_deliver import FRAME_HEADER
from bench.wire.amqp091_encode import OF_REQUESTS, encode
from bench.wire.amqp091_frames import (
    LONGEST_NAME,
    SEQ,
    HeaderFrame,
    body_frames,
    header_frame,
    make_outline,
    publish_frame,
)
from bench.wire.amqp091_requesters import KNOWN
from bench.wire.octets import Int64
from bench.wire.templates import make_templates

_AT_FIRST = 64
_PROPERTIES = Properties(correlation_id=SEQ)


class Replies091:
    """The requesters of one port, and what answers them.

    Attributes:
        octets: of an encoded reply, framing included, at most.
    """

    octets: int

    def __init__(self, context: WireContext) -> None:
        """Know nobody yet; there are no bodies before `cut`."""
        self._context = context
        self._width = len(_method(0, "") + self._header(0).octets) + LONGEST_NAME
        self._row_of: Int64 = np.zeros(KNOWN, np.int64)
        """Row and 1 of each producer; 0 = not known."""
        self._known = 0
        self._connection_of: Int64 = np.zeros(_AT_FIRST, np.int64)
        self._state = self._make_state(_AT_FIRST)
        self._packed = packed(self._state)

    def cut(self, frame_max: int) -> None:
        """Cut bodies into frames of that size."""
        spec = self._context.spec
        body = body_frames(spec.body.fill(spec.reply_size), frame_max)
        self._templates = packed(make_templates([body], [FRAME_HEADER], None))
        self.octets = self._width + len(body)

    def learn(self, producer: int, channel: int, connection: int, address: str) -> None:
        """Answer the requests of a producer at an address, on a channel of a connection."""
        if self._known == len(self._connection_of):
            self._grow(2 * self._known)
        row, self._known = self._known, self._known + 1
        header = self._header(channel)
        octets = _method(channel, address) + header.octets
        at, size_at = row * self._width, len(octets) - header.size_at
        self._state.prefixes[at : at + len(octets)] = np.frombuffer(octets, np.uint8)
        cells = (layout.PREFIX_AT, layout.PREFIX, layout.SIZE_AT, layout.CHANNEL, layout.PRODUCER)
        self._state.lanes[row, cells] = at, len(octets), size_at, channel, producer
        self._connection_of[row] = connection
        self._row_of[producer] = row + 1

    def find(self, producer: Int64) -> tuple[Int64, Int64]:
        """Return the row of each of these producers and the number of its connection; -1 where it is not known."""
        row = np.where(producer < KNOWN, self._row_of[producer & (KNOWN - 1)], 0) - 1
        return row, np.where(row < 0, -1, self._connection_of[row])

    def encode(self, sends: Sends, first: int, end: int) -> int:
        """Write replies first <= i < end to the outbox; `lane` is the row of each. Return the octets."""
        return encode(self._context.outbox, 0, self._templates, self._packed, sends, OF_REQUESTS, first, end)

    def _header(self, channel: int) -> HeaderFrame:
        spec = self._context.spec
        return header_frame(channel, spec.reply_size, _PROPERTIES, durable=spec.durable)

    def _grow(self, rows: int) -> None:
        """Have room for so many requesters."""
        before, self._state = self._state, self._make_state(rows)
        self._state.lanes[: len(before.lanes)] = before.lanes
        self._state.prefixes[: len(before.prefixes)] = before.prefixes
        self._packed = packed(self._state)
        self._connection_of = np.concatenate([self._connection_of, np.zeros(rows - self._known, np.int64)])

    def _make_state(self, rows: int) -> layout.ChannelTables:
        state = layout.make_channel_tables(1, rows, 0, 1, rows * self._width, 0)
        return state._replace(
            outline=make_outline(self._header(0).digits, None, [], 0, compact=self._context.spec.compact)
        )


def _method(channel: int, address: str) -> bytes:
    return publish_frame(channel, "", address, mandatory=False)
