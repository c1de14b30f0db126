"""What is due: a closed loop keeps to its bound, whatever comes back."""

import numpy as np

from bench.loadgen.source import BEAT_NS, ClosedLoop, Confirms, CountedSource


class Given:
    """Tokens that are set by hand."""

    def __init__(self) -> None:
        """Begin with none."""
        self.given = 0
        self.hungry: list[bool] = []

    def tokens(self) -> int:
        """Return them."""
        return self.given

    def hunger(self, *, hungry: bool) -> None:
        """Note it."""
        self.hungry.append(hungry)


def test_a_closed_loop_uses_the_places_that_are_free() -> None:
    """From its start to its end; it says when it has none, and when it has some again."""
    tokens = Given()
    loop = ClosedLoop(3, 100, tokens)
    assert [loop.due(now_ns, 200) for now_ns in (99, 100, 200)] == [0, 3, 0]
    assert loop.take(3, 110).tolist() == [110] * 3
    assert (loop.due(120, 200), tokens.hungry) == (0, [True])
    tokens.given = 2
    assert (loop.due(130, 200), tokens.hungry) == (2, [True, False])


def test_more_that_comes_back_than_was_sent_makes_no_more_room() -> None:
    """As from a broker that refuses what it delivers."""
    tokens = Given()
    loop = ClosedLoop(3, 0, tokens)
    loop.take(2, 0)
    tokens.given = 9
    assert loop.due(1, 10) == 3


def test_a_counted_source_is_over_when_all_were_taken() -> None:
    """What is free beyond the number is not due; nothing is waited for any more."""
    tokens = Given()
    counted = CountedSource(ClosedLoop(3, 0, tokens), 4)
    assert (counted.closed, counted.due(1, 10), counted.over(1, 10)) == (True, 3, False)
    counted.take(3, 1)
    tokens.given = 3
    assert (counted.due(2, 10), counted.over(2, 10)) == (1, False)
    counted.take(1, 2)
    tokens.given = 4
    assert (counted.due(3, 10), counted.over(3, 10), counted.wait_ns(3)) == (0, True, BEAT_NS)


def test_confirms_are_tokens_while_nobody_consumes() -> None:
    """Each settlement makes room, of whatever kind it is."""
    outcomes = np.zeros(4, np.int64)
    loop = ClosedLoop(3, 0, Confirms(outcomes))
    loop.take(loop.due(1, 10), 1)
    assert loop.due(2, 10) == 0
    outcomes[:2] = 1
    assert loop.due(3, 10) == 2
