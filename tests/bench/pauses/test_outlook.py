"""What is said of a host before anything is measured."""

from bench.pauses.board import CPU, FIFO, PauseBoard
from bench.pauses.outlook import outlook
from bench.pauses.watch import PauseWatch
from bench.units import NS_PER_MS, NS_PER_S
from tests.bench.pauses.test_filter import FOREVER, Span, board_of

LOOK_NS = 5 * NS_PER_S


def said(*cpus: list[Span], fifo: bool = True) -> str:
    """Return the outlook after five seconds with these pauses."""
    board: PauseBoard = board_of(*cpus, wake=FOREVER)
    board.cells[1:, FIFO] = fifo
    board.cells[1:, CPU] = range(len(cpus))
    watch = PauseWatch(board, 0.25)
    watch.look()
    return outlook(watch, 0, LOOK_NS)


def every_ms(period: int, length: int) -> list[Span]:
    """Return a pause of so many ms in each period."""
    return [(begin * NS_PER_MS, (begin + length) * NS_PER_MS) for begin in range(1, 5000, period)]


def test_a_host_that_stays() -> None:
    """Without a pause there is nothing to warn of; a sleeper without priority says so."""
    assert said([], []) == "this host was not away in 5 s"
    assert "normal task" in said([], [], fifo=False)


def test_short_and_long_absence() -> None:
    """A little: usable. More: longer. Often: no tail. Too much: elsewhere."""
    assert "away 0.4 % of the time, longest 20 ms in 5 s: p50 will be usable, p99 will be, too" in said(
        every_ms(2500, 20), []
    )
    assert "p99 takes about 1.1 times as long" in said(every_ms(300, 20), every_ms(300, 20))
    assert "no tail of slow messages" in said(every_ms(40, 2), [])
    assert "choose another host or hour" in said(every_ms(100, 20), every_ms(100, 20))
