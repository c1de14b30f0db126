"""The kernel's clock on ours: bounds that hold the truth and only become closer, and steps that cannot pass unseen."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.drivers.wire import kernel_timestamps as times

AN_HOUR_NS = 3_600_000_000_000


def plain(kernel: Any) -> Callable[..., Any]:
    """Return a part of a kernel as Python calls it, compiled or not."""
    return cast("Callable[..., Any]", getattr(kernel, "py_func", kernel))


bracket, on_monotonic = plain(times.bracket), plain(times.on_monotonic)

readings = st.lists(
    # How long after the one before, how long until the real clock was read, and from there to the end.
    st.tuples(st.integers(0, 10**9), st.integers(0, 100_000), st.integers(0, 100_000)),
    min_size=1,
    max_size=30,
)
differences = st.integers(-AN_HOUR_NS, AN_HOUR_NS)


def read(cells: Any, at_ns: int, difference_ns: int, reading: tuple[int, int, int]) -> tuple[int, bool]:
    """Take a reading while real less monotonic time is so much; return when it ended, and whether all was as before."""
    after_ns, before_ns, behind_ns = reading
    begin_ns = at_ns + after_ns
    real_ns = begin_ns + before_ns + difference_ns
    end_ns = begin_ns + before_ns + behind_ns
    return end_ns, bracket(cells, begin_ns, real_ns, end_ns)


@given(taken=readings, difference_ns=differences, back_ns=st.integers(0, 10**9))
def test_a_steady_clock_is_known_ever_better(
    taken: list[tuple[int, int, int]], difference_ns: int, back_ns: int
) -> None:
    """No step is seen where there is none; a time of the kernel's is off by at most half of the shortest reading."""
    cells, at_ns = times.make_timestamps().cells, 0
    shortest_ns = min(before_ns + behind_ns for _, before_ns, behind_ns in taken)
    for reading in taken:
        at_ns, same = read(cells, at_ns, difference_ns, reading)
        assert same
        assert cells[times.LOW_NS] <= difference_ns <= cells[times.HIGH_NS]
    assert cells[times.CLOCK_SET] == 0
    came_ns = at_ns - back_ns
    told_ns = on_monotonic(cells, came_ns + difference_ns, at_ns)
    assert told_ns <= at_ns
    assert abs(told_ns - min(came_ns, at_ns)) <= shortest_ns // 2 + 1


@given(
    taken=readings,
    difference_ns=differences,
    step_ns=st.integers(1, AN_HOUR_NS),
    back=st.booleans(),
    later=st.tuples(st.integers(0, 10**9), st.integers(0, 100_000), st.integers(0, 100_000)),
)
def test_a_step_is_noticed_at_once_or_is_smaller_than_the_readings(
    taken: list[tuple[int, int, int]],
    difference_ns: int,
    step_ns: int,
    back: bool,  # noqa: FBT001
    later: tuple[int, int, int],
) -> None:
    """The first reading behind it tells, and begins the bounds anew; what it cannot tell moves no time by more."""
    cells, at_ns = times.make_timestamps().cells, 0
    for reading in taken:
        at_ns, _ = read(cells, at_ns, difference_ns, reading)
    width_ns = int(cells[times.HIGH_NS] - cells[times.LOW_NS]) + later[1] + later[2]
    set_ns = difference_ns - step_ns if back else difference_ns + step_ns
    _, same = read(cells, at_ns, set_ns, later)
    if step_ns > width_ns + 2:
        assert not same
    if not same:
        assert cells[times.CLOCK_SET] == 1
        assert cells[times.LOW_NS] <= set_ns <= cells[times.HIGH_NS]


@given(kernel_ns=st.integers(-AN_HOUR_NS, AN_HOUR_NS), read_ns=st.integers(0, AN_HOUR_NS))
def test_nothing_is_received_later_than_it_is_read(kernel_ns: int, read_ns: int) -> None:
    """A time in the future, as of a clock set between the stamp and the read, is that of the read."""
    cells = times.make_timestamps().cells
    cells[[times.LOW_NS, times.HIGH_NS]] = 0
    assert on_monotonic(cells, kernel_ns, read_ns) == np.minimum(kernel_ns, read_ns)
