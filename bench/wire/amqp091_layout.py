"""What the compiled AMQP 0-9-1 codec keeps, and where: columns of its tables, statuses, faults.

All state lies in tables owned by the caller, so that ten thousand connections need no
object each: a row of `conns` a connection, a row of `lanes` a channel. The channels of a
connection are numbered from 1 without gaps, and channel c has row FIRST_LANE + c - 1. What
a function under `@kernel` reads from here is compiled into it (this word also makes the
file count for the cache of `bench.jit`).
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from bench.wire.octets import STAMP, Int64, Octets

# --- conns: int64 (connections, CONN_WIDTH) ------------------------------------------------

FIRST_LANE = 0
"""Row of the lane on channel 1."""
CHANNELS = 1
"""Number of channels."""
FRAME_MAX = 2
"""Largest frame the peer may send, octets, header and end included (connection.tune)."""
IN_FRAME = 3
"""1 while a body frame has begun and its end octet has not come."""
FRAME_LEFT = 4
"""Payload octets of that frame that have not come."""
FRAME_LANE = 5
"""Row of the lane that frame belongs to."""
HEARTBEATS = 6
"""Heartbeat frames received."""
CONN_WIDTH = 7

# --- lanes: int64 (lanes, LANE_WIDTH) ------------------------------------------------------

PHASE = 0
"""What the channel waits for: a `ChannelState`."""
KIND = 1
"""Method that began the content under way: DELIVER, GET_OK, RETURN or PUBLISH."""
BODY_LEFT = 2
"""Body octets that have not come."""
HEAD = 3
"""Octets of the stamp gathered so far, of a body that comes in pieces."""
REDELIVERED = 4
TAG = 5
"""Delivery tag of the content under way; of basic.publish, which carries none, the count."""
UNACKED = 6
"""Messages delivered and not yet acknowledged."""
LAST_TAG = 7
"""Delivery tag of the last message that was delivered whole."""
ACK_BATCH = 8
"""Messages acknowledged at once; 0 = none is."""
LAST_NS = 9
"""When the last message was delivered."""
PUBLISHED = 10
"""Delivery tag of the last message published (https://www.rabbitmq.com/docs/confirms)."""
OLDEST = 11
"""Lowest tag not yet settled; PUBLISHED + 1 where all are."""
IN_FLIGHT = 12
"""Messages published and not yet settled."""
CHANNEL = 13
PRODUCER = 14
"""Number of the producer in the whole trial, for stamps."""
OWN = 15
"""Number of the lane among the producing or consuming lanes of the port, for rows."""
PREFIX_AT = 16
"""Where the lane's method and header frames begin among the prefixes; where messages have keys, the header frame."""
PREFIX = 17
"""Octets of them."""
TAG_AT = 18
"""Where in them the delivery tag is written; 0 = nowhere, as basic.publish carries none."""
NEVER_SENT = 19
"""Confirms of a tag that was never published."""
AGAIN = 20
"""Confirms of what is settled already."""
BEYOND = 21
"""Confirms with `multiple` up to a tag that was never published."""
REPEATED = 22
"""Deliveries whose tag is not above the one before it."""
SIZE_AT = 23
"""Where in its prefix the body size stands."""
REJECT_BELOW = 24
"""Messages whose hash is below are rejected for good."""
REQUEUE_BELOW = 25
"""Others whose hash is below are given back when they come for the first time; 0 = all are acknowledged."""
REJECTED = 26
"""Messages rejected for good."""
REQUEUED = 27
"""Messages given back."""
REPLIES = 28
"""Replies that a producer's channel awaits at any time, as it does its confirms; 0 where it takes none."""
LANE_WIDTH = 29

# --- the outline of messages: int64 -----------------------------------------------------------

SEQ_TEXTS = 0
"""How often the header frame names the sequence number."""
KEYS = 1
"""Routing keys; 0 = that of its lane, which the lane's prefix has."""
COMPACT = 2
"""1 where stamps have the compact form, also those that come."""
OUTLINE = 3
"""Cells before what follows: where in a prefix each of those texts begins, see `amqp091_frames.HeaderFrame.digits`;
the choice of the key, see `bench.arrivals.keys`; where the method frame of each key begins among the prefixes, and
where the last one ends."""


class ChannelState(IntEnum):
    """What a channel waits for."""

    METHOD = 0
    HEADER = 1
    BODY = 2


# --- the confirm ring: int64 (lanes, power of two); tag t of a lane lies at t & mask --------

STATE_BITS = 2
FREE, WAITING, CAME_BACK = 0, 1, 2
"""Lower two bits of an entry; the sequence number stands above them."""


class ChannelTables(NamedTuple):
    """The state of all connections and channels of a port.

    Attributes:
        conns: int64 (connections, CONN_WIDTH).
        lanes: int64 (lanes, LANE_WIDTH).
        heads: uint8 (32 x lanes,), stamps of bodies that come in pieces.
        ring: int64 (lanes that send, power of two), messages without a confirm; of length 1
            where none are awaited.
        prefixes: uint8, method and header frames of the lanes that send, at their PREFIX_AT; then the method frames
            of keys, on channel 0.
        outline: int64, what messages have beyond that.
        requesters: uint8, who sent requests, of those that are answered; see `amqp091_requesters`.
    """

    conns: Int64
    lanes: Int64
    heads: Octets
    ring: Int64
    prefixes: Octets
    outline: Int64
    requesters: Octets


def make_channel_tables(conns: int, lanes: int, rings: int, span: int, prefixes: int, frame_max: int) -> ChannelTables:
    """Return tables of connections and lanes that nobody uses.

    Args:
        conns: connections.
        lanes: channels of all of them.
        rings: how many of these send, the first ones.
        span: length of a ring, a power of two.
        prefixes: octets of all prefixes.
        frame_max: largest frame until another is agreed on.
    """
    tables = ChannelTables(
        conns=np.zeros((conns, CONN_WIDTH), np.int64),
        lanes=np.zeros((lanes, LANE_WIDTH), np.int64),
        heads=np.zeros(lanes * STAMP, np.uint8),
        ring=np.zeros((max(rings, 1), span), np.int64),
        prefixes=np.zeros(prefixes, np.uint8),
        outline=np.zeros(OUTLINE, np.int64),
        requesters=np.zeros(0, np.uint8),
    )
    tables.conns[:, FRAME_MAX] = frame_max
    tables.lanes[:, OLDEST] = 1
    return tables


class Status(IntEnum):
    """Why a scan stopped; below 0 the octets are at fault."""

    MORE = 0
    """All that could be used up was: the rest is an unfinished frame."""
    CONTROL = 1
    """A frame that the caller must act on lies at TAKEN; see `bench.wire.cursor`."""
    FULL = 2
    """No room for rows or acknowledgements: take them out, then scan on from TAKEN."""
    BAD_TYPE = -1
    BAD_END = -2
    TOO_LARGE = -3
    BAD_CHANNEL = -4
    SHORT = -5
    UNEXPECTED_METHOD = -6
    UNEXPECTED_HEADER = -7
    UNEXPECTED_BODY = -8
    BAD_CLASS = -9
    BODY_TOO_LONG = -10
    BODY_SIZE = -11


FAULTS = {
    Status.BAD_TYPE: "a frame of no known type",
    Status.BAD_END: "a frame that does not end with 0xCE",
    Status.TOO_LARGE: "a frame larger than was agreed",
    Status.BAD_CHANNEL: "content on a channel that is not open",
    Status.SHORT: "a frame too short for its method",
    Status.UNEXPECTED_METHOD: "a method in the midst of a message",
    Status.UNEXPECTED_HEADER: "a header frame without a method that announces content",
    Status.UNEXPECTED_BODY: "a body frame without a header",
    Status.BAD_CLASS: "a content header that is not of class basic",
    Status.BODY_TOO_LONG: "a body longer than its header says",
    Status.BODY_SIZE: "a body size beyond 2^63",
}
"""What the peer sent, by status (AMQP 0-9-1 specification, 2.3.5 and 4.2)."""
