"""The scenario models: frozen, strict about names, exact in their round trip, and what sweeps make of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.scenario.loading import load_scenario, shipped_scenarios
from bench.scenario.scenario import MemoryBroker, Quick, Scenario, WarmUp, Workload
from bench.units import NS_PER_S, format_duration, parse_duration

RATE = {"kind": "rate", "rate": 1}

BOUND = {"kind": "in_flight", "in_flight": 9}


def workload(**fields: object) -> Workload:
    """Return a workload with a name and a load, changed."""
    return Workload.model_validate({"name": "w", "load": RATE} | fields)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("driver", [None, "memory"])
@pytest.mark.parametrize("name", [scenario.name for scenario in shipped_scenarios()])
def test_what_is_run_can_be_read_back(name: str, driver: str | None, quick: bool) -> None:  # noqa: FBT001
    """A resolved scenario goes into run.json and comes back equal, so that a run can be resumed and redrawn."""
    resolved = load_scenario(name, driver=driver, quick=quick).scenario
    assert Scenario.model_validate_json(resolved.model_dump_json()) == resolved


def test_models_are_frozen() -> None:
    """Nothing changes a scenario once it is read."""
    with pytest.raises(ValidationError, match="frozen"):
        workload().size = 64  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"size": 32}, True),
        ({"size": 31}, False),
        ({"ack_batch": 1_000, "prefetch": 1_000}, True),
        ({"ack_batch": 1_001, "prefetch": 1_000}, False),
        ({"queues": 2, "producers": 2, "consumers": 2}, True),
        ({"queues": 2, "producers": 2, "consumers": 1}, False),
        ({"workers": 2, "producers": 4, "consumers": 2}, True),
        ({"workers": 2, "producers": 4, "consumers": 3}, False),
        ({"duration": "1s"}, True),
        ({"duration": "1s 500ms"}, False),
        ({"duration": "1500ms"}, False),
        ({"duration": "0s"}, False),
        ({"load": {"kind": "rate", "rate": 10_000_000}}, True),
        ({"load": {"kind": "rate", "rate": 0}}, False),
        ({"load": {"kind": "in_flight", "in_flight": [1]}}, True),
        ({"load": {"kind": "in_flight", "in_flight": 1}}, True),
        ({"load": {"kind": "in_flight", "in_flight": []}}, False),
        ({"pattern": "topic", "keys": {"key": ["a", "b"]}}, True),
        ({"pattern": "topic", "keys": {"key": ["a", "b"], "count": 3}}, False),
        ({"pattern": "topic", "keys": {"key": ["a", "b"], "exponent": 2}}, False),
        ({"pattern": "topic", "keys": {"key": ["a", "b"], "exponent": 2, "order": "zipf"}}, True),
        ({"spin": "1ms"}, True),
        ({"spin": "1001us"}, False),
        ({"spin": "1us", "load": {"kind": "in_flight", "in_flight": [1]}}, False),
        ({"coalesce": "10ms"}, True),
        ({"coalesce": "11ms"}, False),
        ({"coalesce": "1ms", "load": {"kind": "in_flight", "in_flight": [1]}}, False),
        ({"messages": 1}, True),
        ({"messages": 200_000_001}, False),
        ({"messages": 1, "duration": "1s"}, False),
        ({"messages": 1, "load": RATE | {"late": "drop"}}, False),
        ({"messages": 1, "load": RATE | {"profile": {"kind": "ramp", "begin": 1, "end": 2}}}, False),
        ({"messages": 1, "phases": "enqueue-dequeue"}, False),
        ({"messages": 1, "phases": "enqueue-dequeue", "load": BOUND}, True),
        ({"messages": 0, "phases": "enqueue-dequeue", "load": BOUND}, False),
        ({"messages": 1, "phases": "enqueue-dequeue", "load": BOUND, "confirm_window": 0}, False),
        ({"messages": 1, "phases": "enqueue-dequeue", "load": BOUND, "consumers": 0}, False),
        ({"messages": 1, "phases": "enqueue-dequeue", "load": BOUND, "pattern": "rpc"}, False),
        ({"messages": 1, "phases": "enqueue", "load": BOUND}, False),
        ({"messages": 1, "phases": "enqueue", "load": BOUND, "consumers": 0}, True),
        ({"pattern": "backlog", "load": BOUND}, False),
        ({"pattern": "backlog", "load": BOUND, "messages": 9}, True),
    ],
)
def test_bounds_of_a_workload(fields: dict[str, object], fits: bool) -> None:  # noqa: FBT001
    """The last allowed value passes and the first forbidden one does not."""
    if fits:
        assert workload(**fields)
        return
    with pytest.raises(ValidationError):
        workload(**fields)


def test_a_backlog_is_two_flows_of_which_one_counts() -> None:
    """The backlog ends the trial; new work goes on beside it by its own rate, and counts nothing."""
    found = workload(pattern="backlog", messages=9, new_work=50, load=BOUND, producers=4, consumers=2, queues=2)
    backlog, beside = found.parts()
    assert found.counted == 0
    assert (backlog.messages, backlog.phases, backlog.producers, backlog.queues) == (9, "enqueue-dequeue", 4, 2)
    assert (beside.messages, beside.phases, beside.mean_rate, beside.producers) == (0, "both", 50, 1)
    assert Workload.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("flows", "said"),
    [
        ([{"name": "a", "messages": 1}, {"name": "b", "messages": 1}], "of flows a, b: one may count"),
        ([{"name": "a"}, {"name": "b", "messages": 1}], "flow b must be the first that is not background"),
        ([{"name": "a", "messages": 1}, {"name": "b", "load": {"kind": "in_flight", "in_flight": 1}}], "kind 'rate'"),
    ],
)
def test_one_flow_counts_and_the_others_go_on(flows: list[dict[str, object]], said: str) -> None:
    """A trial ends by one number of messages, and what runs beside must go on until then."""
    with pytest.raises(ValidationError, match=said):
        workload(flows=flows)


def test_a_queue_that_goes_with_its_consumers_is_not_filled_without_them() -> None:
    """They leave while it is filled."""
    topology = {"queues": [{"name": "q", "auto_delete": True}]}
    with pytest.raises(ValidationError, match="goes with its consumers"):
        workload(messages=9, phases="enqueue-dequeue", load=BOUND, keys="q", consume="q", topology=topology)


def test_a_quick_run_counts_fewer_messages() -> None:
    """As many as the scenario says, at most; no duration comes back."""
    full, quick = (load_scenario("backlog", quick=quick).scenario for quick in (False, True))
    assert [one.workloads[0].parts()[0].messages for one in (full, quick)] == [1_000_000, 50_000]
    assert "duration" not in quick.workloads[0].model_dump()


def test_several_misfits_of_a_workload_come_together() -> None:
    """What fields forbid each other is told in one go."""
    with pytest.raises(ValidationError) as caught:
        workload(ack_batch=2, prefetch=1, queues=2)
    assert "ack_batch" in str(caught.value)
    assert "queues" in str(caught.value)


def test_a_warm_up_can_end() -> None:
    """The longest warm-up is no shorter than the least one, nor than the settling of later trials."""
    assert WarmUp.model_validate({"at_least": "5s", "at_most": "5s", "settle": "5s"})
    for shortest in ({"at_least": "6s", "settle": "0s"}, {"at_least": "0s", "settle": "6s"}):
        with pytest.raises(ValidationError, match="no shorter than"):
            WarmUp.model_validate({"at_most": "5s"} | shortest)


def test_defaults_keep_the_rules_of_their_models() -> None:
    """Defaults are not validated when used, so they are here."""
    assert Quick.model_validate_json(Quick().model_dump_json()) == Quick()
    assert WarmUp.model_validate_json(WarmUp().model_dump_json()) == WarmUp()


@given(st.integers(0, 366 * 24 * 3600 * NS_PER_S))
def test_durations_survive_their_text(ns: int) -> None:
    """Text made of a duration is parsed to the same number of nanoseconds."""
    assert parse_duration(format_duration(ns)) == ns


@pytest.mark.parametrize("text", ["", "5", 5, "5 parsecs", "-1s", "1e3s", "nan s", "9" * 400 + "s", "367000h", None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    """A number without a unit, signs, exponents and whatever exceeds a year are faults, never another exception."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_an_unlimited_memory_broker_is_refused() -> None:
    """Capacity is finite: infinity is no number in JSON, so such a run could not be read back."""
    with pytest.raises(ValidationError):
        MemoryBroker(name="m", kind="memory", capacity=float("inf"))


@pytest.mark.parametrize(
    "of_all",
    [
        {"size": [{"size": 100}, {"size": 200}]},
        {"consumers": [{"count": 2}, {"count": 1}]},
        {"pattern": "rpc", "reply_size": 200},
        {"lanes_per_connection": 5},
        {"exclusive_consumer": True, "consumer_arguments": {"x-priority": 1}},
        {
            "exchange": "e", "keys": "k", "consume": "q",
            "topology": {
                "exchanges": [{"name": "e", "type": "direct"}], "queues": [{"name": "q"}],
                "bindings": [{"exchange": "e", "queue": "q", "key": "k"}],
            },
        },
    ],
)  # fmt: skip
def test_connections_that_rest_take_nothing_over_from_the_work(of_all: dict[str, object]) -> None:
    """Whatever the work is, each is a connection, and hears of a queue of its own flow."""
    load = {"kind": "rate", "rate": 10}
    work = Workload.model_validate({"name": "w", "load": load, "idle_connections": 10} | of_all)
    idle = work.parts()[1]
    assert (idle.consumers, idle.lanes_per_connection, idle.size, idle.sizes, idle.groups) == (10, 1, 100, (), ())
    assert (idle.exchange, idle.consume, idle.exclusive_consumer, idle.consumer_arguments) == ("", "", False, {})


def test_what_a_flow_says_singly_replaces_the_list_of_its_workload() -> None:
    """One size for several, a number of consumers for several kinds; what is said of replies is for calls."""
    given = {
        "name": "w", "load": {"kind": "rate", "rate": 10}, "size": [{"size": 100}, {"size": 200}],
        "consumers": [{"count": 2}, {"count": 1}], "reply_size": 300,
        "flows": [{"name": "one", "size": 64, "consumers": 2}, {"name": "call", "pattern": "rpc"}],
    }  # fmt: skip
    one, call = Workload.model_validate(given).parts()
    assert (one.size, one.sizes, one.consumers, one.groups, one.reply_size) == (64, (), 2, (), None)
    assert (call.size, len(call.sizes), call.consumers, len(call.groups), call.reply_size) == (200, 2, 3, 2, 300)


def test_a_flow_keeps_its_own_mix_of_sizes() -> None:
    """A list of sizes that a flow gives is no single size, when it is read again, too."""
    made = workload(flows=[{"name": "mixed", "size": [{"size": 100}, {"size": 4096}]}, {"name": "plain"}])
    for one in (made, Workload.model_validate_json(made.model_dump_json())):
        mixed, plain = one.parts()
        assert [share.size for share in mixed.sizes] == [100, 4096]
        assert mixed.mix(0) is not None
        assert plain.mix(0) is None
        assert (mixed.flow_of, mixed.flow) == (made.name, "mixed")


def test_a_control_plane_is_no_flow() -> None:
    """It stands for flows: as one of several it would be a plain queue without a word."""
    with pytest.raises(ValidationError, match="pattern = 'openstack-rpc': it stands for four"):
        Workload.model_validate(
            {"name": "w", "load": {"kind": "rate", "rate": 10}, "flows": [{"name": "a", "pattern": "openstack-rpc"}]}
        )


@pytest.mark.parametrize("share", ["reject", "requeue"])
def test_calls_are_not_refused(share: str) -> None:
    """A responder answers what it is sent: one that refused it as well would answer twice, or what is gone."""
    with pytest.raises(ValidationError, match="with pattern = 'rpc' every call is answered"):
        Workload.model_validate({"name": "w", "load": {"kind": "rate", "rate": 10}, "pattern": "rpc", share: 0.5})
