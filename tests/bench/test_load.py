"""Scenario files: names, overrides, sweeps, and every fault at once."""

from pathlib import Path

import pytest

from bench.faults import ScenarioError
from bench.load import load_scenario, shipped_scenarios
from bench.scenario import InFlightLoad, MemoryBroker


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
        ("workloads.0.size=31", "workloads.0.size", "31: input should be greater than or equal to 32"),
        ("workloads.0.load.rate=0", "workloads.0.load.rate", "0: input should be greater than 0"),
        ("workloads.0.duration=5", "workloads.0.duration", "write a number and a unit"),
        ("workloads.0.duration='500ms'", "workloads.0", "whole seconds"),
        ("workloads.0.sise=100", "workloads.0.sise", "did you mean 'size'?"),
        ("workloads.0.ack_batch=2000", "workloads.0", "at most the prefetch"),
        ("workloads.0.queues=2", "workloads.0", "each needs a producer and a consumer"),
        ("workloads.0.load.kind=firehose", "workloads.0.load", "'rate', 'in_flight'"),
        ("brokers.broker-j.store=memory", "brokers.1.store", "keeps nothing"),
        ("brokers.broker-j.durable_queue=quorum", "brokers.1.durable_queue", "belongs to RabbitMQ"),
        ("brokers.rabbitmq.store=bdb", "brokers.0.store", "belongs to Broker-J"),
        ("brokers.rabbitmq.memory='1MiB'", "brokers.0.memory", "greater than or equal to"),
        ("brokers.rabbitmq.place=external", "brokers.0", "the table `external`"),
        ("brokers.rabbitmq.name=broker-j", "brokers", "stands 2 times"),
        ("targets.0.broker=nobody", "targets.0.broker", "there are rabbitmq, broker-j"),
        ("targets.0.driver=proton", "targets.0.driver", "choose pika"),
        ("targets.0.driver=carrot", "targets.0.driver", "is no driver"),
        ("quick.workloads=['x']", "quick.workloads", "there are steady, durable, in-flight"),
        ("plan.repetitions=0", "plan.repetitions", "greater than or equal to 1"),
        ("workloads.nine.size=100", "--set", "there are steady, durable, in-flight"),
        ("nonsense", "--set", "write PATH=VALUE"),
    ],
)
def test_one_fault_one_message(override: str, path: str, words: str) -> None:
    """Each fault is told once, under the path the user wrote, with what is allowed."""
    found = faults("rabbitmq-vs-qpid", override)
    assert [text for text in found if text.startswith(f"{path}: ") and words in text], found
    assert len(found) == 1 or "name=broker-j" in override, found


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


def test_quick_changes_what_it_says() -> None:
    """`--quick` keeps two workloads, three repetitions of 5 s, and starts each broker once."""
    scenario = load_scenario("rabbitmq-vs-qpid", quick=True).scenario
    assert [workload.name for workload in scenario.workloads] == ["steady", "durable"]
    assert {workload.duration for workload in scenario.workloads} == {5_000_000_000}
    assert (scenario.plan.repetitions, scenario.plan.restart) == (3, "run")


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
    assert "--driver" in faults("smoke", driver="pika")[0]
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
