"""Scenario files: names, overrides, sweeps, and every fault at once."""

import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.scenario.errors import Fault, ScenarioError
from bench.scenario.loading import SHIPPED, load_scenario, shipped_scenarios
from bench.scenario.scenario import InFlightLoad, MemoryBroker, Scenario


def faults(name: str, *overrides: str, driver: str | None = None) -> list[str]:
    """Return the faults of a scenario, as a user reads them."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(name, overrides, driver=driver)
    return [str(fault) for fault in caught.value.faults]


def test_every_shipped_scenario_loads() -> None:
    """Each shipped file is sound, under its own file name."""
    names = [scenario.name for scenario in shipped_scenarios()]
    assert names == sorted(names)
    assert {"rabbitmq-vs-qpid", "smoke", "own-broker"} <= set(names)
    for name in names:
        assert load_scenario(name).scenario.name == name


@pytest.mark.parametrize(
    ("override", "path", "words"),
    [
        ("workloads.0.size=11", "workloads.0.size", "11: input should be greater than or equal to 12"),
        ("workloads.0.load.rate=0", "workloads.0.load.rate", "0: input should be greater than or equal to 0.001"),
        ("workloads.0.duration=5", "workloads.0.duration", "write a number and a unit"),
        ("workloads.0.duration='500ms'", "workloads.0.duration", "whole seconds"),
        ("workloads.0.sise=100", "workloads.0.sise", "did you mean 'size'?"),
        ("workloads.0.ack_batch=2000", "workloads.0", "at most the prefetch"),
        ("workloads.0.queues=2", "workloads.0", "each needs a producer and a consumer"),
        ("workloads.0.load.kind=firehose", "workloads.0.load.kind", "'firehose': choose 'rate', 'in_flight'"),
        ("workloads.0.load.rate=nan", "workloads.0.load.rate", "nan"),
        (
            "workloads.0.load.in_flight=[16]",
            "workloads.0.load.in_flight",
            "RateLoad has no such field, it belongs to InFlightLoad",
        ),
        (
            "workloads.0.load.profile.kind=sine",
            "workloads.0.load.profile.kind",
            "'sine': choose 'ramp', 'steps', 'burst'",
        ),
        ("workloads.0.load.profile={kind='ramp', begin=0, end=0}", "workloads.0.load.profile", "nothing would be sent"),
        (
            "workloads.0.load={kind='rate', rate=[1, 2], profile={kind='ramp', begin=1, end=2}}",
            "workloads.0.load.rate",
            "one rate only",
        ),
        ("workloads.0.load.profile={kind='ramp', end=2}", "workloads.0.load.profile.begin", "missing"),
        (
            "workloads.0.load.profile={kind='steps', steps=[{rate=0, length='1s'}]}",
            "workloads.0.load.profile",
            "give one",
        ),
        ("workloads.0.load.profile={kind='steps', steps=[]}", "workloads.0.load.profile.steps", "at least 1 item"),
        (
            "workloads.0.load.profile={kind='steps', steps=[{rate=1, length='1h'}]}",
            "workloads.0",
            "at most the duration",
        ),
        (
            "workloads.0.load.profile={kind='burst', on='1us', off='1s', rate=9}",
            "workloads.0.load.profile.on",
            "1us: at least 1ms",
        ),
        ("workloads.0.load.late=never", "workloads.0.load.late", "'send' or 'drop'"),
        ("workloads.0.load.late_after='2h'", "workloads.0.load.late_after", "2h: at most 1h"),
        ("workloads.0.size=[]", "workloads.0", "name one size, or a list"),
        ("workloads.0.size=[{size=11}]", "workloads.0.size.0.size", "11: input should be greater than or equal to 12"),
        ("workloads.0.size=[{size=99, weight=0}]", "workloads.0.size.0.weight", "0: input should be greater than 0"),
        ("workloads.0.consumers=[{count=1}, {count=0}]", "workloads.0.consumers.1.count", "0: input should be"),
        (
            "workloads.0.properties.headers.x=[1]",
            "workloads.0.properties.headers.x",
            "[1]: use true or false, a whole number or a text",
        ),
        (
            "workloads.0.properties.message_id='{sq}'",
            "workloads.0.properties",
            "message_id = '{sq}': {sq} stands for nothing: write {seq}",
        ),
        ("workloads.0.sizes=[{size=99}, {size=200}]", "workloads.0", "of several sizes it is the largest"),
        ("workloads.0.consumer_rate=100", "workloads.0", "prefetch = 1000: at most a second's messages (100)"),
        ("workloads.0.restart=run", "workloads.0.restart", "Workload has no such field, it belongs to Plan, Quick"),
        ("workloads.0=5", "workloads.0", "must be a table of fields"),
        ("workloads=5", "workloads", "5: input should be a valid list"),
        ("workloads.in-flight.load.in_flight=[]", "workloads.2.load.in_flight", "a list of at least one"),
        ("workloads.in-flight.load.in_flight=[16, 16]", "workloads.2.load.in_flight.1", "16 stands there twice"),
        ("workloads.0.part_of=curve", "workloads.0.part_of", "never given"),
        ("workloads.in-flight.name=a-name-of-thirty-two-characters.", "workloads.2.name", "at most 32"),
        ("workloads.0.duration=9999999h", "workloads.0.duration", "at most 366 days"),
        ("workloads.0.siz=100", "workloads.0.siz", "did you mean 'size'?"),
        ("brokers=5", "brokers", "5: input should be a valid list"),
        ("brokers.0.kind=kafka", "brokers.0.kind", "'kafka' is not an installed product: choose 'rabbitmq', "),
        ("brokers.0.kind=kafka", "brokers.0.kind", "'memory', or install the package that brings it"),
        ("brokers.0.place=moon", "brokers.0.place", "'moon' is no place: choose sandbox, external, or install"),
        ("brokers.0.place_options.x=y", "brokers.0.place_options.x", "place 'sandbox' has no such: it has none"),
        ("plan.warm_up.at_most=29s", "plan.warm_up", "no shorter than at_least (30s)"),
        ("quick.workloads=[]", "quick.workloads", "at least 1 item"),
        ("quick.duration=1500ms", "quick.duration", "1.5 s: whole seconds"),
        ("workloads.².size=100", "--set", "counted from 0"),
        ("brokers.broker-j.store=memory", "brokers.1.store", "keeps nothing"),
        (
            "brokers.broker-j.durable_queue=quorum",
            "brokers.1.durable_queue",
            "belongs to RabbitMQ: Broker-J has no such setting, its own fields are store, heap_share",
        ),
        (
            "workloads.0.properties.expiration=5",
            "workloads.0.properties.expiration",
            "5: over AMQP 0-9-1 Broker-J takes it for an instant",
        ),
        ("brokers.rabbitmq.store=bdb", "brokers.0.store", "belongs to Broker-J"),
        ("brokers.rabbitmq.memory='1MiB'", "brokers.0.memory", "greater than or equal to"),
        ("brokers.rabbitmq.place=external", "brokers.0", "the table `external`"),
        ("brokers.rabbitmq.name=broker-j", "brokers", "occurs 2 times"),
        ("targets.0.broker=nobody", "targets.0.broker", "it has rabbitmq, broker-j"),
        ("targets.0.driver=proton", "targets.0.driver", "choose wire091, pika"),
        ("targets.0.options.speed=high", "targets.0.options.speed", "has no such option"),
        ("targets.0.driver=carrot", "targets.0.driver", "is no driver"),
        ("quick.workloads=['x']", "quick.workloads", "there are steady, durable, in-flight"),
        ("workloads.0.only=['nobody']", "workloads.0.only", "'nobody' is no target: there are rabbitmq-091"),
        ("workloads.0.load.rate=[1, 0]", "workloads.0.load.rate.1", "0: input should be greater than"),
        ("plan.repetitions=0", "plan.repetitions", "greater than or equal to 1"),
        ("workloads.nine.size=100", "--set", "there are steady, durable, in-flight"),
        ("kind=kind", "kind", "Scenario has no such field, it belongs to"),
        ("memory=memory", "memory", "no such field, it belongs to RabbitMQSettings, QpidBrokerJSettings"),
        ("plan.kind=kind", "plan.kind", "Plan has no such field, it belongs to"),
        ("brokers.0.rabbitmq=1", "brokers.0.rabbitmq", "no such field: the fields are"),
        ("workloads.0.load.rat=1", "workloads.0.load.rat", "did you mean 'rate'?"),
        ("workloads.0.load.in_flight=4", "workloads.0.load.in_flight", "RateLoad has no such field"),
        ("nonsense", "--set", "write PATH=VALUE"),
    ],
)
def test_one_fault_one_message(override: str, path: str, words: str) -> None:
    """Each fault is told once, under the path the user wrote, with what is allowed."""
    found = faults("rabbitmq-vs-qpid", override)
    assert [text for text in found if text.startswith(f"{path}: ") and words in text], found
    assert len(found) == 1 or "name=broker-j" in override, found


def test_lanes_share_a_connection_only_where_the_driver_can() -> None:
    """The field is named, and the drivers that can."""
    shared = "workloads.0.lanes_per_connection=2"
    assert (
        "driver pika opens a connection for each lane: use 1, or driver wire091"
        in faults("rabbitmq-vs-qpid", shared, "targets.0.driver=pika")[0]
    )
    assert load_scenario("rabbitmq-vs-qpid", [shared]).scenario.workloads[0].lanes_per_connection == 2


def test_each_target_has_a_workload() -> None:
    """A target that no workload is for, or none of those that `--quick` keeps, is a fault that names it."""
    only = [f"workloads.{n}.only=['rabbitmq-091']" for n in range(3)]
    assert "workloads: no workload is for target rabbitmq-10, broker-j-091" in faults("rabbitmq-vs-qpid", *only)[0]
    assert "quick.workloads: no workload is for target" in faults("rabbitmq-vs-qpid", *only[:2])[0]
    assert load_scenario("rabbitmq-vs-qpid", only[:1])
    assert load_scenario("rabbitmq-vs-qpid", ["brokers.broker-j.store=memory", "workloads.1.only=['rabbitmq-091']"])


def test_all_faults_at_once() -> None:
    """Faults of fields, of entries and between entries come in one go."""
    found = faults(
        "rabbitmq-vs-qpid",
        "workloads.0.size=1",
        "workloads.1.load.rate=-3",
        "plan.restart=never",
        "targets.3.driver=pika",
        "brokers.9.x=1",
    )
    paths = [text.split(": ")[0] for text in found]
    assert sorted(paths) == [
        "--set", "plan.restart", "targets.3.driver", "workloads.0.size", "workloads.1.load.rate",
    ]  # fmt: skip


def test_syntax_and_files(tmp_path: Path) -> None:
    """Missing files, broken TOML and misspelt names are told with the next step."""
    broken = tmp_path / "broken.toml"
    broken.write_text("name = 'x'\nname = 'y'\n")
    assert "line 2" in faults(str(broken))[0]
    assert "No such file" in faults(str(tmp_path / "none.toml"))[0]
    assert "did you mean 'rabbitmq-vs-qpid'?" in faults("rabitmq-vs-qpid")[0]
    assert "Is a directory" in faults(f"{tmp_path}/")[0]
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe4'")
    assert "UTF-8" in faults(str(tmp_path / "latin.toml"))[0]


def test_no_flow_is_called_as_another_in_reports(tmp_path: Path) -> None:
    """Reports call it by its workload and itself: a workload of that name would be one row with it."""
    text = (SHIPPED / "openstack-rpc.toml").read_text(encoding="utf-8")
    more = '[[workloads]]\nname = "plane-call"\nload = { kind = "rate", rate = 1 }\n\n[plan]'
    file = tmp_path / "two.toml"
    file.write_text(text.replace("[plan]", more), encoding="utf-8")
    [found] = faults(str(file))
    assert "workloads.0.flows.0.name: 'call': reports call it 'plane-call', as they call workload 'plane-call'" in found


def test_quick_changes_what_it_says() -> None:
    """`--quick` keeps two workloads, four repetitions of 5 s, and starts each broker once."""
    scenario = load_scenario("rabbitmq-vs-qpid", quick=True).scenario
    assert [workload.name for workload in scenario.workloads] == ["steady", "durable"]
    assert {workload.duration for workload in scenario.workloads} == {5_000_000_000}
    assert (scenario.plan.repetitions, scenario.plan.restart) == (4, "run")


def test_sweeps_become_workloads() -> None:
    """Each bound of a closed loop is a workload of its own."""
    scenario = load_scenario("rabbitmq-vs-qpid").scenario
    bounds = {w.name: w.load.in_flight for w in scenario.workloads if isinstance(w.load, InFlightLoad)}
    assert bounds == {
        "in-flight-16": (16,), "in-flight-64": (64,), "in-flight-256": (256,), "in-flight-1024": (1024,),
    }  # fmt: skip


def test_the_memory_driver_serves_any_scenario() -> None:
    """`--driver memory` puts a scripted broker under every target."""
    scenario = load_scenario("rabbitmq-vs-qpid", driver="memory").scenario
    assert all(isinstance(broker, MemoryBroker) for broker in scenario.brokers)
    assert {target.driver for target in scenario.targets} == {"memory"}


def test_a_driver_that_serves_no_target_is_refused() -> None:
    """A driver of another protocol than every target's is a fault, as is an unknown one."""
    assert "--driver" in faults("smoke", driver="pika-codec")[0]
    assert "is no driver" in faults("smoke", driver="carrot")[0]


def test_overrides_take_toml_or_text() -> None:
    """Values are TOML where they parse as such, text otherwise; entries go by number or name."""
    scenario = load_scenario(
        "smoke", ["workloads.steady.size=64", "title=Another title", "brokers.1.stalls=[]"]
    ).scenario
    assert (scenario.workloads[0].size, scenario.title) == (64, "Another title")
    broker = scenario.brokers[1]
    assert isinstance(broker, MemoryBroker)
    assert broker.stalls == ()


def test_a_resolved_scenario_survives_its_own_json() -> None:
    """What run.json stores parses back to the same scenario."""
    for quick in (False, True):
        scenario = load_scenario("rabbitmq-vs-qpid", quick=quick).scenario
        assert type(scenario).model_validate_json(scenario.model_dump_json()) == scenario


def paths(here: object, way: str = "") -> Iterator[str]:
    """Yield the path of everything in a parsed file."""
    steps = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
    for step, below in steps:
        yield f"{way}{step}"
        yield from paths(below, f"{way}{step}.")


PATHS = [path for file in sorted(SHIPPED.glob("*.toml")) for path in paths(tomllib.loads(file.read_text()))]
VALUES = st.one_of(
    st.sampled_from(
        ["nan", "-inf", "true", "[]", "{}", "[[]]", "[{}]", "{kind='rate'}", "1979-05-27", "''", "-1", "9e99"]
    ),
    st.integers().map(str),
    st.text(max_size=12),
)


@given(
    name=st.sampled_from(["rabbitmq-vs-qpid", "own-broker", "smoke"]),
    changes=st.lists(st.tuples(st.sampled_from(PATHS) | st.text(max_size=8), VALUES), max_size=3),
    quick=st.booleans(),
    driver=st.sampled_from([None, "memory", "pika-codec", "carrot"]),
)
@example(name="smoke", changes=[("kind", "memory"), ("memory", "1")], quick=False, driver=None)
@example(name="smoke", changes=[("workloads.0.size", "9" * 5_000)], quick=False, driver=None)
@example(name="smoke", changes=[("workloads.0.size", "[" * 5_000)], quick=False, driver=None)
def test_whatever_is_written_is_loaded_or_told(
    name: str,
    changes: list[tuple[str, str]],
    quick: bool,  # noqa: FBT001
    driver: str | None,
) -> None:
    """No change to a scenario raises anything but ScenarioError, whose faults are lines of text with a path."""
    overrides = [f"{path}={value}" for path, value in changes]
    told: tuple[Fault, ...] = ()
    names: list[str] = []
    try:
        names = [w.name for w in load_scenario(name, overrides, quick=quick, driver=driver).scenario.workloads]
    except ScenarioError as error:
        told = error.faults
    assert bool(told) != bool(names)
    assert len(set(names)) == len(names)
    assert all(fault.path and fault.text and len(str(fault)) < 500 for fault in told)


@pytest.mark.parametrize("text", ["x = " + "9" * 5_000, "x = " + "[" * 5_000, "x = [1", "\x00"])
def test_hostile_files_are_told(tmp_path: Path, text: str) -> None:
    """Numbers and brackets without end are faults of the file, not of ours."""
    path = tmp_path / "hostile.toml"
    path.write_text(text)
    [told] = faults(str(path))
    assert "is no valid TOML" in told


@pytest.mark.parametrize("path", ["plan.restart", "quick.restart"])
def test_an_external_broker_is_never_restarted(path: str) -> None:
    """Where a broker is not ours to restart, no broker of the run is: all are treated alike."""
    [told] = faults("own-broker", f"{path}=block")
    assert told.startswith(f"{path}: 'block': broker mine is external")


def test_cpus_are_a_number_or_a_list_and_belong_to_one_side() -> None:
    """A CPU of both is told with whose it is; a broker of someone else's is not pinned by us."""
    scenario = load_scenario("rabbitmq-vs-qpid", ["brokers.0.cpus=[3, 2]"]).scenario
    assert scenario.brokers[0].pinned == (2, 3)
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
    (both,) = faults("rabbitmq-vs-qpid", "brokers.0.cpus=[1, 2]", "plan.client_cpus=[0, 1]")
    assert both.startswith("brokers.0.cpus: CPU 1 of broker 'rabbitmq' is in plan.client_cpus too: give brokers and")
    (fault,) = faults("own-broker", "brokers.0.cpus=[0]")
    assert fault.startswith("brokers.0.cpus: [0]: broker ")
    assert fault.endswith("is not started by us: leave it out")


def test_a_faulty_part_is_told_of_once() -> None:
    """What only names a faulty or nameless part is not told of as well."""
    assert [text.split(": ")[0] for text in faults("rabbitmq-vs-qpid", "brokers.0.cpus=0")] == ["brokers.0.cpus"]
    assert [text.split(": ")[0] for text in faults("rabbitmq-vs-qpid", "workloads.0.name=3")] == ["workloads.0.name"]


def test_one_mistake_has_one_message() -> None:
    """A sound plan is known where something else is faulty, so that no false fault of it stands beside."""
    [told] = faults("own-broker", "workloads.0.size=10")
    assert "workloads.0.size" in told
    assert len(faults("own-broker", "workloads.0.size=10", "plan.repetitions=0")) == 2


@pytest.mark.parametrize(
    "key", ["a." * 20_000 + "a = 1", "[" + '"a b".' * 60 + "a]", "x = { " + "1 . " * 50 + "a = 1 }"]
)
def test_a_key_of_thousands_of_parts_is_refused_at_once(key: str, tmp_path: Path) -> None:
    """The parser's time grows with the square of their number."""
    file = tmp_path / "deep.toml"
    file.write_text(key)
    begun = time.process_time()
    with pytest.raises(ScenarioError, match="has a key of 40 parts or more"):
        load_scenario(str(file))
    assert time.process_time() - begun < 1
