"""Compiled confirms do what the slow, obvious window does, and never outgrow their ring."""

from hypothesis import given
from hypothesis import strategies as st

from bench.drivers.base import Outcome
from bench.drivers.pika.confirm_window import ConfirmWindow
from bench.wire import amqp091_layout as layout
from bench.wire import cursor as cursor_at
from bench.wire.amqp091_settle import note_published, note_returned, room, settle
from tests.bench.wire.amqp091_twin import Fast

WINDOW, SPAN = 8, 32
steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 5)),
        st.tuples(st.just("return"), st.integers(0, 40)),
        st.tuples(st.sampled_from(["ack", "nack", "ack-all", "nack-all"]), st.integers(0, 40)),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 9), st.integers(0, 3))
def test_it_settles_as_the_window_does(script: list[tuple[str, int]], capacity: int, stride: int) -> None:
    """In the same order, with returned messages told apart, also where rows must be taken out in between."""
    fast = Fast(capacity=capacity, span=SPAN)
    tables, lanes, found, cursor = fast.tables, fast.lanes, fast.scanned, fast.cursor
    twin, seq = ConfirmWindow(), 0
    for what, number in script:
        free = room(lanes, 0, 1, WINDOW, SPAN)
        assert 0 <= free <= WINDOW - len(twin)
        if what == "publish":
            for _ in range(min(number, free)):
                note_published(tables, 0, seq)
                twin.publish(seq)
                seq += 1 + stride
        elif what == "return":
            if any(number == s for s in twin._seq_of_tag.values()):
                twin.give_back(number)
            note_returned(tables, 0, number)
        else:
            outcome = Outcome.CONFIRMED if what.startswith("ack") else Outcome.REFUSED
            multiple, came = what.endswith("all"), []
            whole = False
            while not whole:
                whole = settle(tables, 0, found, number, multiple, int(outcome), 9)
                came += found.rows[1:4, : cursor[cursor_at.SETTLED]].T.tolist()
                cursor[cursor_at.SETTLED] = 0
            there = twin.settle(number, multiple=multiple, outcome=outcome)
            assert came == [[s, int(o), 9] for s, o in there]
        assert lanes[0, layout.IN_FLIGHT] == len(twin)
        counted = [twin.violations[f"confirms_{what}"] for what in ("never_sent", "again", "beyond")]
        assert lanes[0, (layout.NEVER_SENT, layout.AGAIN, layout.BEYOND)].tolist() == counted


def test_an_old_message_that_is_never_settled_takes_the_room_away() -> None:
    """Tags may run ahead of the oldest by the length of the ring, and no further."""
    fast = Fast(capacity=4, span=SPAN)
    tables, lanes, found, cursor = fast.tables, fast.lanes, fast.scanned, fast.cursor
    sent = 0
    while room(lanes, 0, 1, WINDOW, SPAN):
        note_published(tables, 0, sent)
        sent += 1
        if sent > 1:
            assert settle(tables, 0, found, sent, False, 1, 0)  # noqa: FBT003
            cursor[cursor_at.SETTLED] = 0
    assert (sent, int(lanes[0, layout.IN_FLIGHT])) == (SPAN, 1)
    assert settle(tables, 0, found, 1, False, 1, 0)  # noqa: FBT003
    assert room(lanes, 0, 1, WINDOW, SPAN) == WINDOW
