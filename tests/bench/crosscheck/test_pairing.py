"""Which drivers meet which peer under which load, and what is left out."""

from typing import Any

import pytest

from bench.crosscheck.pairing import estimate_s, pairings
from bench.crosscheck.perftest import PerfTest
from bench.scenario.errors import ScenarioError
from bench.scenario.scenario import InFlightLoad, Scenario

PEERS = (PerfTest(),)
RATE: dict[str, Any] = {"name": "rate", "load": {"kind": "rate", "rate": 5000}}
LOOP: dict[str, Any] = {"name": "loop", "load": {"kind": "in_flight", "in_flight": [64]}}


def scenario(*workloads: dict[str, Any], protocol: str = "amqp091", driver: str = "pika-codec") -> Scenario:
    """Return a scenario of one target."""
    target = {"name": "t", "broker": "b", "protocol": protocol, "driver": driver}
    given = {"name": "s", "title": "t", "question": "q", "brokers": [{"name": "b", "kind": "rabbitmq"}]}
    return Scenario.model_validate({**given, "targets": [target], "workloads": list(workloads)})


def test_each_workload_meets_the_peer_of_its_protocol() -> None:
    """Order of the file; sides are our drivers, then the peer."""
    found, refused = pairings(scenario(RATE, LOOP), PEERS)
    assert [(one.name, one.sides) for one in found] == [
        ("t · rate", ("pika-codec", "PerfTest")),
        ("t · loop", ("pika-codec", "PerfTest")),
    ]
    assert [(one.asked, one.workload.closed) for one in found] == [
        ("5,000 msg/s, 100 B", False),
        ("closed loop, 64 in flight, 100 B", True),
    ]
    assert refused == ()


def test_a_closed_loop_has_the_same_confirm_window() -> None:
    """Peers bound by confirms alone, so ours gets a window of the loop's bound."""
    [found] = pairings(scenario(LOOP), PEERS)[0]
    assert isinstance(found.workload.load, InFlightLoad)
    assert (found.workload.confirm_window, found.workload.load.in_flight) == (64, (64,))


def test_what_a_peer_cannot_do_is_left_out_and_told() -> None:
    """The rest goes on; target, field and value are named."""
    found, refused = pairings(scenario(RATE, {**LOOP, "name": "none", "confirm_window": 0}), PEERS)
    assert [one.workload.name for one in found] == ["rate"]
    assert len(refused) == 1
    assert refused[0].startswith("t: workloads.1.confirm_window = 0: ")


def test_a_driver_given_twice_runs_once() -> None:
    """The target's driver comes first and is not repeated."""
    [found] = pairings(scenario(RATE), PEERS, ["pika-codec", "pika-codec"])[0]
    assert found.drivers == ("pika-codec",)


@pytest.mark.parametrize(("name", "words"), [("nobody", "is no driver"), ("proton-engine", "speaks amqp10")])
def test_a_driver_that_does_not_fit_is_refused(name: str, words: str) -> None:
    """Unknown, or of a protocol that no target speaks."""
    with pytest.raises(ScenarioError, match=words):
        pairings(scenario(RATE), PEERS, [name])


def test_nothing_left_is_a_fault() -> None:
    """A scenario without anything to crosscheck says why."""
    with pytest.raises(ScenarioError, match=r"nothing to crosscheck: targets\.0\.protocol = 'amqp10'"):
        pairings(scenario(RATE, protocol="amqp10", driver="proton-engine"), PEERS)


def test_the_estimate_counts_every_run() -> None:
    """Warming pair, counted pairs and one under a capture, which a closed loop does not have."""
    work = {"duration": "5s"}
    rate, loop = pairings(scenario({**RATE, **work}, {**LOOP, **work}), PEERS)[0]
    pair_s = (2 + 5 + 3) + (10 + 5 + 1 + 3)
    assert estimate_s([rate], 2, 3, 10, capture=False) == 4 * pair_s
    assert estimate_s([rate, loop], 2, 3, 10, capture=True) == (5 + 4) * pair_s
