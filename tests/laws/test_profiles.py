"""Rates that change: the n-th time is the inverse of the cumulative rate, whoever asks, in whatever stripes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bench.arrivals.cumulative import Cumulative, Piece
from bench.arrivals.schedule import Constant, Poisson, Profiled, Schedule, Stripe
from bench.loadgen.source import ProfiledLoop
from bench.run.memory_trial import run_inline
from bench.run.merge import merge_accounts
from bench.run.worker_assignment import profiled, schedule
from bench.scenario.profile import Burst, Profile, Ramp, Steps, cumulative
from bench.scenario.scenario import MemoryBroker, Plan, RateLoad, WarmUp, Workload
from bench.units import NS_PER_S
from tests.examples import examples

RAMP = {"kind": "ramp", "begin": 500, "end": 4_000}
STEPS = {
    "kind": "steps",
    "steps": [{"rate": 1_000, "length": "1s"}, {"rate": 0, "length": "500ms"}, {"rate": 3_000, "length": "1s"}],
}
BURST = {"kind": "burst", "on": "300ms", "off": "700ms", "rate": 2_000}
SLOWER = {**BURST, "rate_off": 100}
PROFILES = [RAMP, {**RAMP, "begin": 4_000, "end": 0}, STEPS, BURST, SLOWER]
DURATION_NS = 5 * NS_PER_S

rates = st.one_of(st.just(0.0), st.floats(0.5, 1e5))
pieces = st.lists(st.builds(Piece, st.integers(1_000_000, 3 * NS_PER_S), rates, rates), min_size=1, max_size=6).filter(
    lambda made: any(piece.begin + piece.end > 0 for piece in made)
)

pytestmark = pytest.mark.compiled


def read(profile: dict[str, object]) -> Ramp | Steps | Burst:
    """Return a profile as a scenario has it."""
    adapter: TypeAdapter[Ramp | Steps | Burst] = TypeAdapter(Profile)
    return adapter.validate_python(profile)


def integral(made: list[Piece], at_ns: float) -> float:
    """Return the messages before an instant by walking from piece to piece: trapezia, each cut where the instant is."""
    total, left = 0.0, at_ns
    while left > 0:
        for length_ns, begin, end in made:
            part = min(left, length_ns)
            rate = begin + (end - begin) * part / length_ns
            total += (begin + rate) / 2 * part / NS_PER_S
            left -= part
            if left <= 0:
                break
    return total


@given(pieces, st.floats(0, 2e10))
def test_the_count_is_the_integral_of_the_rate(made: list[Piece], at_ns: float) -> None:
    """Λ(t) is the area under the rate until t, over as many rounds as it takes."""
    [found] = Cumulative(made).count(np.array([at_ns]))
    assert found == pytest.approx(integral(made, at_ns), rel=1e-9, abs=1e-6)


@given(pieces, st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_the_time_is_the_inverse_of_the_count(made: list[Piece], numbers: list[float]) -> None:
    """Λ(Λ⁻¹(n)) = n, and later messages never come earlier."""
    law, wanted = Cumulative(made), np.sort(np.array(numbers))
    times = law.times(wanted)
    assert (np.diff(times) >= 0).all()
    # A time is a double: what one of its steps is worth in messages is as near as one can come.
    grain = np.spacing(times) * max(max(piece.begin, piece.end) for piece in made) / NS_PER_S
    assert (np.abs(law.count(times) - wanted) <= 1e-9 * wanted + 4 * grain + 1e-6).all()


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_as_many_messages_are_due_as_the_integral_says(profile: dict[str, object]) -> None:
    """At any instant the number of intended times before it is Λ, rounded up, over the whole measured part."""
    law = cumulative(read(profile), DURATION_NS)
    made = list(read(profile).pieces(DURATION_NS))
    times = Profiled(Constant(NS_PER_S), 700, law, 2 * NS_PER_S).times(0, 40_000) - 2 * NS_PER_S
    for at_ns in np.linspace(1, DURATION_NS, 97):
        due = int((times < at_ns).sum()) - 1_400
        assert abs(due - integral(made, float(at_ns))) <= 1


def test_a_ramp_has_its_closed_form() -> None:
    """From a to b over D: t_n = D (√(a² + 2n(b - a)/D) - a) / (b - a), and (a + b) D / 2 messages in all."""
    times = Profiled(Constant(NS_PER_S), 500, cumulative(read(RAMP), DURATION_NS)).times(0, 11_251)
    n = np.arange(11_251)
    expected = 5 * (np.sqrt(500**2 + 2 * n * 3_500 / 5) - 500) / 3_500 * NS_PER_S
    assert np.abs(times - expected).max() <= 1
    assert (times < DURATION_NS).sum() == (500 + 4_000) * 5 // 2


def test_steps_have_their_closed_form() -> None:
    """Message k of a step with rate r that begins at s is due at s + k / r; the last step lasts on."""
    times = Profiled(Constant(NS_PER_S), 1, cumulative(read(STEPS), DURATION_NS)).times(0, 11_500)
    assert times[:1_000].tolist() == [k * 1_000_000 for k in range(1_000)]
    assert times[1_000:].tolist() == [1_500_000_000 + round(k * NS_PER_S / 3_000) for k in range(10_500)]
    assert times[-1] < DURATION_NS


def test_shortened_steps_keep_their_shares() -> None:
    """A shorter measured part, as `--quick` makes it, shortens all steps alike."""
    lengths = [piece.length_ns for piece in read(STEPS).pieces(NS_PER_S)]
    assert lengths == [NS_PER_S * 2 // 5, NS_PER_S // 5, NS_PER_S * 2 // 5]


def test_bursts_have_their_closed_form() -> None:
    """Silent between bursts of m messages: message n is the (n mod m)-th of burst n div m."""
    times = Profiled(Constant(NS_PER_S), 1, cumulative(read(BURST), DURATION_NS)).times(0, 3_000)
    assert times.tolist() == [n // 600 * NS_PER_S + n % 600 * 500_000 for n in range(3_000)]


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_a_warped_poisson_process_has_the_mean_and_variance_of_its_integral(profile: dict[str, object]) -> None:
    """Counts of a stretch over 400 seeds: mean and variance are Λ, within 4 standard errors."""
    law = cumulative(read(profile), DURATION_NS)
    window = law.count(np.array([0.2e9, 2.8e9]))
    expected = float(window[1] - window[0])
    enough = int(window[1]) + 1_000
    counts = []
    for seed in range(400):
        times = Profiled(Poisson(NS_PER_S, seed), 1, law).times(0, enough)
        counts.append(int(((times >= 0.2e9) & (times < 2.8e9)).sum()))
    assert np.mean(counts) == pytest.approx(expected, abs=4 * np.sqrt(expected / 400))
    assert np.var(counts, ddof=1) == pytest.approx(expected, rel=4 * np.sqrt(2 / 399))


def load_of(profile: dict[str, object], arrivals: str) -> RateLoad:
    """Return a load with a profile."""
    return RateLoad.model_validate({"kind": "rate", "rate": 800, "arrivals": arrivals, "profile": profile})


class Told:
    """Where a loop learns when the measured part begins."""

    def __init__(self) -> None:
        """Tell nothing yet."""
        self.begin_ns = 0

    def measured_ns(self) -> int:
        """Return what is known."""
        return self.begin_ns


@settings(max_examples=examples(0.6))
@given(
    st.sampled_from(PROFILES),
    st.sampled_from(["constant", "poisson"]),
    st.integers(1, 4),
    st.lists(st.integers(1, 900_000_000), min_size=2, max_size=12),
    st.integers(0, 1_999_999_999),
)
def test_any_stripes_give_the_whole_whenever_they_are_told(
    profile: dict[str, object], arrivals: str, workers: int, looks: list[int], told_ns: int
) -> None:
    """Workers that learn at any time before the measured part that it begins at 2 s send the schedule's times."""
    start_ns, begin_ns = 10_000, 2 * NS_PER_S
    work = Workload(name="w", load=load_of(profile, arrivals), duration="5s")
    whole = profiled(work, 3, begin_ns)
    taken = []
    for worker in range(workers):
        told = Told()
        stripe = Stripe(schedule(load_of(profile, arrivals), 3), start_ns, worker, workers)
        loop = ProfiledLoop(stripe, told, after(start_ns, lambda at_ns: profiled(work, 3, at_ns)))
        for look in [*np.cumsum(looks).tolist(), 6 * NS_PER_S]:
            told.begin_ns = start_ns + begin_ns if look >= told_ns else 0
            taken.append(loop.take(loop.due(start_ns + min(look, 6 * NS_PER_S), 1 << 62), 0))
    times = np.sort(np.concatenate(taken)) - start_ns
    expected = whole.times(0, len(times) + 1)
    assert (times == expected[:-1]).all()
    assert expected[-1] > 6 * NS_PER_S


def after(start_ns: int, of: Callable[[int], Schedule]) -> Callable[[int], Schedule]:
    """Return a schedule's maker that is told an instant instead of the time since the start."""
    return lambda at_ns: of(at_ns - start_ns)


@pytest.mark.compiled
@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_a_trial_offers_what_its_profile_says(profile: dict[str, object], arrivals: str) -> None:
    """The whole path on virtual time: every tick offers, every message is sent at, what the profile has due."""
    work = Workload(name="w", load=load_of(profile, arrivals), duration="5s", confirm_window=0)
    plan = Plan(warm_up=WarmUp().model_copy(update={"settle": NS_PER_S // 2}))
    script = MemoryBroker(name="m", kind="memory", capacity=1_000_000)
    account, control, *_ = run_inline(work, script, plan, 5, ("q",))
    assert control.measured_ns is not None
    begin_ns = control.measured_ns - control.start_ns
    assert begin_ns == NS_PER_S
    due = profiled(work, 5, begin_ns).times(0, 40_000)
    due = due[due < begin_ns + DURATION_NS]
    measure = range(control.measure_from_s, control.measure_to_s)
    merged = merge_accounts([account], measure, confirms=False, drained=control.drained, due=due)
    ticks = np.bincount(due // 100_000_000, minlength=len(merged.ticks["sent"]))
    assert (merged.ticks["sent"] == ticks).all()
    assert merged.latencies["send_lag"].sum_ns == merged.latencies["backpressure"].sum_ns == 0
    assert merged.little is not None
    assert merged.little.holds
    spread = 4 * np.sqrt(work.due_by(DURATION_NS)) if arrivals == "poisson" else 1
    assert abs(merged.offered - work.due_by(DURATION_NS)) <= spread
    assert work.mean_rate == pytest.approx(work.due_by(DURATION_NS) / 5)
