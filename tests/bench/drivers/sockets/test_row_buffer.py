"""Rows come out as they went in, in contiguous columns, and only once."""

import numpy as np

from bench.drivers.sockets.row_buffer import DeliveryRows, SettlementRows


def test_rows_survive_growth() -> None:
    """More rows than the first capacity keep their values and order."""
    rows = SettlementRows()
    for n in range(5_000):
        rows.add(n % 3, n, 1, -n)
    taken = rows.settlements()
    assert taken.seq.tolist() == list(range(5_000))
    assert taken.lane.tolist() == [n % 3 for n in range(5_000)]
    assert taken.at_ns.tolist() == [-n for n in range(5_000)]
    assert all(column.flags.c_contiguous and column.dtype == np.int64 for column in taken)


def test_rows_are_taken_once() -> None:
    """What was taken does not come again, and what comes later does not change it."""
    rows = SettlementRows()
    rows.add(0, 7, 1, 100)
    first = rows.settlements()
    rows.add(1, 8, 2, 200)
    second = rows.settlements()
    assert first.seq.tolist() == [7]
    assert second.seq.tolist() == [8]
    assert len(rows.settlements().seq) == 0


def test_foreign_bodies_are_counted_once() -> None:
    """A count of foreign bodies is returned even without rows, then begins anew."""
    rows = DeliveryRows()
    rows.foreign += 2
    only_foreign = rows.deliveries()
    assert (only_foreign.foreign, len(only_foreign.seq)) == (2, 0)
    rows.add(0, 1, 2, 3, 4, 5, 1)
    delivered = rows.deliveries()
    assert (delivered.foreign, delivered.redelivered.tolist(), delivered.received_ns.tolist()) == (0, [1], [5])
