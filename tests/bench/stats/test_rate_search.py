"""The search's state machine: which rate comes next, what counts, and how it may end."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.rate_search import NextTrial, Rules, Search, SearchResult
from bench.stats.sustained import Criterion, Failure

SLOW = (Failure(Criterion.ACHIEVED, "too slow"),)


def drive(search: Search, holds: Callable[[NextTrial], bool]) -> SearchResult:
    """Search to the end a broker that holds or does not, without noise."""
    while (step := search.next_step()) is not None:
        search.take(() if holds(step) else SLOW)
    return search.found()


@given(st.floats(2, 9e6), st.floats(1, 1e7), st.sampled_from([1.25, 2.0]))
def test_without_noise_the_capacity_lies_in_the_interval(capacity: float, start: float, factor: float) -> None:
    """Whatever the start: low held, high failed, 5 % apart, the capacity between; or the search ran out of trials."""
    found = drive(Search(Rules(factor=factor, most_short=200), start), lambda step: step.rate <= capacity)
    assert found.ended == "found"
    assert found.low is not None
    assert found.high is not None
    assert found.low <= capacity < found.high <= found.low * 1.052
    assert found.why == SLOW


def test_it_doubles_then_bisects_then_holds() -> None:
    """The rates of a plain search from 100 for a capacity of 1,000, each short one tried twice."""
    search = Search(Rules(), 100)
    drive(search, lambda step: step.rate <= 1_000)
    shorts = [taken.step.rate for taken in search.taken if not taken.step.hold]
    assert shorts[::2] == shorts[1::2]
    assert shorts[::2] == [100, 200, 400, 800, 1600, 1131, 951.2, 1037, 993.2, 1015]
    assert [(taken.step.rate, taken.verdict) for taken in search.taken if taken.step.hold] == [
        (993.2, "pass"), (1043, "fail"),
    ]  # fmt: skip
    assert search.left() == (0, 0)


def test_a_rate_takes_a_majority() -> None:
    """One failure of three is outvoted, two are not; until then the same rate is asked for."""
    search = Search(Rules(), 100)
    for failed in (SLOW, (), ()):
        assert search.next_step() == NextTrial(100, hold=False)
        search.take(failed)
    assert search.next_step() == NextTrial(200, hold=False)
    for failed in (SLOW, (), SLOW):
        search.take(failed)
    assert search.next_step() == NextTrial(141.4, hold=False)


def test_a_failure_by_far_decides_alone() -> None:
    """One such trial is enough; a pass never is."""
    search = Search(Rules(), 100)
    search.take((), by_far=True)
    assert search.next_step() == NextTrial(100, hold=False)
    search.take(())
    search.take(SLOW, by_far=True)
    assert search.next_step() == NextTrial(141.4, hold=False)


def test_holds_go_far_in_few_steps() -> None:
    """Short trials that were wrong by 40 % either way are put right within ten holds, both ends held."""
    for short, long in ((600, 1_000), (1_000, 600)):
        search = Search(Rules(), 500)
        found = drive(search, lambda step, short=short, long=long: step.rate <= (long if step.hold else short))  # type: ignore[misc]
        assert found.ended == "found"
        assert found.low is not None
        assert long / 1.052 <= found.low <= long


def test_a_failed_hold_steps_down_and_both_ends_are_held() -> None:
    """Short trials pass up to 1,000, holds only up to 700: the interval ends about 700, and its upper end failed."""
    search = Search(Rules(), 900)
    found = drive(search, lambda step: step.rate <= (700 if step.hold else 1_000))
    held = {taken.step.rate: taken.verdict for taken in search.taken if taken.step.hold}
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 700 < found.high <= found.low * 1.052
    assert (held[found.low], held[found.high]) == ("pass", "fail")


def test_short_trials_that_were_too_strict_are_put_right() -> None:
    """Where a hold at +5 % passes, the answer rises until one fails."""
    found = drive(Search(Rules(), 500), lambda step: step.rate <= (1_000 if step.hold else 800))
    assert found.low is not None
    assert 950 <= found.low <= 1_000


def test_invalid_trials_are_repeated_and_then_bound_the_search() -> None:
    """Two invalid trials are repeated; a third in a row makes the rate one that cannot be measured."""
    search = Search(Rules(repeats=2), 100)
    search.take((), valid=False)
    search.take((), valid=False)
    assert search.next_step() == NextTrial(100, hold=False)
    search.take(())
    search.take(())
    assert search.next_step() == NextTrial(200, hold=False)
    busy = (Failure(Criterion.INVALID, "client-bound"),)
    while (step := search.next_step()) is not None:
        search.take(busy if step.rate > 300 else (), valid=step.rate <= 300)
    found = search.found()
    assert found.ended == "measurement"
    assert found.low is not None
    assert 285 <= found.low <= 300
    assert "client-bound" in found.why[0].text


@pytest.mark.parametrize(
    ("holds", "most_holds", "ended", "low"),
    [
        (lambda _step: True, 10, "limit", 1_000.0),
        (lambda _step: False, 10, "nothing", None),
        (lambda step: not step.hold, 10, "nothing", None),
        (lambda step: not step.hold, 2, "trials", None),
    ],
)
def test_other_ends(holds: Callable[[NextTrial], bool], most_holds: int, ended: str, low: float | None) -> None:
    """The highest rate allowed holds; no rate passes; no hold passes, down to the least rate or while trials last."""
    found = drive(Search(Rules(least=1, most=1_000, most_holds=most_holds), 300), holds)
    assert (found.ended, found.low) == (ended, low)


def test_the_number_of_trials_is_bounded() -> None:
    """A broker that passes and fails by turns ends the search all the same; one trial more is refused."""
    search = Search(Rules(most_short=9, most_holds=3), 100)
    turn = 0
    while search.next_step() is not None:
        turn += 1
        search.take(SLOW if turn % 2 else ())
    assert sum(not taken.step.hold for taken in search.taken) <= 9
    assert sum(taken.step.hold for taken in search.taken) <= 3
    with pytest.raises(ValueError, match="over"):
        search.take(())


def test_what_is_left_falls_to_nothing() -> None:
    """The estimate of trials to come is positive until the end and near the truth on the way."""
    search, seen = Search(Rules(factor=1.25), 1_000), []
    while (step := search.next_step()) is not None:
        assert sum(search.left()) > 0
        seen.append(sum(search.left()))
        search.take(() if step.rate <= 1_100 else SLOW)
    assert abs(seen[0] - len(seen)) <= 6
