"""Mutate AMQP 1.0 frames in bulk: `python -m tests.evidence.fuzz10 N` feeds N mutated frames to `scan`.

Each round takes a few real frames, spoils some of their bytes, and scans them twice: once
whole, and once in two pieces with other bytes behind the end. Both must end, with the same
status, rows and state; no row of another connection may change, and no message may be
settled twice or be one that was never sent. Mutation, scanning and checks run compiled.
"""

import sys
import time
from typing import NamedTuple

import numpy as np

from bench.arrivals.stamp import pack_into
from bench.jit import kernel, kernel_entry, kernel_part
from bench.wire import amqp10_layout as x
from bench.wire.amqp10_answer import NEVER, answer
from bench.wire.amqp10_body import opening
from bench.wire.amqp10_scan import scan
from bench.wire.amqp10_table_rows import new_connection, new_receiver, new_sender
from bench.wire.cursor import ROWS_WIDTH, SETTLED_ROWS, Scanned
from bench.wire.octets import Int64, Octets

_RING = 16
_SENT = 9
_GUARD = -7
_ROW, _LANE = 1, 1
_SPACE = 4_096
_FAULTS = ("status differs when cut", "rows differ when cut", "state differs when cut")
_MORE_FAULTS = ("a foreign row changed", "a settlement is impossible", "it does not end")


def _frame(body: bytes, channel: int = 0) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + b"\x02\x00" + channel.to_bytes(2, "big") + body


def _list8(code: int, fields: bytes, count: int) -> bytes:
    return b"\x00\x53" + bytes((code, 0xC0, len(fields) + 1, count)) + fields


def seeds() -> list[bytes]:
    """Return real frames of every kind that `scan` reads or hands on."""
    body = bytearray(60)
    pack_into(body, 3, 4, 5, 6)
    message = opening(60, durable=True) + body
    long = b"\x00\x80" + bytes(7) + b"\x72\xd1\x00\x00\x00\x0b\x00\x00\x00\x02\xa3\x01k\xa1\x02vv" + message[7:]
    tag = b"\xa0\x04abcd"
    one = _list8(0x14, b"\x43\x70\xff\xff\xff\xfd" + tag + b"\x43", 4)
    begun = _list8(0x14, b"\x43\x52\x07" + tag + b"\x43\x42\x41", 6)
    ended = _list8(0x14, b"\x43\x40\x40\x40\x56\x00\x42", 6)
    symbolic = b"\x00\xa3\x12amqp:transfer:list\xd0\x00\x00\x00\x0d\x00\x00\x00\x03\x52\x00\x52\x09\xb0\x00\x00\x00\x00"
    aborted = _list8(0x14, b"\x43\x52\x05" + tag + b"\x40\x40\x41\x40\x40\x40\x41", 10)
    header = b"\x00\x53\x70\xc0" + b"\x0c\x05\x41\x50\x04\x70\x00\x01\x00\x00\x42\x52\x03"
    value = b"\x00\x53\x77\xb0\x00\x00\x00\x3c" + body
    ids = b"\x70\x00\x00\x00\x01\x52\x03"
    states = [b"\x00\x53" + bytes((code, 0x45)) for code in (0x23, 0x24, 0x25, 0x26, 0x27)] + [b"\x40"]
    frames = [_frame(one + message), _frame(one + long), _frame(begun + message[:30]) + _frame(ended + message[30:])]
    frames += [_frame(symbolic + header + value), _frame(aborted + message[:9]), _frame(b"")]
    frames += [_frame(_list8(0x15, b"\x41" + ids + b"\x41" + state, 5)) for state in states]
    frames += [_frame(_list8(0x15, b"\x41\x43\x52\x0f\x42\x00\x53\x24\x45", 5))]
    frames += [_frame(_list8(0x13, b"\x52\x03\x52\x40\x43\x70\x7f\xff\xff\xff\x52\x01\x43\x52\x20\x43\x41\x41", 10))]
    frames += [
        _frame(_list8(0x13, b"\x40\x52\x40\x43\x52\x40", 4)),
        _frame(_list8(0x17, b"", 0)),
        b"AMQP\x00\x01\x00\x00",
    ]
    return frames


@kernel_part
def _random(state: Int64, below: int) -> int:
    """Return the next number of a xorshift generator."""
    value = state[0]
    value ^= value << 13
    value ^= (value >> 7) & 0x01FFFFFFFFFFFFFF
    value ^= value << 17
    state[0] = value
    return ((value >> 11) & 0x7FFFFFFF) % below


@kernel_part
def _spoil(buf: Octets, size: int, state: Int64) -> int:
    """Change some bytes, or cut some out; return the new length."""
    for _ in range(_random(state, 5)):
        at = _random(state, size)
        kind = _random(state, 8)
        if kind < 3:
            buf[at] = _random(state, 256)
        elif kind < 5:
            buf[at] ^= 1 << _random(state, 8)
        elif kind == 5:
            buf[at] = (0x00, 0x40, 0xFF, 0x70, 0xB0, 0xD0, 0x53, 0x80)[_random(state, 8)]
        elif kind == 6:
            buf[at] = buf[_random(state, size)]
        elif size > 9:
            for place in range(at, size - 1):
                buf[place] = buf[place + 1]
            size -= 1
    return size


class Half(NamedTuple):
    """Tables with two connections' neighbours, what is scanned by them, and the buffer it comes in."""

    tables: x.LinkTables
    found: Scanned
    work: Octets


@kernel_part
def _feed(half: Half, start: int, end: int) -> tuple[int, int]:
    """Scan until nothing more can be read: (status, next offset); status 9 = it does not end."""
    at = start
    for _ in range(2 * _SPACE):
        status, at, stop = scan(half.work, at, end, 5, half.tables, _ROW, half.found)
        if at < start or stop > end or stop < at:
            return 9, at
        if status == x.CONTROL or status == x.HEADER:  # noqa: PLR1714  (a set would be made each time)
            at = stop
        elif status == x.ANSWER:
            answer(half.found.out, 0, half.tables, _ROW, half.found.cursor, NEVER)
        else:
            return status, at
    return 9, at


@kernel_part
def _sound(rows: Int64, count: int) -> bool:
    """Return whether settlements are of messages that were sent, each once."""
    seen = 0
    for row in range(count):
        seq = rows[1, row]
        if seq < 0 or seq >= _SENT or seen >> seq & 1 or rows[2, row] < 1 or rows[2, row] > 3:
            return False
        seen |= 1 << seq
    return True


@kernel_part
def _guarded(tables: x.LinkTables) -> bool:
    """Return whether the rows of other connections are as they were."""
    for row in (0, 2):
        for column in range(x.CONN_FIELDS):
            if tables.conns[row, column] != _GUARD:
                return False
        for column in range(_RING):
            if tables.rings[row, column] != _GUARD:
                return False
    for row in (0, 3):
        for column in range(x.LANE_FIELDS):
            if tables.lanes[row, column] != _GUARD:
                return False
    return True


@kernel_entry
def _round(one: Half, two: Half, size: int, cut: int) -> tuple[int, int]:
    """Scan by one half of the tables whole and by the other in two pieces: (status, fault)."""
    status, at = _feed(one, 0, size)
    again, rest = _feed(two, 0, cut)
    if again == x.DONE:
        for place in range(cut, size):
            two.work[place] = one.work[place]
        again, rest = _feed(two, rest, size)
    if status == 9 or again == 9:
        return status, 6
    if status != again:
        return status, 1
    if status >= 0 and at != rest:
        return status, 1
    rows, outcomes = one.found.cursor[x.T_DELIVERIES], one.found.cursor[x.T_SETTLEMENTS]
    if rows != two.found.cursor[x.T_DELIVERIES] or outcomes != two.found.cursor[x.T_SETTLEMENTS]:
        return status, 2
    for column in range(ROWS_WIDTH):
        for row in range(outcomes if column < SETTLED_ROWS else rows):
            if one.found.rows[column, row] != two.found.rows[column, row]:
                return status, 2
    if not _sound(one.found.rows, outcomes):
        return status, 5
    if status >= 0:
        for column in range(x.CONN_FIELDS):
            if one.tables.conns[_ROW, column] != two.tables.conns[_ROW, column]:
                return status, 3
        for row in range(_LANE, _LANE + 2):
            for column in range(x.LANE_FIELDS):
                if one.tables.lanes[row, column] != two.tables.lanes[row, column]:
                    return status, 3
    if not (_guarded(one.tables) and _guarded(two.tables)):
        return status, 4
    return status, 0


@kernel
def _campaign(
    rounds: int, state: Int64, seeds: Octets, ends: Int64, fresh: x.LinkTables, one: Half, two: Half, seen: Int64
) -> tuple[int, int, int]:
    """Run rounds until a fault: (frames, fault, length of what caused it)."""
    work, other = one.work, two.work
    frames = 0
    for _ in range(rounds):
        size = 0
        for _ in range(1 + _random(state, 3)):
            which = _random(state, len(ends) - 1)
            for place in range(ends[which], ends[which + 1]):
                work[size] = seeds[place]
                size += 1
            frames += 1
        size = _spoil(work, size, state)
        cut = _random(state, size + 1)
        for place in range(size, size + 64):
            work[place] = _random(state, 256)
        for place in range(cut):
            other[place] = work[place]
        for place in range(cut, size + 64):
            other[place] = _random(state, 256)
        for half in (one, two):
            half.tables.conns[:] = fresh.conns
            half.tables.lanes[:] = fresh.lanes
            half.tables.rings[:] = fresh.rings
            half.found.cursor[:] = 0
        status, fault = _round(one, two, size, cut)
        seen[status + 32] += 1
        if fault != 0:
            return frames, fault, size
    return frames, 0, 0


def fresh_tables() -> x.LinkTables:
    """Return a connection among rows of others, with a sender, a receiver and messages in flight."""
    tables = x.make_link_tables(3, 4, _RING, runs=4)
    for table in (tables.conns, tables.lanes, tables.rings, tables.runs):
        table[:] = _GUARD
    new_connection(tables, _ROW, lane0=_LANE, lanes=2, max_frame=1_024, window=100)
    new_receiver(tables, _LANE, number=0, handle=0, prefetch=5, ack_batch=3)
    new_sender(tables, _LANE + 1, number=0, handle=1, producer=1, limit=_SENT)
    tables.conns[_ROW, (x.C_CHANNEL, x.C_OUT_WINDOW, x.C_NEXT_OUT)] = 0, 50, _SENT
    tables.conns[_ROW, x.C_DELIVERY] = _SENT
    tables.lanes[_LANE : _LANE + 2, x.L_HANDLE] = 0, 1
    tables.lanes[_LANE + 1, (x.L_CREDIT, x.L_COUNT, x.L_INFLIGHT)] = 9, _SENT, _SENT
    tables.rings[_ROW, :_SENT] = np.arange(_SENT) + (2 << x.SEQ_BITS)
    return tables


def new_half() -> Half:
    """Return a half with tables of its own."""
    rows, cursor = np.zeros((ROWS_WIDTH, 64), np.int64), np.zeros(x.TALLIES, np.int64)
    found = Scanned(rows=rows, cursor=cursor, out=np.zeros(4_096, np.uint8))
    return Half(tables=fresh_tables(), found=found, work=np.zeros(_SPACE, np.uint8))


def fuzz(frames: int, seed: int = 1) -> tuple[int, np.ndarray, bytes, str]:
    """Return (frames fed, count of each status + 32, the bytes that failed, which fault)."""
    parts = seeds()
    ends, octets = np.cumsum([0, *map(len, parts)]), np.frombuffer(bytearray(b"".join(parts)), np.uint8)
    fresh, one, two = fresh_tables(), new_half(), new_half()
    state, seen = np.array([seed * 0x9E3779B97F4A7C1 + 1], np.int64), np.zeros(64, np.int64)
    done = 0
    while done < frames:
        rounds = min(frames - done, 100_000) // 2 + 1
        fed, fault, size = _campaign(rounds, state, octets, ends, fresh, one, two, seen)
        done += fed
        if fault:
            return done, seen, one.work[:size].tobytes(), (*_FAULTS, *_MORE_FAULTS)[fault - 1]
    return done, seen, b"", ""


def main() -> None:
    """Fuzz and print."""
    frames, seed = (int(word) for word in [*sys.argv[1:], "1"][:2])
    start = time.perf_counter()
    done, seen, failed, fault = fuzz(frames, seed)
    print(f"{done:,} mutated frames in {time.perf_counter() - start:.1f} s (seed {seed})")
    for place in np.flatnonzero(seen).tolist():
        print(f"{seen[place]:>12,}  {x.ERRORS.get(place - 32, 'read to the end')}")
    if fault:
        sys.exit(f"FAULT: {fault}: {failed.hex()}")


if __name__ == "__main__":
    main()
