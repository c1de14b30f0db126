"""What a RabbitMQ of small limits allows is known before the first trial: one broker, seen by all tests here."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.run.preflight import misfits, unfit
from bench.scenario.loading import load_scenario
from bench.scenario.scenario import Scenario
from brokers.base import Broker
from brokers.opening import open_broker
from brokers.rabbitmq import config
from brokers.rabbitmq.settings import RabbitMQSettings
from tests.bench.cli.test_cli import Bench
from tests.live.driver_exchange import credentials

CHANNELS, MESSAGE = 8, 2_000
LIMITS = f"""
channel_max = {CHANNELS}
max_message_size = {MESSAGE}
deprecated_features.permit.transient_nonexcl_queues = false
"""


@pytest.fixture(scope="module")
def limited(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A RabbitMQ that allows little."""
    usual = config.config
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "config", lambda *given: usual(*given) + LIMITS)
        broker = open_broker(
            RabbitMQSettings(name="mine", kind="rabbitmq"), tmp_path_factory.mktemp("limited"), image_root, os.environ
        )
        broker.start()
    yield broker
    broker.stop()


def own(broker: Broker, *changes: str) -> Scenario:
    """Return the shipped scenario for a broker of one's own, at the limited one."""
    port = broker.endpoint("amqp091").port
    found = load_scenario("own-broker", [f"brokers.mine.external.port={port}", *changes]).scenario
    assert found.workloads
    return found


def faults(broker: Broker, *changes: str) -> list[str]:
    """Return what is refused before the run; each fault is one sentence."""
    return list(unfit(own(broker, *changes), credentials(broker), consume_existing=False))


DURABLE = "brokers.mine.transient_queue=durable-classic"


def test_what_fits_passes_and_leaves_nothing(limited: Broker) -> None:
    """Up to the very limit of lanes; no queue of ours stays."""
    assert faults(limited, DURABLE, "workloads.steady.lanes_per_connection=8", "workloads.steady.size=1900") == []
    assert limited.failure() is None


def test_larger_messages_are_refused_by_field_value_and_limit(limited: Broker) -> None:
    """0-9-1 announces no largest message, so one is sent; 1.0 announces it in the attach."""
    [over_091] = faults(limited, DURABLE, "workloads.steady.size=2001", "targets.mine-10.protocol=amqp091",
                        "targets.mine-10.driver=wire091")  # fmt: skip
    assert over_091.startswith("brokers.0 (mine): workloads.steady.size = 2,001 B: over AMQP 0-9-1 the broker refuses")
    assert "larger than configured max size 2000" in over_091
    assert over_091.endswith("make messages smaller, or raise that limit of the broker")
    [over_10] = faults(limited, DURABLE, "workloads.steady.size=2001", "targets.mine-091.protocol=amqp10",
                       "targets.mine-091.driver=wire10")  # fmt: skip
    assert "workloads.steady.size = 2,001 B: over AMQP 1.0 the broker takes messages of 2,000 B at most" in over_10


def test_one_message_a_mistake(limited: Broker) -> None:
    """Though both protocols refuse it; the other field has one of its own."""
    found = faults(limited, DURABLE, "workloads.steady.size=1MiB", "workloads.steady.lanes_per_connection=9")
    assert len(found) == 2
    assert "workloads.steady.size = 1 MiB: over AMQP 0-9-1" in found[0]
    assert "workloads.steady.lanes_per_connection = 9: over AMQP 0-9-1 the broker takes 8 channels" in found[1]


def test_denied_transient_queues_are_hinted_at(limited: Broker) -> None:
    """The broker's words, and the setting that takes transient messages all the same."""
    [found] = faults(limited)
    assert "541" in found
    assert "transient_nonexcl_queues" in found
    assert "use transient_queue = 'durable-classic' for this broker" in found
    [generic] = faults(
        limited, "brokers.mine.kind=amqp091", "targets.mine-10.protocol=amqp091", "targets.mine-10.driver=wire091"
    )
    assert "use transient_queue = 'durable' for this broker" in generic


def test_a_run_is_refused_before_it_begins(limited: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, one message, no folder."""
    monkeypatch.chdir(tmp_path)
    for name, value in credentials(limited).items():
        monkeypatch.setenv(name, value)
    port = limited.endpoint("amqp091").port
    said = Bench().refused(
        2, "run", "own-broker", "--set", f"brokers.mine.external.port={port}", "--set", DURABLE,
        "--set", "workloads.steady.size=5000",
    )  # fmt: skip
    assert said.count("workloads.steady.size = 5,000 B") == 1
    assert not list(tmp_path.iterdir())


def test_one_that_we_start_is_asked_the_same(limited: Broker) -> None:
    """By what it announces, and by trying."""
    asked = own(limited, DURABLE, "workloads.steady.size=5000", "workloads.steady.lanes_per_connection=9")
    # It was started with the default settings, under which a transient queue is refused.
    assert any("durable-classic" in text for text in misfits(asked, limited))
    durable = asked.model_copy(
        update={"workloads": tuple(one.model_copy(update={"durable": True}) for one in asked.workloads)}
    )
    assert [text.partition(" = ")[0] for text in misfits(durable, limited)] == [
        "workloads.steady.size",
        "workloads.steady.lanes_per_connection",
    ]
