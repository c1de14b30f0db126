"""What each store writes for a confirmed persistent message: the durability classes, on real brokers.

python -m tests.evidence.durability --json FILE

One message of 1 KiB is in flight, and nobody consumes. Expected a thousand messages: RabbitMQ
classic and stream hardly a synchronous write, quorum one each; Broker-J on BDB an fsync
each, on Derby an O_DSYNC write each. Exit code 1 where a class is another one.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from brokers.amqp import AmqpBroker
from brokers.dialect import QueueKind

from bench.results.comparability import settings_differ
from bench.results.durability import DurabilityClass, Probe
from bench.run.durability_probe import probe
from bench.run.scratch_folder import scratch_root
from bench.scenario.scenario import RateLoad, Workload
from brokers import image
from brokers.opening import open_broker
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.settings import BrokerSettings

MESSAGES = 1_000
_STREAM = "durability-stream"


@dataclass(frozen=True)
class Store:
    """A store, and the class it is expected to have; `queue_type` is declared apart from the settings' own."""

    name: str
    settings: BrokerSettings
    expected: DurabilityClass
    queue_type: str | None = None


_RABBIT = {"name": "rabbitmq", "kind": "rabbitmq"}
_QPID = {"name": "broker-j", "kind": "qpid-broker-j"}
STORES = (
    Store("RabbitMQ classic", RabbitMQSettings(**_RABBIT, durable_queue="classic"), DurabilityClass.PROCESS),
    Store("RabbitMQ stream", RabbitMQSettings(**_RABBIT), DurabilityClass.PROCESS, "stream"),
    Store("RabbitMQ quorum", RabbitMQSettings(**_RABBIT, durable_queue="quorum"), DurabilityClass.SYSTEM),
    Store("Broker-J BDB", QpidBrokerJSettings(**_QPID, store="bdb"), DurabilityClass.SYSTEM),
    Store("Broker-J Derby", QpidBrokerJSettings(**_QPID, store="derby"), DurabilityClass.SYSTEM),
)


def examine(store: Store, root: Path, scratch: Path) -> tuple[Probe, str, tuple[str, ...]]:
    """Start a broker on this store; return its probe, product with version, and settings it did not take."""
    load = RateLoad(kind="rate", rate=1)
    workload = Workload(name="durability", load=load, size=1_024, durable=True)
    broker = open_broker(store.settings, scratch / "broker", root, os.environ)
    broker.start()
    try:
        queue = None
        if store.queue_type is not None:
            queue = _STREAM
            _, control = cast("AmqpBroker", broker)._attached()
            control.declare(queue, QueueKind(durable=True, arguments={"x-queue-type": store.queue_type}))
        facts = broker.facts()
        found = probe(broker, store.name, workload, scratch, messages=MESSAGES, queue=queue)
        return found, f"{facts.product} {facts.version}", settings_differ(facts.asked, facts.reported)
    finally:
        broker.stop()


def main() -> None:
    """Examine every store and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    root = image.ensure("stable", print).root
    rows, wrong = [], 0
    print(f"{'store':18} {'fsync':>6} {'fdatasync':>9} {'O_DSYNC':>8} {'messages':>9}  class")
    for store in STORES:
        with tempfile.TemporaryDirectory(dir=scratch_root()) as scratch:
            found, product, differ = examine(store, root, Path(scratch))
        name = found.durability.value if found.durability else found.words
        right = found.durability is store.expected
        wrong += not right
        counts = f"{found.fsyncs:6} {found.fdatasyncs:9} {found.synchronous_writes:8} {found.messages:9}"
        print(f"{store.name:18} {counts}  {name}{'' if right else f', expected {store.expected.value}'}", *differ)
        rows.append(found.model_dump() | {"product": product, "class": name, "expected": store.expected.value})
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
