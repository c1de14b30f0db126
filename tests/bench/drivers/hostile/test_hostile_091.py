"""Brokers over AMQP 0-9-1 that misbehave in some sixty ways: each driver ends in bounded time, with the right words."""

import re
from collections.abc import Iterator

import pytest

from brokers.plain_text import is_plain
from tests.bench.drivers.hostile.exchange import exchange
from tests.bench.drivers.hostile.expected091 import DRIVERS, ENDINGS, STALLED, ending
from tests.bench.drivers.hostile.peer091 import MODES, Hostile091

pytestmark = pytest.mark.compiled
MOST_S = 15.0

QUICK = {
    ("wire091", "http"),
    ("wire091", "huge-frame-flood"),
    ("wire091", "channel-close"),
    ("wire091", "returns-without-end"),
    ("wire091", "confirm-never-sent"),
    ("wire091", "sequence-8-gib"),
    ("wire091", "tag-repeats"),
    ("pika-codec", "frame-of-4-gib"),
    ("pika-codec", "confirm-twice"),
    ("pika-select", "other-version-hangs"),
    ("pika-select", "unknown-method"),
    ("pika-blocking", "connection-close"),
    ("pika-blocking", "cut-method"),
    ("kombu", "huge-frame"),
    ("kombu", "bad-frame-end"),
}
"""One of each kind, over all drivers; of those that take seconds `test_silence_ends_in_bounded_time` has one."""


def cases() -> Iterator[object]:
    """Yield every driver with every mode; all but a few are left to soak."""
    for driver in DRIVERS:
        for mode in MODES:
            marks = () if (driver, mode) in QUICK else (pytest.mark.soak,)
            yield pytest.param(driver, mode, marks=marks, id=f"{driver}-{mode}")


@pytest.mark.parametrize(("driver", "mode"), list(cases()))
def test_it_ends_in_bounded_time_with_the_right_words(driver: str, mode: str) -> None:
    """What is said is fit for a terminal, and holds no password; what was recorded stands."""
    peer = Hostile091(mode)
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
    if found.outcome == STALLED:
        assert not found.said


def test_every_mode_is_expected_to_end_somehow() -> None:
    """And nothing is expected of a mode that is not there."""
    assert set(ENDINGS) == set(MODES)


@pytest.mark.parametrize("driver", ["kombu", "pika-blocking"])
def test_silence_ends_in_bounded_time(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that gives an octet now and then is silent too: the patience is with the whole handshake."""
    monkeypatch.setattr("bench.drivers.blocking.patience.PATIENCE_S", 0.5)
    monkeypatch.setattr("bench.drivers.pika.blocking_lane.PATIENCE_S", 0.5)
    peer = Hostile091("trickle")
    try:
        found = exchange(driver, peer.endpoint)
    finally:
        peer.stop()
    assert found.outcome == "ConnectionLost"
    assert "took the connection but did not open consumer 0 of queue 'q' within" in found.said
    assert found.took_s < 5
