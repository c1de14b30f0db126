"""`bench load`: what a line stands for, and the words that slips of a first hour get."""

import tomllib
from pathlib import Path

import pytest

from bench.cli.load_work import Line, as_options, document
from bench.scenario.errors import Fault
from bench.scenario.loading import load_scenario
from bench.scenario.reference import schema_text
from tests.bench.cli.test_cli import Bench

HERE = "amqp://127.0.0.1:1"
"""Where nobody answers."""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The command, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BUSBENCH_PASSWORD", raising=False)
    return Bench()


def test_a_line_stands_for_a_scenario(bench: Bench) -> None:
    """`--save` writes it; what was asked for stands in it, and it can be run."""
    words = (
        "--rate",
        "5000",
        "--size",
        "1KiB",
        "--duration",
        "30s",
        "--producers",
        "2",
        "--durable",
        "--kind",
        "rabbitmq",
        "--queue-type",
    )
    result = bench(
        "load", "amqp://ann@h.example:5673/orders", *words, "quorum", "--protocol", "amqp091", "--save", "my.toml"
    )
    assert result.exit_code == 0, result.output
    assert "to run it: bench run my.toml" in result.output
    assert Path("my.toml").read_text().startswith("#:schema ./busbench.schema.json\n")
    assert Path("busbench.schema.json").read_text() == schema_text()
    found = load_scenario("my.toml").scenario
    [broker], [workload] = found.brokers, found.workloads
    assert (broker.name, broker.kind) == ("h.example-5673", "rabbitmq")
    assert (broker.external.host, broker.external.port, broker.external.username) == ("h.example", 5673, "ann")
    assert (broker.external.virtual_host, broker.durable_queue) == ("orders", "quorum")
    assert (workload.size, workload.producers, workload.load.rate, workload.durable) == (1024, 2, 5000, True)
    assert found.plan.warm_up.at_least == found.plan.warm_up.at_most == 10_000_000_000
    assert "exists already" in bench.refused(2, "load", HERE, "--protocol", "amqp10", "--save", "my.toml")


def test_several_brokers_have_names_of_their_own() -> None:
    """By host; the same host at two ports, or twice the same name, are told apart."""
    asked = Line(("amqp://a.example", "amqps://me@a.example/v", "amqp://[::1]:5673"))
    found = document(asked, ["amqp091", "amqp10", "amqp091"])
    assert [one["name"] for one in found["brokers"]] == ["a.example", "a.example-2", "1-5673"]
    assert [(one["kind"], one["driver"]) for one in map(dict.__or__, found["brokers"], found["targets"])] == [
        ("amqp091", "wire091"),
        ("amqp10", "wire10"),
        ("amqp091", "wire091"),
    ]


def test_a_closed_loop_and_queues_that_are_there() -> None:
    """Queues are named once and used by all."""
    found = document(Line(("amqp://h",), in_flight=64, queues=("a", "b")), ["amqp091"])
    assert found["workloads"][0]["load"] == {"kind": "in_flight", "in_flight": [64]}
    assert found["brokers"][0]["external"] == {"host": "amqp://h", "queues": ["a", "b"]}
    assert found["workloads"][0]["queues"] == 2


def test_faults_have_the_names_of_options() -> None:
    """And what two brokers have alike is told once."""
    faults = [
        Fault("workloads.0.load.rate", "a"), Fault("brokers.0.external.host", "b"), Fault("brokers.1.external", "c"),
        Fault("targets.0.driver", "d"), Fault("targets.1.driver", "d"), Fault("workloads.0.prefetch", "e"),
    ]  # fmt: skip
    assert [str(one) for one in as_options(faults)] == [
        "--rate: a", "URI: b", "URI: c", "--driver: d", "workloads.0.prefetch: e",
    ]  # fmt: skip


SLIPS = [
    ((HERE, "--rate", "0"), "--rate: 0"),
    ((HERE, "--rate", "fast"), "Invalid value for '--rate'"),
    ((HERE, "--rate", "5", "--in-flight", "5"), "--rate and --in-flight: each is a load of its own: choose one"),
    ((HERE, "--in-flight", "0"), "--in-flight: 0"),
    ((HERE, "--size", "big"), "--size: 'big' is no size: write bytes, such as 1024"),
    ((HERE, "--size", "16"), "--size: "),
    ((HERE, "--size", "1TiB"), "--size: '1TiB' is no size"),
    ((HERE, "--duration", "30"), "--duration: '30' is no duration: write a number and a unit, such as '500ms'"),
    ((HERE, "--duration", "1500ms"), "--duration: 1.5 s: whole seconds"),
    ((HERE, "--warm-up", "soon"), "--warm-up: 'soon' is no duration"),
    ((HERE, "--producers", "0"), "--producers: 0"),
    ((HERE, "--queue-type", "lazy", "--kind", "rabbitmq"), "--queue-type: 'lazy'"),
    ((HERE, "--queue-type", "quorum"), "--queue-type: kinds of queues are those of a product: name it with --kind"),
    ((HERE, "--kind", "rabbit"), "--kind: 'rabbit' is not an installed product"),
    ((HERE, "--protocol", "mqtt"), "'mqtt' is not one of"),
    ((HERE, "--driver", "wire"), "--driver: "),
    ((HERE, HERE), f"URI '{HERE}' is given twice: name each broker once"),
    (("mqtt://127.0.0.1",), "URI: host is a URI of scheme 'mqtt': write amqp://user@host:port/virtual-host"),
    (("amqp://ann:secret@127.0.0.1:1",), "URI: host holds a password, which has no place in a file"),
    (("amqp://127.0.0.1:1/a/b",), "URI: host names a virtual host with a `/`, which is written %2F"),
    (("amqp://ann@127.0.0.1:1",), "no password for ann at 127.0.0.1: set BUSBENCH_PASSWORD, or run this in a terminal"),
    ((HERE, "--json", "--no-report"), "--json prints what the report says: leave out --no-report"),
    ((HERE, "--search", "--json"), "--json: a search writes search.json, whose path it prints: leave --json out"),
    ((), "Missing argument 'URI...'"),
]


@pytest.mark.parametrize(
    ("words", "said"), SLIPS, ids=lambda given: " ".join(given) if isinstance(given, tuple) else ""
)
def test_slips_of_a_first_hour(bench: Bench, words: tuple[str, ...], said: str) -> None:
    """One message each, under the name of what was typed, with no false one beside it, and nothing is made."""
    told = bench.refused(2, "load", *words)
    assert said in told
    assert told.count("error: ") <= 1
    assert "secret" not in told
    assert not Path("results").exists()


def test_a_saved_load_is_plain_toml(bench: Bench) -> None:
    """What is asked is written as it was asked, sizes with their unit."""
    assert bench("load", HERE, "--protocol", "amqp091", "--size", "4KiB", "--save", "x.toml").exit_code == 0
    read = tomllib.loads(Path("x.toml").read_text())
    assert read["workloads"][0]["size"] == "4KiB"
    assert read["brokers"][0]["external"] == {"host": HERE}


def test_the_version_is_told(bench: Bench) -> None:
    """For a ticket."""
    assert bench("--version").output.startswith("busbench ")
