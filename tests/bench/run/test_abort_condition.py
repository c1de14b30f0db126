"""When a run is hopeless: by the figure of a finished trial, and by what is certain while one runs."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.results.records import Note, TrialOutcome, TrialRecord
from bench.run.abort_condition import Certainty, breach
from bench.run.phases import Phase
from bench.run.trial import Live
from bench.scenario.absolute_limit import AbsoluteLimit, read_condition
from bench.scenario.scenario import Workload
from bench.units import NS_PER_MS, NS_PER_S
from tests.bench.cli.watched import RATE, live
from tests.reports.synthetic import make

SECONDS = 60


def workload(**changes: Any) -> Workload:
    """Return 60 s at the rate of what is watched."""
    return Workload.model_validate(
        {"name": "steady", "duration": f"{SECONDS}s", "load": {"kind": "rate", "rate": RATE}} | changes
    )


def certainty(text: str = "p99>10ms", **changes: Any) -> Certainty:
    """Return what counts for a limit, of a trial of 60 s that does not go on for longer."""
    found = Certainty.of(read_condition(text), workload(**changes), "rabbit", extend=1)
    assert found is not None
    return found


def trial(seconds: float, p50_ms: float, p99_ms: float) -> Iterable[Live]:
    """Yield the measured part of a trial of 1,000 messages a second, ten looks a second."""
    for tick in range(round(10 * seconds) + 1):
        seen = live(tick / 10)
        totals = replace(seen.totals, p50_ns=round(p50_ms * NS_PER_MS), p99_ns=round(p99_ms * NS_PER_MS))
        yield replace(seen, totals=totals)


def hopeless_after_s(found: Certainty, lives: Iterable[Live]) -> float | None:
    """Return when it is told, s after the first look; None where it never is."""
    begun = None
    for one in lives:
        begun = one.at_ns if begun is None else begun
        if found.take(one):
            return (one.at_ns - begun) / NS_PER_S
    return None


def test_a_trial_is_hopeless_as_soon_as_its_percentile_cannot_come_back() -> None:
    """Half of each second over the limit: p99 of 60 s is lost after 1.2 s of that, p90 after 12 s, p50 never before."""
    slow = list(trial(SECONDS, 20, 40))
    p99, p90 = (hopeless_after_s(certainty(f"{name}>10ms"), slow) for name in ("p99", "p90"))
    assert p99 is not None
    assert p90 is not None
    # Two seconds are left to the warm-up, and then whole ones are counted.
    assert 1.2 + 2 <= p99 <= 1.2 + 4
    assert 12 + 2 <= p90 <= 12 + 4
    assert hopeless_after_s(certainty("p50>10ms"), slow) is None
    assert "% of its messages took longer than 10ms already" in next(filter(None, map(certainty().take, slow)), "")


def test_a_trial_that_may_keep_to_its_limit_goes_on() -> None:
    """Below the limit, over it in a hundredth of each second, over it for one second of sixty."""
    assert hopeless_after_s(certainty(), trial(SECONDS, 1, 9)) is None
    assert hopeless_after_s(certainty(), trial(SECONDS, 1, 40)) is None
    once = [*trial(20, 1, 9), *(replace(one, at_ns=one.at_ns) for one in list(trial(21, 20, 40))[201:])]
    assert hopeless_after_s(certainty(), once) is None


def test_a_trial_that_may_go_on_for_longer_takes_longer_to_lose() -> None:
    """Twice its duration at most, and twice as many messages must be slow."""
    found = Certainty.of(read_condition("p90>10ms"), workload(), "rabbit", extend=2)
    assert found is not None
    seen = hopeless_after_s(found, trial(SECONDS, 20, 40))
    assert seen is not None
    assert 24 < seen <= 24 + 4.1


def test_seconds_in_which_the_host_was_away_are_not_counted() -> None:
    """A pause each second, as long as that lasts; then it is told as ever."""
    away = np.array([[0, 0, NS_PER_S // 2]])
    paused = [replace(one, pauses=away) if k % 10 == 5 else one for k, one in enumerate(trial(SECONDS, 20, 40))]
    assert hopeless_after_s(certainty(), paused) is None
    assert hopeless_after_s(certainty(), [*paused[:200], *list(trial(SECONDS, 20, 40))[200:]]) is not None


def test_the_warm_up_is_not_counted() -> None:
    """However slow it is."""
    cold = [replace(one, phase=Phase.WARM_UP) for one in trial(30, 20, 40)]
    assert hopeless_after_s(certainty(), cold) is None


def test_the_slowest_worker_speaks_for_itself_alone() -> None:
    """Of four consuming workers one may be slow: it takes four times as many seconds."""
    many = ({"workers": n, "producers": n, "consumers": n} for n in (1, 4))
    one, four = (hopeless_after_s(certainty("p90>10ms", **of), trial(SECONDS, 20, 40)) for of in many)
    assert one is not None
    assert four is not None
    assert four > 3 * one


@pytest.mark.parametrize("text", ["p99<1ms", "achieved_rate<10", "lost>0", "broker_cpu>1us"])
def test_only_largest_latencies_are_certain_before_the_end(text: str) -> None:
    """The others are asked of the finished trial; so is any figure of a closed loop."""
    assert Certainty.of(read_condition(text), workload(), "rabbit", extend=1) is None
    closed = workload(load={"kind": "in_flight", "in_flight": [4]})
    assert Certainty.of(read_condition("p99>10ms"), closed, "rabbit", extend=1) is None


def record(**changes: Any) -> TrialRecord:
    """Return a trial of 2,000 messages a second with a p99 of about 1.2 ms."""
    found = next(one.record for one in make().trials if one.record.target == "rabbitmq-091")
    return found.model_copy(update=changes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p99>50ms", False),
        ("p99>500us", True),
        ("achieved_rate<1000", False),
        ("achieved_rate<2500", True),
        ("lost>0", False),
        ("broker_rss>1GiB", False),
        ("broker_rss>100MiB", True),
        ("broker_cpu>100us", True),
        ("client_cpu>1ms", False),
    ],
)
def test_a_finished_trial_is_asked_for_its_figure(text: str, *, told: bool) -> None:
    """The words name trial, row and limit."""
    found = breach(record(), [read_condition("p99>1h"), read_condition(text)])
    assert bool(found) is told
    where = f"trial {record().index + 1} (rabbitmq-091, {record().workload})"
    assert found in ("", f"{where} did not keep to {read_condition(text).words}")


def test_an_overloaded_trial_has_no_bound_and_one_that_is_not_trusted_says_nothing() -> None:
    """But one that was aborted says why."""
    limits = [read_condition("p99>1h")]
    assert breach(record(outcome=TrialOutcome.OVERLOADED), limits)
    assert not breach(record(outcome=TrialOutcome.STALLED), [read_condition("p99>1us")])
    aborted = record(outcome=TrialOutcome.ABORTED, reason="hopeless")
    assert breach(aborted, limits).endswith(": hopeless")
    assert not aborted.valid
    ours = (Note(code="send-lag", hard=True, text="We were late."),)
    assert not breach(aborted.model_copy(update={"health": ours}), limits)


def test_a_limit_of_another_row_does_not_matter() -> None:
    """By target and by workload."""
    for field in ("target", "workload"):
        other = AbsoluteLimit.model_validate({"metric": "p99", "at_most": "1us", field: "other"})
        assert not breach(record(), [other])
