"""Plans: seeded, interleaved, counter-balanced, and restarts where the scenario says."""

from collections import Counter
from itertools import groupby

import pytest

from bench.plan.plan import estimate_bytes, estimate_ns, made_up, make_plan, spare
from bench.results.records import RunRecord
from bench.scenario.loading import load_scenario
from bench.scenario.products import describe
from bench.scenario.scenario import Scenario
from bench.units import NS_PER_S


def scenario(*overrides: str) -> Scenario:
    """Return the shipped comparison, changed."""
    return load_scenario("rabbitmq-vs-qpid", overrides, quick=True).scenario


def test_every_block_holds_every_cell_once() -> None:
    """Each repetition runs each target and workload once, numbered in order."""
    made = make_plan(scenario(), 3)
    assert [trial.index for trial in made] == list(range(32))
    for repetition in range(4):
        cells = Counter((t.target, t.workload) for t in made if t.repetition == repetition)
        assert set(cells.values()) == {1}
        assert len(cells) == 8


def test_pairs_are_counter_balanced() -> None:
    """The second block of each pair is the first reversed, which cancels linear drift."""
    made = make_plan(scenario("quick.repetitions=4"), 9)
    order = [[(t.target, t.workload) for t in made if t.repetition == r] for r in range(4)]
    assert order[1] == order[0][::-1]
    assert order[3] == order[2][::-1]
    assert order[2] not in (order[0], order[1])


def test_the_targets_of_a_workload_follow_each_other() -> None:
    """What is compared is measured in the same minutes: a block takes its workloads one after the other."""
    made = make_plan(scenario(), 3)
    for repetition in range(4):
        names = [name for name, _ in groupby(trial.workload for trial in made if trial.repetition == repetition)]
        assert len(names) == len(set(names)) == 2


def test_which_comes_first_is_chance() -> None:
    """Over seeds each workload opens about half of the runs and each target a quarter, and every order occurs."""
    plans = [make_plan(scenario(), seed) for seed in range(400)]
    opening = Counter((plan[0].target, plan[0].workload) for plan in plans)
    assert len(opening) == 8
    assert all(30 <= times <= 75 for times in opening.values())
    assert len({tuple(trial.target for trial in plan[:4]) for plan in plans}) == 24


def test_the_seed_is_the_order() -> None:
    """The same seed gives the same plan, another seed another."""
    assert make_plan(scenario(), 5) == make_plan(scenario(), 5)
    assert make_plan(scenario(), 5) != make_plan(scenario(), 6)


@pytest.mark.parametrize(("restart", "starts"), [("run", 2), ("block", 8), ("trial", 32)])
def test_restarts(restart: str, starts: int) -> None:
    """Brokers start once a run, once a block, or for each trial."""
    made = make_plan(scenario(f"quick.restart={restart}"), 1)
    assert sum(trial.restart_broker for trial in made) == starts
    assert made[0].restart_broker


def test_estimates_grow_with_the_plan() -> None:
    """Twice the repetitions on brokers started once cost less than twice the time: warm-up is paid once."""
    short, long = scenario(), scenario("quick.repetitions=8")
    few, many = make_plan(short, 1), make_plan(long, 1)
    assert estimate_ns(short, few) < estimate_ns(long, many) < 2 * estimate_ns(short, few)
    assert estimate_ns(short, few) > 32 * 5 * NS_PER_S
    assert estimate_bytes(long, many) == 2 * estimate_bytes(short, few)


def test_a_workload_for_some_targets_is_planned_for_them_only() -> None:
    """Three of four cells of the workload are gone, the others stay."""
    made = make_plan(scenario('workloads.durable.only=["rabbitmq-10"]'), 3)
    assert {trial.target for trial in made if trial.workload == "durable"} == {"rabbitmq-10"}
    assert len({trial.target for trial in made if trial.workload == "steady"}) == 4
    assert [trial.index for trial in made] == list(range(20))


def run_of(planned: Scenario) -> RunRecord:
    """Return a run of a scenario in which nothing was done yet."""
    return RunRecord(
        run_id="r", started_utc="2026-01-01T00:00:00Z", mode="full", scenario=planned, seed=3, overrides=(), command="",
        plan=make_plan(planned, 3), tools={}, host={}, images={}, products=describe(planned),
    )  # fmt: skip


def test_a_repetition_is_made_up_for_as_a_whole() -> None:
    """All trials of its workload come once more, under a new number, with brokers started as for any block."""
    full = load_scenario("rabbitmq-vs-qpid", ["plan.repetitions=4", "workloads.2.load.in_flight=[16]"]).scenario
    run = run_of(full)
    more, again = made_up(run, "steady", 1)
    assert len(again) == 4
    assert {one.target for one in again} == {target.name for target in full.targets}
    assert {(one.workload, one.repetition, one.makes_up_for) for one in again} == {("steady", 4, 1)}
    assert [one.index for one in again] == list(range(len(run.plan), len(run.plan) + 4))
    assert sum(one.restart_broker for one in again) == 2
    assert more.plan == (*run.plan, *again)


def test_making_up_has_a_budget() -> None:
    """Of 48 trials half as many may come once more; then a repetition stays as it is. In memory there is no host."""
    full = load_scenario("rabbitmq-vs-qpid", ["plan.repetitions=4", "workloads.2.load.in_flight=[16]"]).scenario
    run = run_of(full)
    assert spare(full, len(run.plan)) == 24
    for repetition in range(6):
        run, again = made_up(run, "steady", repetition % 4)
        assert len(again) == 4
    assert made_up(run, "steady", 0) == (run, [])
    assert spare(load_scenario("smoke").scenario, 100) == 0
