"""A call that takes too long is hung up on, and calls that follow each other are not."""

import threading
import time

import pytest

from bench.drivers.blocking import patience
from bench.drivers.blocking.patience import Patience


class Waiting:
    """Someone who waits."""

    def __init__(self) -> None:
        """Wait for a word."""
        self.gave_up = threading.Event()

    def give_up(self) -> None:
        """Note that it was told to."""
        self.gave_up.set()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """Look every 5 ms, and bear 50 ms."""
    monkeypatch.setattr(patience, "PATIENCE_S", 0.05)
    monkeypatch.setattr(patience, "_LOOK_S", 0.005)
    return Patience()


def test_a_call_that_takes_too_long_is_ended(watched: Patience) -> None:
    """By the lane whose it is."""
    lane = Waiting()
    watched.running = [lane]
    assert lane.gave_up.wait(5)
    watched.end()


def test_calls_that_follow_each_other_are_not(watched: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they last together."""
    monkeypatch.setattr(patience, "PATIENCE_S", 0.5)
    lane = Waiting()
    until = time.monotonic() + 0.8
    while time.monotonic() < until:
        watched.running = [lane]
        time.sleep(0.001)
        watched.running = None
    watched.end()
    assert not lane.gave_up.is_set()
