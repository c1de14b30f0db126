"""What a compiled codec keeps for all connections and lanes of one port, as `connection` needs it.

Each protocol has its own (`wire091_tables`, `wire10_tables`); what they share is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane, Sends
from bench.drivers.sockets.connection import FLUSH_BYTES
from bench.drivers.wire.context import WireContext
from bench.drivers.wire.lanes import Lane, deal
from bench.drivers.wire.receive_loop import COMPILED, DESCRIPTOR, STEP, WAKE, Loop, read_once
from bench.jit import packed
from bench.wire.cursor import OUT, Scanned
from bench.wire.octets import STAMP, Int64, Octets
from bench.wire.templates import LONGEST, Templates
from brokers.endpoint import Endpoint

_State = TypeVar("_State", bound=tuple[Any, ...])
_SPAN = 4
"""A ring is so many windows long: a broker that settles out of order may leave gaps."""


def ring_span(window: int) -> int:
    """Return the length of a ring of unsettled messages for a window: a power of two; 1 where nothing is awaited."""
    return 1 << (_SPAN * window - 1).bit_length() if window else 1


class Kernels(NamedTuple, Generic[_State]):
    """What a protocol does in compiled code; see `wire091_loops` for arguments."""

    scan: Callable[[Octets, int, int, int, _State, int, Scanned], int]
    receive: Callable[[Loop, _State, int, Scanned], int]
    pace: Callable[[Loop, Templates, _State, int, Scanned, Sends], int]


class WireTables(ABC, Generic[_State]):
    """State of every connection and lane, and the calls of kernels on it.

    Attributes:
        context: what the connections share.
        state: the tables of the codec.
        cursor: its cursor; see `bench.wire.cursor`.
        acks: where acknowledgements are written; `acks_view` is it.
    """

    def __init__(self, context: WireContext, kernels: Kernels[_State], state: _State, acks: int) -> None:
        """Make a buffer of `acks` octets for acknowledgements."""
        self.context = context
        self.state = state
        self.cursor = context.cursor
        self.acks = np.zeros(acks, np.uint8)
        self.acks_view = self.acks.data
        self._kernels = kernels
        self._state = packed(state)
        self._loop = packed(context.loop)
        self._received = packed(Scanned(rows=context.rows, cursor=context.cursor, out=self.acks))

    def scan(self, index: int, start: int, end: int, now_ns: int) -> int:
        """Use up octets of the inbox for a connection; return a status of its `connection`."""
        return self._kernels.scan(self.context.loop.inbox, start, end, now_ns, self._state, index, self._received)

    def read_once(self, start: int, room: int) -> int:
        """Read on the connection of the loop's descriptor; see `bench.drivers.wire.receive_loop.read_once`."""
        return read_once(self._loop, start, room)

    def receive(self, index: int) -> int:
        """Receive on a connection in compiled code; return a `bench.drivers.wire.receive_loop.Stop`."""
        return self._kernels.receive(self._loop, self._state, index, self._received)

    def pace(self, index: int, sends: Sends) -> int:
        """Send messages of one lane at their times in compiled code; return a `Stop` of `receive_loop`."""
        self.context.state_marks[STEP] = max(1, FLUSH_BYTES // self.message_octets())
        return self._kernels.pace(self._loop, self._templates, self._state, index, self._paced, packed(sends))

    @abstractmethod
    def encode(self, sends: Sends, sent_ns: int, first: int, end: int) -> int:
        """Write messages first <= i < end, all of one connection, to the outbox; return the octets.

        The messages are as `bench.jit.packed` makes them.
        """

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send: window, credit.

        A null peer's tables have no such lanes, and are not asked.
        """
        raise NotImplementedError

    @abstractmethod
    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""

    def batch_acks(self, messages: int) -> None:
        """Acknowledge so many messages at once from now on; only a worker's consumers are asked.

        A null peer's tables have no such lanes.
        """
        raise NotImplementedError

    def deal(self) -> list[list[Lane]]:
        """Return the lanes of each connection."""
        return deal(self.context.spec)

    def find_requesters(self, producer: Int64) -> tuple[Int64, Int64]:
        """Return the row of each of these requesters and the number of its connection; -1 where it is not known.

        This and the next two are only asked of a port that answers.
        """
        raise NotImplementedError

    def encode_replies(self, sends: Sends, sent_ns: int, first: int, end: int) -> int:
        """As `encode`, for replies: `lane` is the row of a requester, `Sends.sent_ns` when its request was sent."""
        raise NotImplementedError

    def reply_octets(self) -> int:
        """Return the octets of an encoded reply, framing included, at most."""
        raise NotImplementedError

    def counters(self) -> dict[str, int]:
        """Return what the codec counted, by name."""
        return {}

    def _use(self, templates: Templates) -> None:
        """Make messages of these from now on."""
        self._templates = packed(templates)
        self._longest = int(templates.classes[0, LONGEST])

    def _grow_outbox(self, octets: int) -> None:
        """Make the outbox at least so long."""
        context = self.context
        if len(context.outbox) < octets:
            context.grow_outbox(octets)
        self._paced = packed(Scanned(rows=context.rows, cursor=context.cursor, out=context.outbox))

    def _load_kernels(self) -> None:
        """Compile what is not compiled, or load it, before there is a connection that would wait for it."""
        one, marks = np.zeros(1, np.int64), self.context.state_marks
        sends = Sends(lane=one, seq=one, intended_ns=one + (1 << 62), sent_ns=one)
        self.scan(0, 0, 0, 0)
        self.encode(packed(sends), 0, 0, 0)
        if COMPILED:
            marks[DESCRIPTOR] = marks[WAKE] = -1
            self.read_once(0, 1)
            self.receive(0)
            self.pace(0, sends)
        self.cursor[OUT] = 0


def nowhere(protocol: Literal["amqp091", "amqp10"]) -> tuple[PortSpec, Endpoint]:
    """Return a port that is never opened, of all that there can be: making its tables compiles everything."""
    endpoint = Endpoint(protocol, "", 0, "/", None, "", "")
    lanes = (ProducerLane(0, "q"),), (ConsumerLane(0, "q"),)
    return PortSpec(endpoint, *lanes, STAMP, confirm_window=1, ack_batch=1), endpoint
