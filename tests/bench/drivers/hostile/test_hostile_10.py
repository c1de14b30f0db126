"""Brokers over AMQP 1.0 that misbehave in some ninety ways: as `test_hostile_091`."""

import pytest

from tests.bench.drivers.hostile.expected10 import DRIVERS, ENDINGS, ending
from tests.bench.drivers.hostile.matrix import ends_as_expected, every
from tests.bench.drivers.hostile.peer10 import MODES, Hostile10

pytestmark = pytest.mark.compiled

QUICK = {
    ("wire10", "http"),
    ("wire10", "huge-frame-flood"),
    ("wire10", "closes"),
    ("wire10", "empty-frames-without-end"),
    ("wire10", "outcome-never-sent"),
    ("wire10", "body-of-4-gib"),
    ("wire10", "floods"),
    ("proton-engine", "begin-ended"),
    ("proton-engine", "frame-of-4-gib"),
    ("proton-engine", "sequence-8-gib"),
    ("proton-blocking", "attach-refused"),
    ("proton-blocking", "unknown-handle"),
}
"""One of each kind, over all drivers."""


@pytest.mark.parametrize(("driver", "mode"), list(every(DRIVERS, MODES, QUICK)))
def test_it_ends_in_bounded_time_with_the_right_words(driver: str, mode: str) -> None:
    """What is said is fit for a terminal, and holds no password; what was recorded stands."""
    ends_as_expected(driver, Hostile10(mode), ending(driver, mode))


def test_every_mode_is_expected_to_end_somehow() -> None:
    """And nothing is expected of a mode that is not there."""
    assert set(ENDINGS) == set(MODES)
