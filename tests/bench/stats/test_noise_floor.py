"""The noise floor: what it is of, how large, and when it counts."""

import numpy as np
import pytest

from bench.results.records import NoiseFloor
from bench.scenario.loading import load_scenario
from bench.stats.noise_floor import effects, relevant, sides
from bench.stats.ratio import DELTA, Pair, Verdict, compare


def floor(effect: float, run_id: str = "a-run") -> NoiseFloor:
    """Return a floor of p99 response."""
    return NoiseFloor(
        run_id=run_id, measured_utc="2026-01-01T00:00:00Z", host_class="one", pairs=20, effects={"p99 response": effect}
    )


def pair(rng: np.random.Generator, pairs: int, noise: float) -> Pair:
    """Return two sides that differ by noise alone."""
    return Pair(rng.lognormal(0, noise, pairs).tolist(), rng.lognormal(0, noise, pairs).tolist())


def test_the_floor_is_the_far_end_of_the_interval() -> None:
    """Of all workloads of a metric the largest ratio inside an interval, either way, less 1."""
    two = [Pair([1.1, 1.2, 1.3, 1.2] * 3, [1.0] * 12), Pair([1.0, 0.9] * 6, [1.0] * 12)]
    found = effects({"p99 response": two})["p99 response"]
    assert found == pytest.approx(compare(two[0]).high - 1)
    assert effects({"p99 response": two[1:]})["p99 response"] == pytest.approx(1 / compare(two[1]).low - 1)


def test_few_pairs_make_no_floor() -> None:
    """Nine pairs under any workload leave the metric out."""
    rng = np.random.default_rng(1)
    assert effects({"p99 response": [pair(rng, 20, 0.1), pair(rng, 9, 0.1)]}) == {}
    assert effects({"p99 response": []}) == {}


def test_more_noise_is_a_higher_floor() -> None:
    """Four times the noise is about four times the floor."""
    small, large = (
        np.mean([effects({"m": [pair(np.random.default_rng(k), 20, noise)]})["m"] for k in range(50)])
        for noise in (0.02, 0.08)
    )
    assert 3 < large / small < 5


def test_the_larger_of_floor_and_default_is_relevant() -> None:
    """A floor below 5 % changes nothing; one above counts, with the run that measured it; the largest of several."""
    assert relevant("p99 response") == (DELTA, "the usual one")
    assert relevant("p99 response", [None, floor(0.03)]) == (DELTA, "the usual one")
    assert relevant("achieved rate", [floor(0.3)]) == (DELTA, "the usual one")
    delta, source = relevant("p99 response", [floor(0.08), None, floor(0.2, "noisy")])
    assert delta == 0.2
    assert source == "noise floor of this host, run noisy"


def test_what_noise_does_alone_is_no_verdict_above_its_floor() -> None:
    """On a host of 20 % noise, A/A comparisons at the floor of an earlier run call nothing better or worse."""
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(300):
        delta = effects({"m": [pair(rng, 20, 0.2)]})["m"]
        wrong += compare(pair(rng, 20, 0.2), delta=delta).verdict in {Verdict.BETTER, Verdict.WORSE}
    assert wrong / 300 <= 0.05


def test_the_shipped_scenario_is_a_broker_beside_itself() -> None:
    """Targets a and b are alike; other scenarios compare two things, and a scripted broker has no noise."""
    shipped = load_scenario("noise-floor").scenario
    assert sides(shipped) == ("a", "b")
    other = shipped.targets[1].model_copy(update={"driver": "pika-codec"})
    assert sides(shipped.model_copy(update={"targets": (shipped.targets[0], other)})) is None
    assert sides(load_scenario("noise-floor", driver="memory").scenario) is None
    assert sides(load_scenario("rabbitmq-vs-qpid").scenario) is None
