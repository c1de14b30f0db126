"""What every compiled codec tells its caller beside rows: the first cells of its cursor, an int64 array.

A codec's own counts follow behind them. These numbers are compiled into functions under
`@kernel` (this word also makes the file count for the cache of `bench.jit`).
"""

from typing import NamedTuple

from bench.wire.octets import Int64, Octets

SETTLED = 0
"""Settlements in the rows."""
DELIVERED = 1
"""Deliveries in the rows."""
FOREIGN = 2
"""Bodies without our stamp."""
TAKEN = 3
"""Offset behind the last octet that was used up, where a control frame begins that stopped the scan."""
FRAME_END = 4
"""Offset behind that control frame."""
OUT = 5
"""Octets of acknowledgements written."""
OWES = 6
"""1 where messages came that no acknowledgement was written for at once."""
READ_NS = 7
"""When the octets were read, monotonic ns; written by the caller, and kept with each delivery."""
CURSOR_WIDTH = 8

SETTLED_ROWS = 4
"""Rows 0 to 3: lane, seq, outcome, at_ns of settlements."""
ROWS_WIDTH = 12
"""Rows 4 to 11: lane, producer, seq, intended_ns, sent_ns, received_ns, redelivered, read_ns of deliveries."""


class Scanned(NamedTuple):
    """What a scan writes.

    Attributes:
        rows: int64 (ROWS_WIDTH, capacity), settlements and deliveries.
        cursor: int64 (CURSOR_WIDTH, or what the codec says,).
        out: uint8, what is owed to the peer; as long as the codec says.
    """

    rows: Int64
    cursor: Int64
    out: Octets
