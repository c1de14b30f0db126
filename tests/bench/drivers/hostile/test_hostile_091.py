"""Brokers over AMQP 0-9-1 that misbehave in some sixty ways: each driver ends in bounded time, with the right words."""

import pytest

from tests.bench.drivers.hostile.exchange import exchange
from tests.bench.drivers.hostile.expected091 import DRIVERS, ENDINGS, STALLED, ending
from tests.bench.drivers.hostile.matrix import ends_as_expected, every
from tests.bench.drivers.hostile.peer091 import MODES, Hostile091

pytestmark = pytest.mark.compiled

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


@pytest.mark.parametrize(("driver", "mode"), list(every(DRIVERS, MODES, QUICK)))
def test_it_ends_in_bounded_time_with_the_right_words(driver: str, mode: str) -> None:
    """What is said is fit for a terminal, and holds no password; what was recorded stands."""
    found = ends_as_expected(driver, Hostile091(mode), ending(driver, mode))
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
