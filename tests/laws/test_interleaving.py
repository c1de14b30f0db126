"""Interleaving: what plan and comparison do together on a host whose speed drifts."""

from collections.abc import Callable

import numpy as np
import pytest

from bench.plan.plan import make_plan
from bench.results.records import PlannedTrial
from bench.scenario.loading import load_scenario
from bench.stats.ratio import Pair, Verdict, compare

pytestmark = pytest.mark.compiled


TRIALS = 10
ALPHA = 0.01
RUNS = 1_000
DRIFT, SLOW, FAST = 0.9, 0.05, 0.01
Order = tuple[PlannedTrial, ...]
Plan = Callable[[int], Order]


@pytest.fixture(scope="module")
def interleaved() -> Plan:
    """The plan as it is made for two targets of one workload, ten repetitions each."""
    scenario = load_scenario("smoke", [f"plan.repetitions={TRIALS}"]).scenario
    return lambda seed: make_plan(scenario, seed)


def sequential(plan: Order) -> Order:
    """Return the same trials, all of one target before all of the other."""
    return tuple(sorted(plan, key=lambda trial: (trial.target, trial.repetition)))


def drifting(rng: np.random.Generator, trials: int) -> np.ndarray:
    """Return the logarithms of what a host with AR(1) drift of 5 % and fast noise of 1 % makes of equal trials."""
    level = [rng.normal()]
    for _ in range(trials - 1):
        level.append(DRIFT * level[-1] + np.sqrt(1 - DRIFT**2) * rng.normal())
    return SLOW * np.array(level) + FAST * rng.normal(size=trials)


def measured(order: Order, logs: np.ndarray, effect: float) -> Pair:
    """Return the trial estimates of both targets, by repetition; `calm` is slower by the effect."""
    sides: dict[str, dict[int, float]] = {"calm": {}, "stalling": {}}
    for trial, value in zip(order, logs, strict=True):
        sides[trial.target][trial.repetition] = float(np.exp(value)) * (1 + effect if trial.target == "calm" else 1)
    calm, stalling = ([side[k] for k in range(TRIALS)] for side in sides.values())
    return Pair(calm, stalling)


def rejected(plan: Plan, arrange: Callable[[Order], Order], *, paired: bool, effect: float) -> float:
    """Return the share of runs in which the two targets are told apart at 1 %."""
    rng = np.random.default_rng(20)
    found = 0
    for seed in range(RUNS):
        order = arrange(plan(seed))
        pair = measured(order, drifting(rng, len(order)), effect)
        found += compare(pair, paired=paired, alpha=ALPHA, delta=0).verdict in {Verdict.BETTER, Verdict.WORSE}
    return found / RUNS


def test_all_of_one_before_all_of_the_other_cries_wolf(interleaved: Plan) -> None:
    """Equal targets measured one after the other differ "at 1 %" in about 40 % of runs."""
    assert rejected(interleaved, sequential, paired=False, effect=0) == pytest.approx(0.4, abs=0.06)


def test_interleaved_pairs_keep_the_level(interleaved: Plan) -> None:
    """The same drift under the plan, compared in pairs: about 0.8 % of equal targets differ."""
    assert rejected(interleaved, tuple, paired=True, effect=0) <= 0.008 + 3 * (0.008 * 0.992 / RUNS) ** 0.5


def test_pairs_find_what_means_do_not(interleaved: Plan) -> None:
    """Three percent are found in about 64 % of runs by pairs, and in 14 % where the same trials are not paired."""
    assert rejected(interleaved, tuple, paired=True, effect=0.03) == pytest.approx(0.64, abs=0.06)
    assert rejected(interleaved, tuple, paired=False, effect=0.03) == pytest.approx(0.14, abs=0.05)


def test_ten_percent_are_called_worse_and_one_percent_never() -> None:
    """With 3 % noise within pairs and 10 pairs a 10 % slower broker is worse in 95 %, a 1 % slower one never."""
    rng = np.random.default_rng(10)

    def verdicts(slower: float, runs: int) -> list[Verdict]:
        noise = rng.normal(0, 0.03, (runs, TRIALS))
        slow = rng.lognormal(0, 0.2, (runs, TRIALS))  # what both members of a pair share
        pairs = (
            Pair((both * slower * np.exp(own)).tolist(), both.tolist()) for both, own in zip(slow, noise, strict=True)
        )
        return [compare(pair).verdict for pair in pairs]

    ten = verdicts(1.10, 500)
    assert ten.count(Verdict.WORSE) / 500 >= 0.95
    assert Verdict.BETTER not in ten
    one = verdicts(1.01, 1_000)
    assert Verdict.WORSE not in one
    assert Verdict.BETTER not in one


def test_equal_brokers_are_never_told_apart_where_only_five_percent_matter() -> None:
    """A against A with 3 % noise within 10 pairs: no verdict in 1,000 runs, as the estimate must pass 5 % too."""
    rng = np.random.default_rng(2)
    for noise in rng.normal(0, 0.03, (1_000, TRIALS)):
        found = compare(Pair(np.exp(noise).tolist(), [1.0] * TRIALS))
        assert found.verdict in {Verdict.SAME, Verdict.UNDECIDED}
