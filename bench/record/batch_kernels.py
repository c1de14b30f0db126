"""One pass over a batch for everything that is recorded of it: a kernel each for sends, settlements, deliveries.

A kernel goes row by row. Where a row needs what only Python can make (a page for its
second, longer rows of ticks, a longer bitmap) it stops before that row, leaves everything
as the rows before it made it, and returns the row's number; the caller makes room and
calls again from there. What a row means stands in `buckets`, `ledger`, `ticks` and
`bench.loadgen.backpressure`; here they are only brought together. Lanes and outcomes out of range raise
IndexError, as kernels would otherwise write beside their arrays.
"""

from typing import NamedTuple

from bench.arrivals.key_kernels import key_of
from bench.drivers.base import Deliveries, Int64, Outcome, Sends, Settlements
from bench.jit import kernel, kernel_entry
from bench.loadgen.backpressure import backpressure_between
from bench.pauses.filter import BOTH, TAIL, OpenSeconds, Pauses, decide, hold, room_for
from bench.record.buckets import WIDTH, count, page_of
from bench.record.ledger import FIRST, GIVEN_UP, LATE, STRAY, Bits, beyond, is_marked, judge_again, judge_first, mark
from bench.record.ticks import tick_of

SEND_LAG, BACKPRESSURE, CONFIRM = range(3)
"""Tags of a producer's pages."""

SERVICE, RESPONSE, RECEIVE_LAG = range(3)
"""Tags of a consumer's pages."""

SEND_LAG_SLOT, CONFIRM_SLOT = range(2)
"""What the filter of pauses sees of a producer; of a consumer it sees the first two tags."""

FURTHER_OF_PRODUCER, FURTHER_OF_CONSUMER = 3, 3
"""The first of the tags that the filter of pauses counts into."""

OFFERED, SENT, CONFIRMED = range(3)
"""Rows of a producer's ticks; a consumer has one."""

_LIMB = 40
_OUTCOME_CONFIRMED, _OUTCOME_REFUSED, _OUTCOME_RETURNED = (
    int(one) for one in (Outcome.CONFIRMED, Outcome.REFUSED, Outcome.RETURNED)
)


@kernel
def _add(sums: Int64, ns: int) -> None:
    # A sum over a long trial of many messages outgrows 64 bits, so it is kept in two limbs.
    sums[0] += ns
    sums[1] += sums[0] >> _LIMB
    sums[0] &= (1 << _LIMB) - 1


def total_ns(sums: Int64) -> int:
    """Return the exact sum that a kernel kept in two cells."""
    return (int(sums[1]) << _LIMB) + int(sums[0])


NUMBER, SO_FAR, LATEST_NS = range(3)
"""Layers of the messages whose last copy is looked for."""


@kernel
def note_copy(followed: Int64, sender: int, number: int, at_ns: int, copies: int, counts: Int64) -> int:
    """Note that a copy arrived; return when the latest did once all have, 0 before.

    A message that misses copies is given up, and counted, where one with a much higher number needs its place;
    copies that come for it later are passed over.
    """
    place = number & (followed.shape[2] - 1)
    if number < followed[NUMBER, sender, place]:
        return 0
    if followed[NUMBER, sender, place] != number:
        if 0 < followed[SO_FAR, sender, place] < copies:
            counts[GIVEN_UP] += 1
        followed[NUMBER, sender, place] = number
        followed[SO_FAR, sender, place] = 0
        followed[LATEST_NS, sender, place] = 0
    followed[SO_FAR, sender, place] += 1
    followed[LATEST_NS, sender, place] = max(followed[LATEST_NS, sender, place], at_ns)
    return int(followed[LATEST_NS, sender, place]) if followed[SO_FAR, sender, place] == copies else 0


class ProducerState(NamedTuple):
    """What is kept of a worker's producers, as kernels need it.

    Attributes:
        closed: whether a message is intended when it is sent.
        start_ns: when the trial began, monotonic ns.
        stride: cells of a page.
        cells: int64, pages of the open seconds; see `bench.record.buckets`.
        ticks: int64 (3, ticks).
        ring: int64 (lanes, power of two), intended times of the last messages of each lane.
        bits: uint8 (lanes, bytes), a bit for each confirmed number.
        counts: int64 (lanes,), messages sent.
        outcomes: int64, messages settled, by `Outcome`.
        sums: int64 (2,), intended times of copies that are owed; see `total_ns`.
        numbers: int64 (lanes,), number of each lane's producer in the whole trial.
        choice: int64, which key a message has; see `bench.arrivals.keys`.
        copies: int64 (keys,), copies owed of a message with each key.
        nowhere: int64 (keys,), 1 where no queue is bound to the key.
        owed: int64 (1,), copies owed of what was sent and not refused or returned.
        pauses: see `bench.pauses.filter`.
        board: of the pause meter.
    """

    closed: bool
    start_ns: int
    stride: int
    cells: Int64
    ticks: Int64
    ring: Int64
    bits: Bits
    counts: Int64
    outcomes: Int64
    sums: Int64
    numbers: Int64
    choice: Int64
    copies: Int64
    nowhere: Int64
    owed: Int64
    pauses: Int64
    board: Int64


class ConsumerState(NamedTuple):
    """What is kept of a worker's consumers, as kernels need it.

    Attributes:
        closed, start_ns, stride, cells, sums: see `ProducerState`.
        queues: of the flow: producer p is heard at queue p modulo this; 1 where any may be heard anywhere.
        first: number of the flow's first producer.
        senders: producers of the flow.
        late_ns: latency from which a reply is late.
        copies: copies of each message that this worker receives, where the last of them is looked for; else 0.
        last_tag: tag of that latency.
        followed: int64 (3, producers, power of two): of the last messages, number, copies so far, latest arrival.
        columns: int64 (lanes,), see `bench.topology`.
        ticks: int64 (1, ticks).
        bits: uint8 (columns x producers, bytes), a bit for each number received.
        last: int64 (lanes, producers of a queue), highest number seen.
        counts: int64, deliveries by `DUPLICATED` and so on; see `bench.record.ledger`.
        producers: int64, where the producers of new messages are written.
        pauses, board: see `ProducerState`.
    """

    closed: bool
    start_ns: int
    queues: int
    first: int
    senders: int
    late_ns: int
    copies: int
    last_tag: int
    stride: int
    followed: Int64
    columns: Int64
    cells: Int64
    ticks: Int64
    bits: Bits
    last: Int64
    counts: Int64
    sums: Int64
    producers: Int64
    pauses: Int64
    board: Int64


@kernel_entry
def record_sent(
    sends: Sends, first: int, state: ProducerState, episodes: Int64, episode: int, episodes_end: int
) -> int:
    """Record sends from row `first` on; return the first row that needs room, or the number of rows."""
    sends, state = Sends(*sends), ProducerState(*state)
    closed, start_ns, stride, cells, ticks = state.closed, state.start_ns, state.stride, state.cells, state.ticks
    length, page, sum_ns = len(sends.seq), -1, 0
    pauses, row, rows_end = state.pauses, state.pauses[TAIL], room_for(state.pauses)
    done, copies, owed, unlike = length, int(state.copies[0]), 0, len(state.copies) > 1
    for i in range(first, length):
        which, at_ns = int(sends.lane[i]), int(sends.sent_ns[i])
        if not 0 <= which < len(state.counts):
            raise IndexError("a send on a lane that does not exist")
        due_ns = at_ns if closed else int(sends.intended_ns[i])
        offered, sent = tick_of(due_ns, start_ns), tick_of(at_ns, start_ns)
        if max(offered, sent) >= ticks.shape[1]:
            done = i
            break
        if not closed:
            page = page_of(cells, stride, page, due_ns, at_ns)
            if page < 0:
                done = i
                break
            backpressure_ns = backpressure_between(episodes, episode, episodes_end, due_ns, at_ns)
            count(cells, page + SEND_LAG * WIDTH, at_ns - due_ns - backpressure_ns)
            count(cells, page + BACKPRESSURE * WIDTH, backpressure_ns)
            row = hold(pauses, row, rows_end, due_ns, due_ns + backpressure_ns, at_ns, SEND_LAG_SLOT)
        state.counts[which] += 1
        state.ring[which, int(sends.seq[i]) & (state.ring.shape[1] - 1)] = due_ns
        ticks[OFFERED, offered] += 1
        ticks[SENT, sent] += 1
        if unlike:
            copies = int(state.copies[key_of(state.choice, state.numbers[which], sends.seq[i])])
        owed += copies
        sum_ns += copies * (due_ns - start_ns)
    state.owed[0] += owed
    _add(state.sums, sum_ns)
    decide(Pauses(state.board, pauses), row, OpenSeconds(cells, state.stride, FURTHER_OF_PRODUCER))
    return done


@kernel_entry
def record_settled(settlements: Settlements, first: int, state: ProducerState) -> int:
    """Record settlements from row `first` on; return the first row that needs room, or the number of rows."""
    rows, state = Settlements(*settlements), ProducerState(*state)
    cells, ticks, ring, bits, outcomes = state.cells, state.ticks, state.ring, state.bits, state.outcomes
    page, done = -1, len(rows.seq)
    pauses, row, rows_end = state.pauses, state.pauses[TAIL], room_for(state.pauses)
    for i in range(first, len(rows.seq)):
        which, number, what = int(rows.lane[i]), int(rows.seq[i]), int(rows.outcome[i])
        if not (0 <= which < len(ring) and 0 <= what < len(outcomes) and number >= 0):
            raise IndexError("a settlement of a lane, a number or an outcome that does not exist")
        # A refusal is no confirm: a broker that refuses fast must not look fast.
        if what == _OUTCOME_CONFIRMED:
            settled_ns, due_ns = int(rows.at_ns[i]), int(ring[which, number & (ring.shape[1] - 1)])
            tick = tick_of(settled_ns, state.start_ns)
            page = page_of(cells, state.stride, page, due_ns, settled_ns)
            if page < 0 or tick >= ticks.shape[1] or number >> 3 >= bits.shape[1]:
                done = i
                break
            mark(bits, which, number)
            count(cells, page + CONFIRM * WIDTH, settled_ns - due_ns)
            row = hold(pauses, row, rows_end, due_ns, due_ns, settled_ns, CONFIRM_SLOT)
            ticks[CONFIRMED, tick] += 1
        else:  # nobody will receive it
            key = key_of(state.choice, state.numbers[which], number) if len(state.copies) > 1 else 0
            copies, due_ns = int(state.copies[key]), int(ring[which, number & (ring.shape[1] - 1)])
            state.owed[0] -= copies
            _add(state.sums, copies * (state.start_ns - due_ns))
            # A broker may refuse what it cannot route before it returns it: it means the same.
            if what == _OUTCOME_REFUSED and state.nowhere[key]:
                what = _OUTCOME_RETURNED
        outcomes[what] += 1
    decide(Pauses(state.board, pauses), row, OpenSeconds(cells, state.stride, FURTHER_OF_PRODUCER))
    return done


@kernel
def _count_last_and_late(state: ConsumerState, page: int, sender: int, number: int, due_ns: int, at_ns: int) -> None:
    """Count what few workloads ask for: the last of a message's copies, and a reply that came too late."""
    if at_ns - due_ns > state.late_ns:
        state.counts[LATE] += 1
    if state.copies:
        latest_ns = note_copy(state.followed, sender, number, at_ns, state.copies, state.counts)
        if latest_ns:
            count(state.cells, page + state.last_tag * WIDTH, latest_ns - due_ns)


@kernel_entry
def record_received(deliveries: Deliveries, first: int, new: int, state: ConsumerState) -> tuple[int, int]:
    """Record deliveries from row `first` on, after `new` new ones.

    Returns the first row that needs room, or the number of rows, and how many messages
    were new until then; their producers stand in `producers`.
    """
    rows, state = Deliveries(*deliveries), ConsumerState(*state)
    closed, start_ns, stride, cells, ticks = state.closed, state.start_ns, state.stride, state.cells, state.ticks
    bits, last, counts = state.bits, state.last, state.counts
    slot = SERVICE if closed else BOTH
    pauses, row, rows_end = state.pauses, state.pauses[TAIL], room_for(state.pauses)
    length, page, sum_ns, column, column_of = len(rows.seq), -1, 0, 0, -1
    done, most, before, senders = length, beyond(len(bits), int(counts[FIRST])), new, state.senders
    for i in range(first, length):
        which, sender = int(rows.lane[i]), int(rows.producer[i]) - state.first
        number, again = int(rows.seq[i]), int(rows.redelivered[i])
        if not 0 <= which < len(last):
            raise IndexError("a delivery on a lane that does not exist")
        if not (0 <= sender < senders and 0 <= number < most):
            counts[STRAY] += 1
            continue
        if number >> 3 >= bits.shape[1]:
            done = i
            break
        line = int(state.columns[which]) * senders + sender
        if is_marked(bits, line, number):
            judge_again(counts, again)
            continue
        at_ns, sent_ns = int(rows.received_ns[i]), int(rows.sent_ns[i])
        due_ns = sent_ns if closed else int(rows.intended_ns[i])
        tick = tick_of(at_ns, start_ns)
        page = page_of(cells, stride, page, due_ns, at_ns)
        if page < 0 or tick >= ticks.shape[1]:
            done = i
            break
        if sender != column_of:  # a division takes longer than all the rest
            column, column_of = sender // state.queues, sender
        mark(bits, line, number)
        judge_first(last, which, column, number, again, counts)
        count(cells, page + SERVICE * WIDTH, at_ns - sent_ns)
        if not closed:
            count(cells, page + RESPONSE * WIDTH, at_ns - due_ns)
        read_ns = int(rows.read_ns[i])  # type: ignore[index]
        if read_ns > at_ns:
            count(cells, page + RECEIVE_LAG * WIDTH, read_ns - at_ns)
        _count_last_and_late(state, page, sender, number, due_ns, at_ns)
        row = hold(pauses, row, rows_end, due_ns, sent_ns, at_ns, slot)
        ticks[0, tick] += 1
        state.producers[new] = sender
        new += 1
        sum_ns += at_ns - start_ns
    counts[FIRST] += new - before
    _add(state.sums, sum_ns)
    decide(Pauses(state.board, pauses), row, OpenSeconds(cells, state.stride, FURTHER_OF_CONSUMER))
    return done, new
