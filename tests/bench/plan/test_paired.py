"""Old and new as one scenario, and its plan in ABBA pairs."""

from collections import Counter
from itertools import pairwise

import pytest

from bench.plan.paired import merged, paired_plan
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import load_scenario
from bench.scenario.scenario import Scenario


def loaded(*overrides: str, name: str = "rabbitmq-vs-qpid") -> Scenario:
    """Return a shipped scenario with changes."""
    return load_scenario(name, overrides).scenario


def test_each_side_has_brokers_and_targets_of_its_own() -> None:
    """Targets use their side's brokers, say whom they stand for, and only the changed setting differs."""
    both, paired = merged(loaded(), loaded("brokers.rabbitmq.cpus=1"), 7)
    assert [one.name for one in both.brokers] == ["rabbitmq-base", "broker-j-base", "rabbitmq-new", "broker-j-new"]
    old, new = (both.broker(f"rabbitmq{end}").model_dump() for end in ("-base", "-new"))
    assert {field for field, value in old.items() if value != new[field]} == {"name", "cpus"}
    assert list(paired) == [target.name for target in both.targets]
    for side, its, name in (("baseline", both.targets[:4], "-base"), ("candidate", both.targets[4:], "-new")):
        assert [(one.target, one.broker, one.side) for one in map(paired.get, [one.name for one in its]) if one] == [
            (target.name, target.broker, side) for target in loaded().targets
        ]
        assert all(target.broker == paired[target.name].broker + name for target in its)
    assert len({target.label for target in both.targets}) == len(both.targets) == 8
    assert both.plan.repetitions == 7
    assert Scenario.model_validate(both.model_dump(mode="json")) == both


def test_pairs_run_back_to_back_in_abba_order() -> None:
    """Every two trials are one pair; each odd repetition is the reverse of the one before; all is there once."""
    both, paired = merged(loaded(), loaded(), 6)
    plan = paired_plan(both, paired, 3)
    assert [trial.index for trial in plan] == list(range(len(plan)))
    for first, second in zip(plan[::2], plan[1::2], strict=True):
        assert (first.repetition, first.workload) == (second.repetition, second.workload)
        assert {first.paired, second.paired} == {paired[first.target], paired[second.target]}
        assert first.paired
        assert second.paired
        assert first.paired.target == second.paired.target
        assert {first.paired.side, second.paired.side} == {"baseline", "candidate"}
    blocks = [[(t.target, t.workload) for t in plan if t.repetition == k] for k in range(6)]
    assert all(b == a[::-1] for a, b in list(pairwise(blocks))[::2])
    assert blocks[0] != blocks[2]
    assert set(Counter((t.target, t.workload, t.repetition) for t in plan).values()) == {1}
    assert len(plan) == 6 * len(both.targets) * len(both.workloads)
    assert paired_plan(both, paired, 3) == plan != paired_plan(both, paired, 4)


def test_a_workload_for_some_targets_is_for_both_sides_of_them() -> None:
    """A workload that names its targets runs on their two sides, and on no other."""
    given = loaded("workloads.0.only=['rabbitmq-091']")
    both, paired = merged(given, given, 2)
    chosen = {trial.target for trial in paired_plan(both, paired, 3) if trial.workload == "steady"}
    assert chosen == {"rabbitmq-091-base", "rabbitmq-091-new"}
    assert len(paired_plan(both, paired, 3)) == 2 * (2 + 8 * (len(both.workloads) - 1))
    assert Scenario.model_validate(both.model_dump(mode="json")) == both


def test_brokers_that_we_start_are_restarted_for_each_block() -> None:
    """`run` becomes `block` for our own brokers, and stays for those that someone else runs or that are scripted."""
    restart = "plan.restart=run"
    assert merged(loaded(restart), loaded(restart), 5)[0].plan.restart == "block"
    assert merged(loaded("plan.restart=trial"), loaded("plan.restart=trial"), 5)[0].plan.restart == "trial"
    own = loaded(name="own-broker")
    assert merged(own, own, 5)[0].plan.restart == "run"
    smoke = loaded(restart, name="smoke")
    assert merged(smoke, smoke, 5)[0].plan.restart == "run"


def test_sides_of_unlike_loads_are_refused_with_every_fault() -> None:
    """A size, a target's name and the warm-up that differ are three faults."""
    new = loaded("workloads.steady.size=1024", "targets.0.name=other", "plan.warm_up.settle=3s")
    with pytest.raises(ScenarioError) as caught:
        merged(loaded(), new, 5)
    told = [str(fault) for fault in caught.value.faults]
    assert [one.partition(":")[0] for one in told] == ["workloads.steady", "targets", "plan"]
    assert "size differ" in told[0]
    with pytest.raises(ScenarioError, match="name both alike"):
        merged(loaded(), loaded("workloads.0.name=other", "quick.workloads=['other']"), 5)


def test_a_list_of_rates_is_like_the_same_rates_one_by_one() -> None:
    """What a workload is a part of is no part of its load."""
    given = loaded()
    apart = given.model_copy(
        update={"workloads": tuple(one.model_copy(update={"part_of": "other"}) for one in given.workloads)}
    )
    both, _ = merged(given, apart, 5)
    assert len(both.workloads) == len(given.workloads)


def test_long_names_are_refused() -> None:
    """A target of 28 characters leaves no room for `-base`, and is told where it stands."""
    long = loaded(f"targets.1.name={'x' * 28}")
    with pytest.raises(ScenarioError) as caught:
        merged(long, long, 5)
    assert [fault.path for fault in caught.value.faults] == ["targets.1.name"]
    assert "at most 27 characters" in caught.value.faults[0].text
