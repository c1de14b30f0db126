"""The generic kinds measure brokers that nothing is known of: the relay over both protocols, Artemis by named queues.

Whole runs by the command, in its own process: what is judged is that they are measured, not how fast they are.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.ceiling.measure import relay
from bench.cli.main import app
from bench.results.archive import Run, read
from brokers.base import Broker
from tests.live.driver_exchange import channel, credentials, queue

SCENARIO = """
name = "generic"
title = "Anybody's"
question = "Is a broker measured that nothing is known of?"
[plan]
repetitions = 1
restart = "run"
warm_up = {{ at_least = "1s", window = "1s", settle = "500ms", at_most = "1s" }}
[[brokers]]
name = "mine"
kind = "{kind}"
external = {{ host = "{uri}"{more} }}
[[targets]]
name = "mine"
broker = "mine"
protocol = "{kind}"
driver = "{driver}"
[[workloads]]
name = "steady"
duration = "1s"
load = {{ kind = "rate", rate = 500 }}
[[workloads]]
name = "closed"
duration = "1s"
# Half of what may be in flight: then receipts bind as well as confirms.
confirm_window = 8
load = {{ kind = "in_flight", in_flight = [16] }}
"""


def bench(*words: str) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def scenario(folder: Path, kind: str, uri: str, more: str = "") -> str:
    """Write a scenario for one broker; return its path."""
    driver = {"amqp091": "wire091", "amqp10": "wire10"}[kind]
    file = folder / "generic.toml"
    file.write_text(SCENARIO.format(kind=kind, uri=uri, driver=driver, more=more))
    return str(file)


def measured(folder: Path, file: str, *words: str) -> Run:
    """Run it; return what came of it, each message accounted for."""
    result = bench("run", file, "--out", str(folder / "run"), *words)
    assert result.exit_code in {0, 3}, result.output  # 3: a busy host made a trial invalid
    found = read(folder / "run")
    assert [trial.record.outcome for trial in found.trials] == ["completed"] * 2
    for trial in found.trials:
        assert trial.record.ledger.balanced
        assert trial.record.ledger.received == trial.record.ledger.sent > 100
    return found


@pytest.fixture(scope="module")
def relayed() -> Iterator[int]:
    """The port of a relay."""
    with relay() as port:
        yield port


@pytest.mark.parametrize("kind", ["amqp10", pytest.param("amqp091", marks=pytest.mark.soak)])
def test_a_broker_of_no_work_is_measured(kind: str, relayed: int, tmp_path: Path) -> None:
    """Steady and in a closed loop, by its URI; what was probed, and what is not known, stands in the record."""
    found = measured(tmp_path, scenario(tmp_path, kind, f"amqp://me@127.0.0.1:{relayed}"))
    broker = found.trials[0].record.broker
    # Nobody holds tokens back: in 5 ms alone 16 messages would be 3,200 a second.
    assert max(trial.record.achieved_rate for trial in found.trials) > 4_000
    # The relay takes a link without an address, for messages that name theirs.
    told = {"amqp091": "yes (confirm.select was answered)", "amqp10": "yes (it takes deliveries that are not settled)"}
    assert broker.reported["confirms"].startswith(told[kind])
    assert broker.reported["max message"].startswith("not known")
    assert broker.labels == ("store not fresh",)
    assert found.record.products["mine"].durable.promises is None


@pytest.mark.parametrize("uris", [1, 2])
def test_one_line_gives_an_answer(uris: int, relayed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the port speaks is found out; the answer stands on the terminal, or is the summary."""
    monkeypatch.chdir(tmp_path)
    where = [f"amqp://{host}:{relayed}" for host in ("127.0.0.1", "localhost")[:uris]]
    words = ("--rate", "500", "--duration", "2s", "--warm-up", "2s")
    if uris == 1:
        result = bench("load", *where, *words)
        assert result.exit_code in {0, 3}, result.output
        assert any(word in result.stdout for word in ("quick look", "left out", "overloaded", "none"))
        assert result.stdout.rstrip().endswith("report.html")
        return
    result = bench("load", *where, *words, "--protocol", "amqp10", "--json", "--quiet")
    assert result.exit_code in {0, 3}, result.output
    found = json.loads(result.stdout)
    assert [target["protocol"] for target in found["targets"]] == ["AMQP 1.0"] * 2
    assert found["trials_finished"] == 2


@pytest.fixture
def let_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Broker], None]:
    """Return what sets the variables by which a broker lets us in."""

    def give(broker: Broker) -> None:
        for name, value in credentials(broker).items():
            monkeypatch.setenv(name, value)

    return give


@pytest.fixture
def orders(artemis: Broker) -> Iterator[str]:
    """A queue that is there."""
    artemis.declare("orders", durable=False)
    yield "orders"
    artemis.delete("orders")


def test_queues_that_the_user_named_are_used_and_stay(
    artemis: Broker, orders: str, tmp_path: Path, let_in: Callable[[Broker], None]
) -> None:
    """Artemis as a stranger's broker over 1.0, where none may be declared; a second run finds the queue as it was."""
    let_in(artemis)
    uri = f"amqp://127.0.0.1:{artemis.endpoint('amqp10').port}"
    file = scenario(tmp_path, "amqp10", uri, f', queues = ["{orders}"]')
    found = measured(tmp_path, file)
    assert artemis.depth(orders) == 0
    assert "no way to ask" in found.record.products["mine"].caveats[0]
    unnamed = bench("run", scenario(tmp_path, "amqp10", uri), "--out", str(tmp_path / "unnamed"))
    assert unnamed.exit_code == 4
    assert "AMQP 1.0 cannot declare a queue" in unnamed.output


def test_a_queue_that_holds_messages_is_refused_unless_it_may_be_consumed(
    rabbitmq: Broker, tmp_path: Path, let_in: Callable[[Broker], None]
) -> None:
    """Nothing is taken out of it before that is said; nor is a results folder made.

    Then it is measured, with CPU time and memory of all that runs below the process of a pid file.
    """
    let_in(rabbitmq)
    (tmp_path / "pid").write_text(f"{min(rabbitmq.pids())}\n")
    with queue(rabbitmq) as name, channel(rabbitmq) as plain:
        plain.basic_publish("", name, b"an order")
        uri = f"amqp://127.0.0.1:{rabbitmq.endpoint('amqp091').port}"
        file = scenario(tmp_path, "amqp091", uri, f', queues = ["{name}"], pid_file = "{tmp_path}/pid"')
        refused = bench("run", file, "--out", str(tmp_path / "run"))
        assert refused.exit_code == 2
        assert (
            f"brokers.0 (mine): queue '{name}' has 1 messages: measuring would consume what is in it" in refused.output
        )
        assert "--consume-existing" in refused.output
        assert not (tmp_path / "run").exists()
        assert rabbitmq.depth(name) == 1
        found = measured(tmp_path, file, "--consume-existing")
        assert rabbitmq.depth(name) == 0
    record = found.trials[0].record
    assert record.broker_usage.cpu_s is not None
    assert record.broker_usage.cpu_s > 0
    assert record.broker.reported["queue kinds"].startswith("not known (queues were named")


def test_what_a_workload_needs_and_a_broker_lacks_is_told_before_the_run(
    qpid_broker_j: Broker, tmp_path: Path, let_in: Callable[[Broker], None]
) -> None:
    """Each thing once, with how it is known."""
    let_in(qpid_broker_j)
    file = scenario(
        tmp_path,
        "amqp091",
        f"127.0.0.1:{qpid_broker_j.endpoint('amqp091').port}",
        ', virtual_host = "default", queues = ["a"]',
    )
    few = ["--set", "workloads.0.queues=2", "--set", "workloads.0.producers=2", "--set", "workloads.0.consumers=2"]
    many = ["--set", "workloads.1.producers=300", "--set", "workloads.1.lanes_per_connection=300"]
    refused = bench("run", file, "--out", str(tmp_path / "run"), *few, *many)
    assert refused.exit_code == 2
    lines = refused.output.splitlines()
    assert any("2 queues are needed, and external.queues names 1" in line for line in lines)
    assert any("lanes_per_connection = 300: over AMQP 0-9-1 the broker takes" in line for line in lines)
    assert not (tmp_path / "run").exists()


def test_what_a_full_queue_refuses_is_not_awaited(
    rabbitmq: Broker, tmp_path: Path, let_in: Callable[[Broker], None]
) -> None:
    """A queue that takes ten messages at most, and a slow consumer: refused is an end, and a page is drawn."""
    let_in(rabbitmq)
    port = rabbitmq.endpoint("amqp091").port
    with channel(rabbitmq) as opened:
        opened.queue_declare("narrow", arguments={"x-max-length": 10, "x-overflow": "reject-publish"})
        more = ', queues = ["narrow"]'
        file = Path(scenario(tmp_path, "amqp091", f"amqp://127.0.0.1:{port}", more))
        slow = file.read_text().replace(
            "[[workloads]]", "[[workloads]]\nconsumer_rate = 100\nprefetch = 1\nack_batch = 1"
        )
        file.write_text(slow)
        result = bench("run", str(file), "--out", str(tmp_path / "run"))
        opened.queue_delete("narrow")
    assert result.exit_code in {0, 3}, result.output
    found = read(tmp_path / "run")
    assert any(trial.record.ledger.refused > 100 for trial in found.trials)
    for trial in found.trials:
        codes = {note.code for note in trial.record.findings}
        assert trial.record.ledger.balanced
        assert trial.record.drained
        assert "not-drained" not in codes
        assert "refused" in codes
    assert (tmp_path / "run" / "report.html").exists()
