"""What the compiled loops that send each message at its time have in common; see `bench.drivers.wire.receive_loop`.

A loop of each protocol (`wire091_loops`, `wire10_loops`) stands around them, as its own
encoding stands between. What is due, and when, the caller has decided.
"""

from bench.drivers.base import Sends
from bench.jit import kernel_part
from bench.wire.octets import Int64


@kernel_part
def due_end(due_ns: Int64, first: int, most: int, at_ns: int) -> int:
    """Return the end of the messages from `first` on that are due, at most `most` of them."""
    end, last = first, min(len(due_ns), first + most)
    while end < last and due_ns[end] <= at_ns:
        end += 1
    return end


@kernel_part
def note_sent(sends: Sends, first: int, end: int, at_ns: int, coalesce_ns: int) -> int:
    """Note when messages first <= i < end were sent; return the time before which nothing more goes out."""
    sends.sent_ns[first:end] = at_ns
    due_ns = sends.intended_ns
    left_over = end < len(due_ns) and due_ns[end] <= at_ns
    return 0 if left_over else at_ns + max(0, coalesce_ns)
