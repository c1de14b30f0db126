"""Sweeps of any field: the points they make, their names, and faults under the paths that the user wrote."""

import json
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plan.plan import make_plan
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import load_scenario, what_can_be_set
from bench.scenario.scenario import InFlightLoad, RateLoad, Scenario, Workload
from bench.scenario.sweep import MOST_IN_ALL, MOST_POINTS, expand, trials_words

LOAD: dict[str, Any] = {"kind": "rate", "rate": 10}


def loaded(*overrides: str, quick: bool = False) -> Scenario:
    """Return a scenario whose first workload is called steady."""
    return load_scenario("rabbitmq-vs-qpid", overrides, quick=quick).scenario


def points(*overrides: str, quick: bool = False) -> list[Workload]:
    """Return what steady becomes."""
    return [one for one in loaded(*overrides, quick=quick).workloads if "steady" in (one.name, one.part_of)]


def faults(*overrides: str) -> list[str]:
    """Return the faults of the scenario as a user reads them."""
    with pytest.raises(ScenarioError) as caught:
        loaded(*overrides)
    return [str(fault) for fault in caught.value.faults]


def expanded(**fields: Any) -> list[dict[str, Any]]:
    """Return the tables that a workload becomes."""
    found = expand({"workloads": [{"name": "w", "load": LOAD} | fields]})
    assert not found.faults
    return list(found.document["workloads"])


def test_several_sweeps_make_their_full_product() -> None:
    """In the order of the file, each point with a readable name, the whole that it is part of, and its values."""
    found = points("workloads.steady.size={sweep=[32, '1KiB']}", "workloads.steady.prefetch={sweep=[64, 100]}")
    assert [(one.name, one.size, one.prefetch) for one in found] == [
        ("steady-32b-p64", 32, 64),
        ("steady-32b-p100", 32, 100),
        ("steady-1kib-p64", 1024, 64),
        ("steady-1kib-p100", 1024, 100),
    ]
    assert {one.part_of for one in found} == {"steady"}
    assert found[2].at == {"size": 1024, "prefetch": 64}
    assert [Workload.model_validate_json(one.model_dump_json()) for one in found] == found


def test_a_list_of_rates_or_bounds_is_a_sweep() -> None:
    """Both forms make the same workloads; those of a bare list are called by the number alone."""
    lists = points("workloads.steady.load.rate=[100, 2500.5]")
    assert lists == points("workloads.steady.load.rate={sweep=[100, 2500.5]}")
    assert [(one.name, one.load.rate) for one in lists if isinstance(one.load, RateLoad)] == [
        ("steady-100", 100.0), ("steady-2500.5", 2500.5),
    ]  # fmt: skip
    closed = points("workloads.steady.load={kind='in_flight', in_flight=[1, 16]}")
    assert closed == points("workloads.steady.load={kind='in_flight', in_flight={sweep=[1, 16]}}")
    assert [one.load.in_flight for one in closed if isinstance(one.load, InFlightLoad)] == [(1,), (16,)]
    assert [one.at for one in closed] == [{"load.in_flight": 1}, {"load.in_flight": 16}]


def test_a_sweep_of_one_is_none() -> None:
    """The workload keeps its name and says of no field that it is swept."""
    assert points("workloads.steady.size={sweep=[64]}") == points("workloads.steady.size=64")
    assert points("workloads.steady.load.rate=[64]") == points("workloads.steady.load.rate=64")


def test_fields_that_the_models_do_not_know_can_be_swept() -> None:
    """At any depth, in tables and in lists of tables: what is new to the models needs nothing more."""
    made = expanded(keys={"count": {"sweep": [1, 1000]}}, flows=[{"size": 1}, {"size": {"sweep": [1, 2]}}])
    assert [one["at"] for one in made] == [
        {"keys.count": count, "flows.1.size": size} for count, size in product([1, 1000], [1, 2])
    ]
    assert [(one["keys"]["count"], one["flows"][1]["size"]) for one in made] == [(1, 1), (1, 2), (1000, 1), (1000, 2)]
    assert expanded(flows=[{"load": {"kind": "rate", "rate": [1, 2]}}])[1]["at"] == {"flows.0.load.rate": 2}


def test_whole_tables_and_mixes_are_values_too() -> None:
    """A point then holds the table as TOML, and a number in its name."""
    loads = "[{kind='rate', rate=5}, {kind='in_flight', in_flight=4}]"
    found = points(f"workloads.steady.load={{sweep={loads}}}", "workloads.steady.size={sweep=[64, [{size=100}]]}")
    assert [one.name for one in found] == ["steady-64b-l1", "steady-64b-l2", "steady-s2-l1", "steady-s2-l2"]
    assert found[3].at == {"size": '[{"size" = 100}]', "load": '{"kind" = "in_flight", "in_flight" = 4}'}
    assert [(one.closed, one.size) for one in found] == [(False, 64), (True, 64), (False, 100), (True, 100)]


WORDS = st.sampled_from(["size", "prefetch", "producers", "durable", "received_at", "spin", "ack_batch", "load.x"])
VALUES = st.one_of(
    st.booleans(), st.integers(-9, 10**12), st.floats(allow_nan=False), st.text(max_size=40), st.lists(st.integers())
)


def identity(value: object) -> str:
    """Return a text that tells values apart as TOML does."""
    return f"{type(value).__name__} {value!r}"


@given(
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,27}", fullmatch=True),
    st.dictionaries(WORDS, st.lists(VALUES, min_size=2, max_size=4, unique_by=identity), min_size=1, max_size=3),
)
def test_names_are_short_unique_and_names(base: str, fields: dict[str, list[Any]]) -> None:
    """Of whatever values: at most 32 characters, as folders and records allow; at last points are numbered."""
    found = expand({"workloads": [{"name": base} | {field: {"sweep": values} for field, values in fields.items()}]})
    if any("stands there twice" in fault.text for fault in found.faults):
        return  # 0.0 and -0.0
    names = [one["name"] for one in found.document["workloads"]]
    assert not found.faults
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,31}", name) for name in names)
    assert all(one["part_of"] == base for one in found.document["workloads"])
    assert json.dumps([one["at"] for one in found.document["workloads"]])


def test_names_become_shorter_where_they_must() -> None:
    """Words, then their numbers, then the points' numbers."""
    kinds = {"durable": {"sweep": [False, True]}, "received_at": {"sweep": ["kernel", "read"]}}
    assert expanded(**kinds)[0]["name"] == "w-no-durable-kernel"
    assert expanded(**kinds, name="w" * 20)[0]["name"] == f"{'w' * 20}-d0-ra1"
    assert [one["name"] for one in expanded(**kinds, name="w" * 27)] == [f"{'w' * 27}-{n}" for n in (1, 2, 3, 4)]


def test_every_fault_is_told_at_once_where_the_user_wrote_it() -> None:
    """Of each value by its place, of what points forbid once, and of sweeps that are none."""
    found = faults(
        "workloads.steady.size={sweep=[32, 11]}",
        "workloads.steady.prefetch={sweep=[10, 100]}",
        "workloads.steady.load.rate=[1, 2, 0]",
        "workloads.durable.size={sweep=[]}",
        "workloads.durable.prefetch={sweep=5}",
        "workloads.durable.ack_batch={sweep=[1, 2], x=3}",
        "workloads.in-flight.producers={sweep=[1, 1]}",
        "workloads.in-flight.sise={sweep=[1, 2]}",
    )
    assert sorted(found) == [
        "workloads.0.load.rate.2: 0: input should be greater than or equal to 0.001",
        "workloads.0.size.sweep.1: 11: input should be greater than or equal to 12",
        "workloads.0: ack_batch = 64: at most the prefetch (10), or no acknowledgement is ever due: add ack_batch = 10",
        "workloads.1.ack_batch: a sweep is a table of `sweep` alone: leave out x",
        "workloads.1.prefetch: sweep = 5: give a list of the values to try, such as [1, 10, 100]",
        'workloads.1.size: {"sweep" = []}: name one value, or a list of at least one',
        "workloads.2.producers.sweep.1: 1 stands there twice: the values of a sweep must differ",
        "workloads.2.sise.sweep.0: no such field: did you mean 'size'?",
        "workloads.2.sise.sweep.1: no such field: did you mean 'size'?",
    ]


def test_what_takes_two_parts_of_a_file_is_checked_at_each_point() -> None:
    """A value that a driver, or a broker's store, cannot do is named by its place."""
    shared = faults("workloads.steady.lanes_per_connection={sweep=[1, 2]}", "targets.0.driver=pika")
    assert [fault.partition(": ")[0] for fault in shared] == ["workloads.0.lanes_per_connection.sweep.1"]
    kept = faults(
        "brokers.broker-j.store=memory",
        "workloads=[{name='a', load={kind='rate', rate=1}, durable={sweep=[false, true]}}]",
        "quick.workloads=['a']",
    )
    assert len(kept) == 1
    assert "keeps nothing" in kept[0]


def test_points_are_bounded() -> None:
    """Too many are one fault, which says how they come about."""
    most = list(range(MOST_POINTS))
    assert len(expanded(size={"sweep": most})) == MOST_POINTS
    [fault] = expand({"workloads": [{"name": "w", "size": {"sweep": [*most, -1]}, "x": {"sweep": [1, 2]}}]}).faults
    assert str(fault) == (
        "workloads.0: its sweeps make 202 points (101 of size × 2 of x): at most 100, so give fewer values"
    )


def test_points_of_a_file_are_bounded() -> None:
    """Many sweeps are as many points as one that is too large."""
    one = {"size": {"sweep": list(range(MOST_POINTS))}}
    found = expand({"workloads": [{"name": f"w{n}", **one} for n in range(12)]})
    assert [fault.path for fault in found.faults] == ["workloads.10", "workloads.11"]
    assert len(found.document["workloads"]) == MOST_IN_ALL + 2


def test_names_of_points_meet_no_others() -> None:
    """Neither those of other workloads nor those of other sweeps; names given twice are told as such."""
    sizes = "workloads.steady.size={sweep=[32, 64]}"
    assert "workloads: a sweep makes 'steady-64b', which occurs 2 times: names must differ" in faults(
        sizes, "workloads.durable.name=steady-64b"
    )
    found = faults(sizes, "workloads.in-flight.name=steady")
    assert found == ["workloads: 'steady' occurs 2 times: names must differ"]
    assert faults("workloads.0.at={size=1}") == [
        "workloads.0.at: it is never given: leave it out, or give a field { sweep = [...] }"
    ]


def test_quick_limits_and_only_take_the_name_of_the_whole() -> None:
    """Quick keeps every point of a workload that it names, and shortens it unless its length is what is swept."""
    sizes = ("workloads.steady.size={sweep=[32, 64]}", "quick.workloads=['steady']")
    only = "workloads.steady.only=['rabbitmq-091']"
    assert [one.only for one in points(sizes[0], only, "quick.workloads=['durable']")] == [("rabbitmq-091",)] * 2
    assert {one.duration // 10**9 for one in points(*sizes, quick=True)} == {5}
    lasting = points("workloads.steady.duration={sweep=['6s', '8s']}", "quick.workloads=['steady']", quick=True)
    assert [one.duration // 10**9 for one in lasting] == [6, 8]
    assert len(points(*sizes, "limits=[{metric='p99', at_most='5ms', workload='steady'}]")) == 2


def test_overrides_sweep_what_had_one_value() -> None:
    """By a table, or by the path of its list; one value takes the sweep away again."""
    table = points("workloads.steady.size={sweep=[32, 64]}")
    assert points("workloads.steady.size.sweep=[32, 64]") == table
    assert points("workloads.steady.size.sweep=[32, 100]", "workloads.steady.size.sweep.1=64") == table
    assert len(points("workloads.steady.size.sweep=[32, 64]", "workloads.steady.size=100")) == 1
    listed = [str(one) for one in what_can_be_set("rabbitmq-vs-qpid", ["workloads.steady.size.sweep=[32, 64]"])]
    assert 'workloads.steady.size={"sweep" = [32, 64]}  (size, ≥ 12, ≤ 67,108,864)' in listed


def test_the_number_of_trials_is_said() -> None:
    """By factors where the plan has all of them; nothing of workloads without a sweep, nor of the rest of a plan."""
    sizes = ("workloads.steady.size={sweep=[32, 64, 100]}", "workloads.steady.durable={sweep=[true, false]}")
    scenario = loaded(*sizes, "workloads.steady.only=['rabbitmq-091', 'rabbitmq-10']")
    planned = [(one.target, one.workload) for one in make_plan(scenario, 1)]
    assert list(trials_words(scenario.workloads, planned)) == [
        "steady: 3 sizes × 2 values of durable × 2 targets × 10 repetitions = 120 trials",
        "in-flight: 4 values of in_flight × 4 targets × 10 repetitions = 160 trials",
    ]
    assert list(trials_words(scenario.workloads, planned[:50])) == []
