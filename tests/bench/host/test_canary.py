"""The canary: readings, their reference, and what counts as a shift."""

import pytest

from bench.host.canary import LOOKS, Canaries, CanaryReading, take


class Scripted:
    """Readings one after the other; counts waits."""

    def __init__(self, *least_ns: int, waited: float = 0.0) -> None:
        """Give readings of these lengths, of which the share `waited` had no CPU."""
        self.takes = [CanaryReading(ns, waited) for ns in least_ns]
        self.waits = 0

    def __call__(self) -> CanaryReading:
        """Return the next reading."""
        return self.takes.pop(0)

    def sleep(self, _s: float) -> None:
        """Count it."""
        self.waits += 1


def canaries(script: Scripted) -> Canaries:
    """Return a run's canaries over a script."""
    return Canaries((), script, script.sleep)


FIRST = [1000] * (2 * LOOKS)
"""The first pair of a run: nothing tells yet whether a reading is off, so each is taken as often as may be."""


def test_a_host_that_stays_as_it_is_shifts_nothing() -> None:
    """Readings near each other are taken once, and their distance from the median is the shift."""
    script = Scripted(*FIRST, 1000, 1010, 1000, 990)
    run = canaries(script)
    assert run.pair(run.read(), run.read()).reference_ns == 1000
    waits = script.waits
    second = run.pair(run.read(), run.read())
    assert (second.before_ns, second.after_ns, second.reference_ns) == (1000, 1010, 1000)
    assert run.pair(run.read(), run.read()).shift == pytest.approx(0.01)
    assert (script.waits, script.takes) == (waits, [])


def test_the_first_reading_of_a_run_is_no_worse_than_others() -> None:
    """A slow one is not taken at its word, though nothing is there to compare it with."""
    run = canaries(Scripted(1300, *[1000] * (LOOKS - 1), *[1000] * LOOKS))
    found = run.pair(run.read(), run.read())
    assert (found.reference_ns, found.shift) == (1000, 0)


def test_a_slower_host_is_a_shift_and_does_not_move_the_reference() -> None:
    """One pair out of several is told from the median of all; a faster reading counts as well."""
    run = canaries(Scripted(*FIRST, *([1000] * 4), *([1200] * (2 * LOOKS)), *([900] * (2 * LOOKS))))
    for _ in range(3):
        assert run.pair(run.read(), run.read()).shift == 0
    slow = run.pair(run.read(), run.read())
    assert (slow.reference_ns, slow.shift) == (1000, pytest.approx(0.2))
    assert run.pair(run.read(), run.read()).shift == pytest.approx(0.1)


def test_a_broker_that_still_works_is_waited_for() -> None:
    """A reading that is off is taken again some times, and the least counts."""
    script = Scripted(*FIRST, 1500, 1300, 1000, 900)
    run = canaries(script)
    assert run.pair(run.read(), run.read()).shift == 0
    assert run.read().ns == 1000
    assert script.waits == 2 * (LOOKS - 1) + 2


def test_others_on_the_core_show_without_a_reference() -> None:
    """A computation that waits for a CPU says so, from the first trial on."""
    run = canaries(Scripted(*([1500] * (2 * LOOKS)), waited=0.3))
    found = run.pair(run.read(), run.read())
    assert found.reference_ns == 1500
    assert found.shift == pytest.approx(0.3)


def test_a_resumed_run_goes_on_with_its_reference() -> None:
    """What finished trials read counts."""
    first = canaries(Scripted(*FIRST))
    kept = first.pair(first.read(), first.read())
    run = Canaries([kept, kept], Scripted(*([1100] * 2 * LOOKS)), lambda _s: None)
    found = run.pair(run.read(), run.read())
    assert (found.reference_ns, found.shift) == (1000, pytest.approx(0.1))


@pytest.mark.compiled
def test_a_reading_is_of_real_work() -> None:
    """A take lasts a fraction of a millisecond at least, and no reading waits all its time."""
    found = take()
    assert found.ns > 500_000
    assert 0 <= found.waited < 1
