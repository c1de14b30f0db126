"""The split of lateness: the compiled-in formula against walking through time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.loadgen.backpressure import Backpressure

flips = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=20)


@given(flips, st.integers(0, 60), st.integers(0, 60))
def test_split_equals_counting_nanoseconds(changes: list[tuple[int, bool]], early: int, length: int) -> None:
    """The backpressure part is the number of nanoseconds between intended and sent without room."""
    backpressure, now, state, rooms = Backpressure(), 0, True, []
    for step, room in changes:
        rooms += [state] * step
        now, state = now + step, room
        backpressure.update(now, room=room)
    backpressure.update(now, room=True)
    intended = max(0, now - early - length)
    sent = intended + min(length, now - intended)
    expected = sum(not room for room in rooms[intended:sent])
    found = backpressure.split(np.array([intended]), np.array([sent]))
    assert found.tolist() == [expected]


def test_a_batch_is_split_message_by_message() -> None:
    """Messages due before, within and after an episode get their own shares."""
    backpressure = Backpressure()
    backpressure.update(100, room=False)
    backpressure.update(200, room=True)
    intended = np.array([50, 100, 150, 200, 210])
    assert backpressure.split(intended, np.full(5, 220)).tolist() == [100, 100, 50, 0, 0]


def test_sending_early_is_never_blocked() -> None:
    """A message sent before it was due (by clock granularity) has no negative share."""
    assert Backpressure().split(np.array([100]), np.array([90])).tolist() == [0]
