"""Break AMQP 0-9-1 frames by the million and see that the compiled scan stays in its bounds.

    NUMBA_BOUNDSCHECK=1 python -m tests.evidence.fuzz091 10000000

With NUMBA_BOUNDSCHECK=1 every index is checked while it runs, and each stream lies at the
very end of its array, so that an over-read raises. A hang is seen as no progress: every
call must use octets up, ask for more, or end in a status that is known.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

if os.environ.get("NUMBA_BOUNDSCHECK") == "1":
    # Code that checks must not be taken for the code that does not, nor be left for it.
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="busbench-fuzz-")

import numpy as np
import pika.frame
from pika import spec

from bench.jit import kernel
from bench.wire import amqp091_layout as layout
from bench.wire import cursor as cursor_at
from bench.wire.amqp091_scan import scan
from bench.wire.octets import Int64, Octets
from tests.bench.wire.amqp091_twin import Fast, frames, stamped

_BATCH = 20_000
_CONTROL, _FULL = int(layout.Status.CONTROL), int(layout.Status.FULL)
_STATUSES = 16


def base() -> tuple[bytes, int]:
    """Return a stream of every kind of frame, and how many they are."""
    plain = spec.BasicProperties(content_type="text/plain", delivery_mode=2, headers={"a": 1})
    deliver = spec.Basic.Deliver("a-consumer-tag", 7, redelivered=False, exchange="", routing_key="queue")
    got = spec.Basic.GetOk(9, redelivered=True, exchange="x", routing_key="y", message_count=0)
    stream = [
        *frames(deliver, 1, stamped(3, 4, 100), 1_000, plain),
        *frames(spec.Basic.Return(312, "NO_ROUTE", "", "q"), 2, stamped(3, 4, 40), 17, plain),
        pika.frame.Method(2, spec.Basic.Ack(5, multiple=True)).marshal(),
        pika.frame.Method(3, spec.Basic.Nack(7, multiple=False)).marshal(),
        pika.frame.Method(1, spec.Channel.Flow(active=False)).marshal(),
        *frames(got, 3, b"", 9, plain),
        pika.frame.Heartbeat().marshal(),
        *frames(deliver, 3, stamped(1, 2, 70), 31, plain),
        *frames(spec.Basic.Publish(exchange="", routing_key="q"), 1, stamped(1, 2, 64), 64, plain),
    ]
    return b"".join(stream), len(stream)


@kernel
def _one(buf: Octets, cut: int, tables: layout.ChannelTables, found: cursor_at.Scanned) -> int:
    """Scan a stream that comes in two pieces; return how it ended (0 or below), or 1 where the scan went wrong."""
    start, end, cursor = 0, cut, found.cursor
    while True:
        cursor[:3] = 0
        cursor[cursor_at.OUT] = 0
        # The array is cut where the octets end, so that checked code sees an over-read.
        status = scan(buf[:end], start, end, 1, tables, 0, found)
        taken = cursor[cursor_at.TAKEN]
        if taken < start or taken > end or status > _FULL or status <= -_STATUSES:
            return 1
        if status == _CONTROL:
            if cursor[cursor_at.FRAME_END] <= taken or cursor[cursor_at.FRAME_END] > end:
                return 1
            taken = cursor[cursor_at.FRAME_END]
        elif status == _FULL and taken == start and cursor[0] == 0 and cursor[1] == 0:
            return 1
        elif status < 0 or (status == 0 and end == len(buf)):
            return int(status)
        elif status == 0:
            end = len(buf)
        start = taken


class Cases(NamedTuple):
    """Where streams are cut in two, int64 (n,), and which octets of them, int64 (n, 3), become what others."""

    cuts: Int64
    places: Int64
    octets: Int64


@kernel
def fuzz(
    whole: Octets,
    cases: Cases,
    tables: layout.ChannelTables,
    fresh: layout.ChannelTables,
    found: cursor_at.Scanned,
    seen: Int64,
) -> int:
    """Break and scan the stream once for each of the cases; return the first row that went wrong, or -1."""
    buf = whole.copy()
    for case in range(len(cases.cuts)):
        buf[:] = whole
        for change in range(cases.places.shape[1]):
            buf[cases.places[case, change]] = cases.octets[case, change]
        tables.lanes[:] = fresh.lanes
        tables.ring[:] = fresh.ring
        tables.conns[0, layout.IN_FRAME] = 0
        status = _one(buf, cases.cuts[case], tables, found)
        if status > 0:
            return case
        seen[-status] += 1
    return -1


def main(words: Sequence[str] | None = None) -> int:
    """Break so many frames; return 1 where the scan left its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    stream, count = base()
    whole = np.frombuffer(stream, np.uint8).copy()
    state, random = Fast(published=40, ack_batch=2, capacity=4), np.random.default_rng(given.seed)
    fresh, seen = Fast(published=40, ack_batch=2).tables, np.zeros(_STATUSES, np.int64)
    done, begin = 0, time.monotonic()
    while done < given.frames:
        places = random.integers(0, len(whole), (_BATCH, 3))
        octets = random.integers(0, 256, (_BATCH, 3))
        octets[:, 1] = whole[places[:, 1]] ^ (1 << random.integers(0, 8, _BATCH))
        cuts = random.integers(0, len(whole) + 1, _BATCH)
        cases = Cases(cuts=cuts, places=places, octets=octets)
        wrong = fuzz(whole, cases, state.tables, fresh, state.scanned, seen)
        if wrong >= 0:
            sys.stdout.write(f"out of bounds: seed {given.seed}, case {done // count + wrong}\n")
            return 1
        done += _BATCH * count
    names = {0: "used up"} | {-int(status): words for status, words in layout.FAULTS.items()}
    sys.stdout.write(f"{done:,} frames in {time.monotonic() - begin:.0f} s, none out of bounds; streams ended by:\n")
    for status, number in enumerate(seen.tolist()):
        if number:
            sys.stdout.write(f"{number:>12,}  {names[status]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
