"""The confirm window against a slow twin, and what returns do to confirms."""

import random

import pytest

from bench.drivers.base import Outcome
from bench.drivers.pika.confirm_window import ConfirmWindow


@pytest.mark.parametrize("seed", range(20))
def test_every_message_is_settled_once_as_a_plain_list_would(seed: int) -> None:
    """Random acks, single and multiple, in and out of order, settle what a scan of a list settles."""
    draw = random.Random(seed)  # noqa: S311  (test data)
    window, twin, tag = ConfirmWindow(), list[tuple[int, int]](), 0
    for _ in range(300):
        if draw.random() < 0.6:
            tag += 1
            window.publish(1_000 + tag)
            twin.append((tag, 1_000 + tag))
            continue
        upto, multiple = draw.randint(0, tag + 2), draw.random() < 0.3
        taken = [row for row in twin if (row[0] <= (upto or tag) if multiple else row[0] == upto)]
        twin = [row for row in twin if row not in taken]
        settled = window.settle(upto, multiple=multiple, outcome=Outcome.CONFIRMED)
        assert settled == [(seq, Outcome.CONFIRMED) for _, seq in taken]
        assert len(window) == len(twin)


def test_a_returned_message_is_not_confirmed() -> None:
    """The ack that follows basic.return says RETURNED, for that message alone."""
    window = ConfirmWindow()
    for seq in (5, 6, 7):
        window.publish(seq)
    window.give_back(6)
    settled = window.settle(3, multiple=True, outcome=Outcome.CONFIRMED)
    assert settled == [(5, Outcome.CONFIRMED), (6, Outcome.RETURNED), (7, Outcome.CONFIRMED)]


def test_a_nack_stays_a_refusal() -> None:
    """A message that was returned and then nacked was refused."""
    window = ConfirmWindow()
    window.publish(1)
    window.give_back(1)
    assert window.settle(1, multiple=False, outcome=Outcome.REFUSED) == [(1, Outcome.REFUSED)]


def test_what_no_broker_may_say_is_counted() -> None:
    """Confirms of what was never sent, of what is settled, and of all up to what was never sent."""
    window = ConfirmWindow()
    for seq in range(3):
        window.publish(seq)
    said = [(9, False), (0, False), (1, False), (1, False), (9, True), (2, True), (0, True)]
    settled = [window.settle(tag, multiple=multiple, outcome=Outcome.CONFIRMED) for tag, multiple in said]
    assert [len(rows) for rows in settled] == [0, 0, 1, 0, 2, 0, 0]
    assert window.violations == {"confirms_never_sent": 2, "confirms_again": 2, "confirms_beyond": 1}
