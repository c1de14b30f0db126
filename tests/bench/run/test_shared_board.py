"""The board: what one process writes another reads, and closed loops get their tokens back."""

import os
import subprocess
import sys

import numpy as np
import pytest

from bench.loadgen.pump import PumpCounters
from bench.run.shared_board import NEVER_NS, Board


def test_a_worker_in_another_process_is_seen() -> None:
    """Readiness and progress written by a process appear on the conductor's board."""
    fd = Board.share(2)
    board = Board(2, fd)
    board.start(123)
    code = (
        "import sys\n"
        "from bench.run.shared_board import Board; from bench.loadgen.pump import PumpCounters\n"
        "cells = Board(2, int(sys.argv[1])).view(1)\n"
        "assert cells.start_ns() == 123\n"
        "cells.ready()\n"
        "cells.beat(PumpCounters(due=5, sent=4, settled=3, received=2, done=True, p50_ns=8, p99_ns=9), 77)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(fd)], check=True, pass_fds=[fd])
    os.close(fd)
    assert board.ready() == 1
    assert board.totals() == PumpCounters(due=5, sent=4, settled=3, received=2, done=False, p50_ns=8, p99_ns=9)
    assert board.beats_ns().tolist() == [0, 77]


def test_end_and_stop_reach_workers() -> None:
    """The end is unknown until decided; stop is seen at once."""
    board = Board(1)
    cells = board.view(0)
    board.start(5)
    assert (cells.start_ns(), cells.end_ns(), cells.stopped()) == (5, NEVER_NS, False)
    board.end(9)
    board.stop()
    assert (cells.end_ns(), cells.stopped()) == (9, True)


def test_tokens_return_to_the_worker_that_owns_the_producer() -> None:
    """Producer p belongs to producing worker p mod W; every consumer's count adds up; who waits is rung for."""
    bells = tuple(os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2))
    board = Board(4)
    producers = [board.view(0), board.view(1)]
    producers[1].hunger(hungry=True)
    consumers = [board.view(2, bells), board.view(3, bells)]
    consumers[0].give(np.array([0, 1, 2, 3, 5]), 2)
    consumers[1].give(np.array([4]), 2)
    assert [cells.tokens() for cells in producers] == [3, 3]
    assert os.eventfd_read(bells[1]) == 2
    with pytest.raises(BlockingIOError):
        os.eventfd_read(bells[0])
    for bell in bells:
        os.close(bell)


def test_what_was_refused_gives_its_place_back() -> None:
    """To the worker that sent it, and to no other; the conductor sees the sum."""
    board = Board(2)
    mine, other = board.view(0), board.view(1)
    mine.beat(PumpCounters(sent=9, settled=7, gone=3), 1)
    assert (mine.tokens(), other.tokens()) == (3, 0)
    other.beat(PumpCounters(gone=2), 1)
    assert board.totals().gone == 5
