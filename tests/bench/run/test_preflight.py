"""Before a trial: what a broker does not allow is told once, whichever protocol found it; silence is passed over."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from bench.plan.plan import make_plan
from bench.results.records import RunRecord
from bench.run import preflight
from bench.run.conductor import Conductor
from bench.run.preflight import UnfitError, misfits, unpinnable, without_optional
from bench.run.running_brokers import Fleet, Instance
from bench.scenario.loading import load_scenario
from bench.scenario.products import describe
from bench.scenario.scenario import Scenario
from brokers.admin.admission import Admission
from brokers.admin.base import AdminError, SilentError, UnreachableError
from brokers.base import BrokerError
from brokers.endpoint import Protocol
from tests.crosschecks import IdleBroker
from tests.quiet import Quiet


class Guarded(IdleBroker):
    """A broker that allows what a test says, by protocol; an AdminError is what it says to a declaration."""

    def __init__(self, **allows: Admission | AdminError) -> None:
        """Take what it allows."""
        super().__init__()
        self.name = "mine"
        self.allows = allows
        self.asked: list[tuple[Protocol, list[int], bool]] = []

    def protocols(self) -> tuple[Protocol, ...]:
        """Return both."""
        return "amqp091", "amqp10"

    def admission(self, protocol: Protocol, bodies: Sequence[int], *, durable: bool) -> Admission:
        """Return what a test said."""
        self.asked.append((protocol, list(bodies), durable))
        found = self.allows.get(protocol, Admission(protocol))
        if isinstance(found, AdminError):
            message = f"broker 'mine' cannot declare the queue: {found}"
            raise BrokerError(message) from found
        return found


def own(*changes: str) -> Scenario:
    """Return the scenario of one broker over both protocols."""
    return load_scenario("own-broker", changes).scenario


def test_what_fits_says_nothing_and_each_protocol_is_asked_once() -> None:
    """With the sizes of the workloads that are for its targets."""
    broker = Guarded()
    assert list(misfits(own(), broker)) == []
    assert broker.asked == [("amqp091", [100], False), ("amqp10", [100], False)]
    durable = Guarded()
    assert list(misfits(own("workloads.0.size=200", "workloads.0.durable=true"), durable)) == []
    assert durable.asked == [("amqp091", [200], True), ("amqp10", [200], True)]


def test_one_mistake_is_one_message() -> None:
    """Though both protocols have the same limit."""
    broker = Guarded(amqp091=Admission("amqp091", refused_size=64), amqp10=Admission("amqp10", message=64))
    [found] = misfits(own(), broker)
    assert found.startswith("workloads.steady.size = 100 B: over AMQP 0-9-1 the broker refuses 64 B already")


def test_permissions_are_told_with_what_to_do() -> None:
    """Once, but for a queue that cannot be used anyway, which tells of itself."""
    refused = (("publish to", "403 no write"),)
    broker = Guarded(
        amqp091=Admission("amqp091", refused=refused),
        amqp10=Admission("amqp10", refused=(*refused, ("consume from", "x"))),
    )
    first, second = misfits(own(), broker)
    assert first.startswith(
        "over AMQP 0-9-1 it does not let us publish to a queue that it let us declare (403 no write)"
    )
    assert first.endswith("give the user that permission")
    assert "AMQP 1.0 it does not let us consume from" in second
    assert list(misfits(own(), broker, permissions=False)) == []


def test_a_declaration_that_is_refused_is_told_and_silence_is_not() -> None:
    """The run itself tries once more, and says why it cannot."""
    assert list(misfits(own(), Guarded(amqp091=AdminError("541"), amqp10=AdminError("541")))) == [
        "broker 'mine' cannot declare the queue: 541"
    ]
    [found] = misfits(own(), Guarded(amqp091=AdminError("403 ACCESS_REFUSED")))
    assert found.endswith(
        "let its user declare queues named busbench-…, or name queues that are there in `external.queues`"
    )
    assert list(misfits(own(), Guarded(amqp091=SilentError("x"), amqp10=UnreachableError("y")))) == []


class OneOfOurs:
    """Brokers of a run, of which there is one."""

    def __init__(self, broker: Guarded) -> None:
        """Take it."""
        self.broker = broker

    def get(self, name: str, repetition: int) -> Instance:  # noqa: ARG002
        """Return it as just started."""
        return Instance(self.broker, self.broker.facts(), 1, repetition)


@pytest.mark.parametrize("place", ["sandbox", "external"])
def test_one_that_we_start_is_tried_before_its_first_trial(place: str, tmp_path: Path) -> None:
    """Once; one that someone else runs was tried before the run."""
    loaded = load_scenario("rabbitmq-vs-qpid")
    scenario = own() if place == "external" else loaded.scenario
    record = RunRecord(
        run_id="r", started_utc="2026-01-01T00:00:00+00:00", mode="full", scenario=scenario, seed=1, overrides=(),
        command="bench", plan=make_plan(scenario, 1), tools={}, host={}, images={},
        products=describe(scenario),
    )  # fmt: skip
    broker = Guarded(amqp091=Admission("amqp091", refused_size=1))
    broker.name = scenario.brokers[0].name
    conductor = Conductor(record, tmp_path, tmp_path, cast("Fleet", OneOfOurs(broker)), Quiet())
    if place == "external":
        conductor._fit(broker.name, 0)
        assert not broker.asked
        return
    with pytest.raises(UnfitError) as caught:
        conductor._fit(broker.name, 0)
    assert all(text.startswith(f"broker {broker.name}: workloads.") for text in caught.value.faults)
    asked = len(broker.asked)
    conductor._fit(broker.name, 1)
    assert len(broker.asked) == asked


def test_cpus_that_are_not_here_are_told_with_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not online, and those that are not ours; without a pin nothing is asked."""
    monkeypatch.setattr("bench.run.preflight.online", lambda: (0, 1, 2, 3))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert unpinnable(load_scenario("rabbitmq-vs-qpid").scenario) == ()
    asked = ["plan.client_cpus=[0, 9]", "brokers.1.cpus=[1, 2]"]
    assert [text.partition(", ")[0] for text in unpinnable(load_scenario("rabbitmq-vs-qpid", asked).scenario)] == [
        "plan.client_cpus: CPU 9 is not online here",
        "brokers.1.cpus: CPU 2 is not in our own affinity",
    ]


def test_optional_brokers_that_cannot_be_started_here_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are for the run to refuse; where all are left out, nothing is left."""
    monkeypatch.setattr(preflight, "lacks", lambda _: "bwrap is not installed")
    assert without_optional(load_scenario("rabbitmq-vs-qpid").scenario)[1] == {}
    scenario, why = without_optional(load_scenario("rabbitmq-vs-qpid", ["brokers.1.optional=true"]).scenario)
    assert why == {"broker-j": "place 'sandbox': bwrap is not installed"}
    assert scenario is not None
    assert [one.name for one in scenario.targets] == ["rabbitmq-091", "rabbitmq-10"]
    both = ["brokers.0.optional=true", "brokers.1.optional=true"]
    assert without_optional(load_scenario("rabbitmq-vs-qpid", both).scenario)[0] is None
