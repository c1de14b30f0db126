"""Brokers over AMQP 1.0 that misbehave in some ninety ways: as `test_hostile_091`."""

import re
from collections.abc import Iterator

import pytest

from brokers.plain_text import is_plain
from tests.bench.drivers.hostile.exchange import exchange
from tests.bench.drivers.hostile.expected10 import DRIVERS, ENDINGS, ending
from tests.bench.drivers.hostile.peer10 import MODES, Hostile10

pytestmark = pytest.mark.compiled
MOST_S = 15.0

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


def cases() -> Iterator[object]:
    """Yield every driver with every mode; all but a few are left to soak."""
    for driver in DRIVERS:
        for mode in MODES:
            marks = () if (driver, mode) in QUICK else (pytest.mark.soak,)
            yield pytest.param(driver, mode, marks=marks, id=f"{driver}-{mode}")


@pytest.mark.parametrize(("driver", "mode"), list(cases()))
def test_it_ends_in_bounded_time_with_the_right_words(driver: str, mode: str) -> None:
    """What is said is fit for a terminal, and holds no password; what was recorded stands."""
    peer = Hostile10(mode)
    try:
        found = exchange(driver, peer.endpoint)
    finally:
        peer.stop()
    expected = ending(driver, mode)
    assert found.outcome == expected.outcome, found
    assert re.search(expected.says, found.said), found.said
    assert found.took_s < MOST_S
    assert is_plain(found.said)
    assert not expected.counts or found.counters.get(expected.counts, 0) > 0
    assert found.merged is not None
    assert found.merged.ledger.sent >= found.merged.ledger.confirmed


def test_every_mode_is_expected_to_end_somehow() -> None:
    """And nothing is expected of a mode that is not there."""
    assert set(ENDINGS) == set(MODES)
