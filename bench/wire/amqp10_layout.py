"""AMQP 1.0: the tables that kernels work on, what they answer, and the numbers of the standard.

A connection is a row of `conns`, a link a row of `lanes`; the lanes of a connection are
consecutive. What a function under `@kernel` reads from here is compiled into it (this word
also makes the file count for the cache of `bench.jit`). No code of the protocol lives
here.
"""

from typing import NamedTuple

import numpy as np

from bench.drivers.base import Outcome
from bench.wire.cursor import CURSOR_WIDTH, DELIVERED, FOREIGN, SETTLED
from bench.wire.octets import STAMP, Int64, Octets

MASK32 = 0xFFFFFFFF
HALF32 = 0x80000000

# Columns of `conns`: one connection with one session.
C_LANE0 = 0  # first row of `lanes` that is its own
C_LANES = 1  # number of them
C_CHANNEL = 2  # the peer's channel of the session; -1 before its begin
C_MAX_IN = 3  # largest frame we take
C_MAX_OUT = 4  # largest frame the peer takes
C_NEXT_IN = 5  # next-incoming-id
C_IN_WINDOW = 6  # transfer frames the peer may still send
C_IN_SIZE = 7  # what our incoming window is restored to
C_NEXT_OUT = 8  # next-outgoing-id, of transfer frames
C_OUT_WINDOW = 9  # remote-incoming-window: transfer frames we may still send
C_DELIVERY = 10  # delivery-id of the next message sent
C_OLDEST = 11  # no message before this delivery-id waits for an outcome
C_LEFT = 12  # payload bytes of the transfer frame being received that are to come
C_LANE = 13  # the lane it belongs to
C_MORE = 14  # its fields more (1) and aborted (2)
C_INSIDE = 15  # 1 inside of a transfer frame's payload
C_DUE = 16  # what `answer` has to write, see DUE_*
C_OWED_FIRST = 17  # deliveries with an outcome that the peer has not settled: first id
C_OWED = 18  # and their number
C_PARKED = 19  # lanes with a message taken and not yet wholly written
C_TICKET = 20  # number of the next message parked
CONN_FIELDS = 21

DUE_LANES, DUE_WINDOW, DUE_OWED, DUE_NOW = 1, 2, 4, 8
"""A lane has acknowledgements or credit to write; the session its window; deliveries to
settle; a run list is full, so that nothing more may be read before."""

# Columns of `lanes`: one link. First for both roles, then for receiving, then for sending.
L_NUMBER = 0  # the lane as the pump knows it
L_SENDS = 1  # 1 = we send, 0 = we receive
L_OURS = 2  # our handle
L_HANDLE = 3  # the peer's handle; -1 while it is not attached
L_COUNT = 4  # delivery-count
L_CREDIT = 5  # link-credit
L_FLOW = 6  # 1 = a flow frame of this link is due
L_PREFETCH = 7  # messages it may hold unacknowledged
L_ACK_BATCH = 8  # messages acknowledged at once
L_OPEN = 9  # 1 = a delivery has begun and not ended
L_ID = 10  # its delivery-id
L_SETTLED = 11  # 1 = it is settled by the peer
L_SECTION = 12  # descriptor of the section read last; 0 = none yet
L_LEFT = 13  # bytes of that section to come
L_FILL = 14  # bytes of a section's head that lie in `scratch`
L_BODY = 15  # bytes of the body seen, counted up to 32
L_OURS_STAMP = 16  # 1 = the body begins with our stamp, whose fields follow
L_PRODUCER = 17  # producer of the stamp; on a sending lane our producer
L_SEQ = 18  # sequence number; on a sending lane of the parked message
L_INTENDED = 19  # intended time, likewise
L_SENT = 20  # sent time, likewise
L_REDELIVERED = 21  # 1 = the broker marked it as delivered before
L_PENDING = 22  # deliveries that wait for our acknowledgement
L_RUNS = 23  # runs of consecutive ids among them, in `runs`
L_LAST_NS = 24  # when the last of them came
L_INFLIGHT = 25  # messages sent without an outcome, the parked one included
L_LIMIT = 26  # most of them; 0 = pre-settled, none are asked for
L_PARKED = 27  # 1 = a message is taken and not wholly written
L_OFFSET = 28  # bytes of its payload that are written; 0 while nothing is parked
L_SENT_ID = 29  # its delivery-id
L_TICKET = 30  # its place among the parked
L_CONN = 31  # row of its connection
L_DRAINED = 32  # 1 = credit was used up on demand, which the flow that is due must say
L_LAST = 33  # delivery-count at which the link is to be attached anew; 0 = never
L_STAMP = 34  # octets of the stamps it receives
L_REJECT = 35  # deliveries whose hash is below that are rejected
L_REQUEUE = 36  # and others below that are given back once; 0 = all are accepted
L_KEPT = 37  # octets of the properties section that are kept in `letters`
LANE_FIELDS = 38

# Cells of `form`: how a message is put together, see `amqp10_pieces`.
F_SPLIT = 0  # offset in the template at which texts are put in; 0 = none are
F_SIZE_AT = 1  # offset of the size of the list of properties
F_SIZE = 2  # that size, while nothing is put in
F_KEYED = 3  # 1 = each message has the text of its key
F_REPLIES = 4  # first row of `spans` of the texts of lanes; -1 = they have none
F_COMPACT = 5  # 1 = stamps have the compact form
F_DIGITS = 6  # from here on: offsets in the template of digits of the sequence number

SPAN_START, SPAN_LENGTH = 0, 1
"""Columns of `spans`; a length below 0 is that of what is known to be missing."""

# Cells of `tally`, the codec's cursor: behind those that every codec has, what is counted.
T_SETTLEMENTS, T_DELIVERIES, T_FOREIGN = SETTLED, DELIVERED, FOREIGN
T_HEARTBEATS = CURSOR_WIDTH  # empty frames
T_FLOWS = CURSOR_WIDTH + 1  # flow frames from the peer
T_DISPOSITIONS = CURSOR_WIDTH + 2  # disposition frames from the peer
T_ABORTED = CURSOR_WIDTH + 3  # deliveries that the peer aborted
T_UNASKED = CURSOR_WIDTH + 4  # transfer frames beyond credit or window
T_ACKS = CURSOR_WIDTH + 5  # disposition frames written
T_CREDITS = CURSOR_WIDTH + 6  # flow frames written
T_STARVED = CURSOR_WIDTH + 7  # flow frames after which a pre-settled sender had credit for one message
T_NEVER_SENT = CURSOR_WIDTH + 8  # dispositions of a delivery that was never sent
T_AGAIN = CURSOR_WIDTH + 9  # dispositions of what has its outcome already
T_REJECTED = CURSOR_WIDTH + 10  # deliveries that we rejected
T_REQUEUED = CURSOR_WIDTH + 11  # deliveries that we gave back
T_LEARNED = CURSOR_WIDTH + 12  # octets of `news`
TALLIES = CURSOR_WIDTH + 13

# What `scan` answers. Negative: `NEED` inside of the codec, else a protocol error.
DONE = 0  # everything was read but an unfinished rest
CONTROL = 1  # a whole frame for Python lies at [at, stop)
ROWS_FULL = 2  # take `deliveries` and `settlements`, then scan on
HEADER = 3  # a protocol header of 8 bytes lies at [at, stop)
ANSWER = 4  # call `answer`, then scan on
NEED = -1
E_FRAME_SIZE, E_FRAME_OFFSET, E_FRAME_TYPE, E_CHANNEL, E_PERFORMATIVE = -2, -3, -4, -5, -6
E_LIST, E_FIELD, E_FIELDS, E_CONSTRUCTOR, E_MISSING = -7, -8, -9, -10, -11
E_HANDLE, E_ROLE, E_DELIVERY_ID, E_TAG, E_COUNT, E_WINDOW = -12, -13, -14, -15, -16, -17
E_SECTION, E_ORDER, E_BODY, E_CUT, E_NO_BODY = -18, -19, -20, -21, -22

ERRORS = {
    E_FRAME_SIZE: "a frame is shorter than its header or longer than the agreed max-frame-size",
    E_FRAME_OFFSET: "a frame's data offset is below 2 or beyond its end",
    E_FRAME_TYPE: "a frame is of a type other than AMQP and SASL",
    E_CHANNEL: "a transfer, flow or disposition came on a channel that has no session",
    E_PERFORMATIVE: "a frame does not begin with a performative of AMQP 1.0",
    E_LIST: "a performative's list does not end where it says",
    E_FIELD: "a field of a performative has a value of the wrong type",
    E_FIELDS: "a performative has more fields than the standard gives it",
    E_CONSTRUCTOR: "a value has a constructor that AMQP 1.0 does not know",
    E_MISSING: "a performative lacks a mandatory field",
    E_HANDLE: "a frame names a link that is not attached",
    E_ROLE: "a transfer came on a link that we send on",
    E_DELIVERY_ID: "a delivery's first transfer has no delivery-id, or a later one has another",
    E_TAG: "a delivery tag has more than 32 bytes",
    E_COUNT: "a flow's delivery-count is beyond what was sent",
    E_WINDOW: "a flow's next-incoming-id is beyond what was sent",
    E_SECTION: "a message has a section that AMQP 1.0 does not know, or a section of the wrong type",
    E_ORDER: "the sections of a message are out of order",
    E_BODY: "a message has data that is not binary, or a sequence that is no list",
    E_CUT: "a message ends inside of a section",
    E_NO_BODY: "a message has no body",
}
"""Protocol errors in words, by status."""

PROTOCOL_WORD = 0x414D5150  # "AMQP"
FLOW, TRANSFER, DISPOSITION, DETACH = 0x13, 0x14, 0x15, 0x16
OPEN, BEGIN, ATTACH, END, CLOSE = 0x10, 0x11, 0x12, 0x17, 0x18
ERROR, SOURCE, TARGET = 0x1D, 0x28, 0x29
RECEIVED, ACCEPTED, REJECTED, RELEASED, MODIFIED = 0x23, 0x24, 0x25, 0x26, 0x27
SASL_MECHANISMS, SASL_INIT, SASL_OUTCOME = 0x40, 0x41, 0x44
S_HEADER, S_PROPERTIES, S_DATA, S_SEQUENCE, S_VALUE, S_FOOTER = 0x70, 0x73, 0x75, 0x76, 0x77, 0x78

NAMES = {
    "amqp:open:list": OPEN,
    "amqp:begin:list": BEGIN,
    "amqp:attach:list": ATTACH,
    "amqp:flow:list": FLOW,
    "amqp:transfer:list": TRANSFER,
    "amqp:disposition:list": DISPOSITION,
    "amqp:detach:list": DETACH,
    "amqp:end:list": END,
    "amqp:close:list": CLOSE,
    "amqp:error:list": ERROR,
    "amqp:received:list": RECEIVED,
    "amqp:accepted:list": ACCEPTED,
    "amqp:rejected:list": REJECTED,
    "amqp:released:list": RELEASED,
    "amqp:modified:list": MODIFIED,
    "amqp:source:list": SOURCE,
    "amqp:target:list": TARGET,
    "amqp:sasl-mechanisms:list": SASL_MECHANISMS,
    "amqp:sasl-init:list": SASL_INIT,
    "amqp:sasl-outcome:list": SASL_OUTCOME,
    "amqp:header:list": S_HEADER,
    "amqp:delivery-annotations:map": 0x71,
    "amqp:message-annotations:map": 0x72,
    "amqp:properties:list": S_PROPERTIES,
    "amqp:application-properties:map": 0x74,
    "amqp:data:binary": S_DATA,
    "amqp:amqp-sequence:list": S_SEQUENCE,
    "amqp:amqp-value:*": S_VALUE,
    "amqp:footer:map": S_FOOTER,
}
"""Symbolic descriptors and the numeric ones they stand for."""

CONFIRMED, REFUSED, RETURNED = int(Outcome.CONFIRMED), int(Outcome.REFUSED), int(Outcome.RETURNED)

HEAD = 33
"""Octets of a transfer frame of ours before its payload."""

SMALLEST_FRAME = 512
"""No peer may ask for smaller frames (2.7.1)."""

STAMP_SIZE = STAMP
HEAD_SIZE = 64
"""Octets of `scratch` for a section's head; the longest legal one, with its descriptor in
words and a header section's list, has 47. The stamp of a body in pieces follows it."""
SCRATCH = HEAD_SIZE + STAMP_SIZE

SEQ_BITS = 40
"""An entry of `rings` is (lane of the connection + 1) << 40 | seq; 0 = nothing waits."""
RUN_BITS = 32
"""An entry of `runs` is first delivery-id << 32 | number of deliveries; on a lane that rejects or gives back
some, which has a run for each delivery, delivery-id << 32 | descriptor of the outcome."""


NEWS_HEAD = 8
"""Octets of an entry of `news` before its section."""

MOST_FIELDS = 11
"""Fields of the performative, or header section, that has most of those that are read."""


class LinkTables(NamedTuple):
    """The state of all connections and links of a worker.

    Attributes:
        conns: int64, a row a connection.
        lanes: int64, a row a link.
        scratch: uint8, a row a link: the unfinished head of a section, and a split stamp.
        rings: int64, a row a connection that sends: messages sent, at delivery-id modulo
            its length, which is a power of two. Those connections have the first rows.
        runs: int64, a row a link: runs of delivery-ids to be acknowledged.
        fields: int64 (MOST_FIELDS,), those of the performative or header section being read.
        form: int64, how a message is put together; empty where messages differ by stamps alone.
        choice: int64, of a message's key; see `bench.arrivals.keys`.
        texts: uint8, what is put into templates.
        spans: int64, a row a text: where it lies in `texts`.
        letters: uint8, a row a link: the constructor and list of the properties section being received; of width 0
            where nobody answers.
        news: uint8, properties sections of producers that have no text yet: producer, length (four octets each) and
            what `letters` had.
    """

    conns: Int64
    lanes: Int64
    scratch: Octets
    rings: Int64
    runs: Int64
    fields: Int64
    form: Int64
    choice: Int64
    texts: Octets
    spans: Int64
    letters: Octets
    news: Octets


def make_link_tables(conns: int, lanes: int, ring: int, runs: int = 16, senders: int | None = None) -> LinkTables:
    """Return empty tables.

    Args:
        conns: connections.
        lanes: links of all of them.
        ring: messages that a connection may have sent without an outcome; rounded up to a
            power of two. As outcomes may come out of order, 2 to 4 times the windows of
            its lanes together serves best.
        runs: runs of acknowledgements that a lane gathers before they must be written.
        senders: connections that send; by default all may.
    """
    rings = conns if senders is None else max(senders, 1)
    return LinkTables(
        conns=np.zeros((conns, CONN_FIELDS), np.int64),
        lanes=np.zeros((lanes, LANE_FIELDS), np.int64),
        scratch=np.zeros((lanes, SCRATCH), np.uint8),
        rings=np.zeros((rings, 1 << max(0, ring - 1).bit_length()), np.int64),
        runs=np.zeros((lanes, runs), np.int64),
        fields=np.zeros(MOST_FIELDS, np.int64),
        form=np.zeros(0, np.int64),
        choice=np.zeros(0, np.int64),
        texts=np.zeros(0, np.uint8),
        spans=np.zeros((0, 2), np.int64),
        letters=np.zeros((lanes, 0), np.uint8),
        news=np.zeros(0, np.uint8),
    )
