"""What the conductor sees of pauses while a trial runs."""

from bench.pauses.board import COUNT, CPU, ENTRIES, PauseBoard
from bench.pauses.watch import PauseWatch
from bench.units import NS_PER_MS
from tests.bench.pauses.test_filter import FOREVER, board_of


def note(board: PauseBoard, row: int, begin_ms: int, end_ms: int) -> None:
    """Write a pause, as a sleeper does."""
    cells = board.cells[row]
    at = ENTRIES + 2 * int(cells[COUNT])
    cells[at : at + 2] = begin_ms * NS_PER_MS, end_ms * NS_PER_MS
    cells[COUNT] += 1


def test_news_are_told_once() -> None:
    """Pauses since the last question, however often was looked meanwhile; probes are none."""
    board = board_of([], [], wake=FOREVER)
    board.cells[1:, CPU] = 0, 1
    watch = PauseWatch(board, 0.25)
    assert watch.news().tolist() == []
    note(board, 1, 10, 14)
    watch.look()
    note(board, 2, 20, 22)
    note(board, 2, 30, 30)
    watch.look()
    news = watch.news()
    assert news[:, 0].tolist() == [0, 1]
    assert (news[:, 1:] // NS_PER_MS).tolist() == [[10, 14], [20, 22]]
    watch.look()
    assert watch.news().shape == (0, 3)
    note(board, 1, 40, 43)
    watch.look()
    assert (watch.news()[:, 1:] // NS_PER_MS).tolist() == [[40, 43]]
    assert len(watch.pauses()) == 3
