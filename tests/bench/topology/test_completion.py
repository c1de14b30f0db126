"""How many messages are complete: what a closed loop's tokens stand for, against a walk."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.arrivals.keys import drawn, in_turn, keys_of
from bench.topology.completion import Completion
from bench.topology.layout import FlowRoute


def route(copies: list[int], choice: np.ndarray) -> FlowRoute:
    """Return a route whose keys have so many copies."""
    queues = max(*copies, 1)
    return FlowRoute(
        name="f",
        keys=tuple(str(n) for n in range(len(copies))),
        choice=tuple(choice.tolist()),
        queues=tuple(f"q{n}" for n in range(queues)),
        owed=tuple(tuple(range(count)) for count in copies),
        columns=tuple(range(queues)),
        used_by=(tuple(range(queues)),),
    )


@given(st.lists(st.integers(0, 4), min_size=2, max_size=6), st.integers(0, 99), st.integers(1, 3), st.data())
def test_it_is_the_walk_over_all_messages(copies: list[int], seed: int, lanes: int, data: st.DataObject) -> None:
    """Copy by copy, with refusals between: as many are complete as the walk over all messages says."""
    copies = [*copies, 1, 2]  # never alike, never none
    one = route(copies, drawn([1.0] * len(copies), seed))
    producers = range(5, 5 + lanes)
    total = 3_000
    per_lane = [one.copies[keys_of(one.choosing, p, 0, total)] for p in producers]
    ends = np.cumsum(np.stack(per_lane, axis=1).ravel())
    completion, received, gone, refused = Completion(one, producers), 0, 0, 0
    for _ in range(30):
        received += data.draw(st.integers(0, 40))
        sent = int(np.searchsorted(ends, received + refused, side="right")) + data.draw(st.integers(0, 9))
        if data.draw(st.booleans()):
            gone, refused = gone + 1, refused + 1  # one of a single copy
        owed = int(ends[sent - 1]) - refused if sent else -refused
        found = completion.messages(received, gone, sent, owed)
        assert found == int(np.searchsorted(ends, received + refused, side="right"))


def test_alike_messages_are_divided() -> None:
    """And what was refused is complete without a copy."""
    completion = Completion(route([3, 3], in_turn(2)), [0])
    assert [completion.messages(received, 0, 9, 27) for received in range(7)] == [0, 0, 0, 1, 1, 1, 2]
    assert completion.messages(6, 2, 9, 21) == 4
