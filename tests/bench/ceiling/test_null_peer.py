"""The null peer, as both protocols' drivers see it: it confirms all, delivers in order, and refuses what it lacks."""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, cast

import numpy as np
import pytest

from bench.ceiling.measure import peer
from bench.drivers.base import ConsumerLane, DriverError, Outcome, Port, PortSpec, ProducerLane
from bench.drivers.registry import driver_named, open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint, Protocol

pytestmark = pytest.mark.compiled

CLOCK = RealClock()
DRIVERS = ("pika-codec", "wire091", "proton-engine", "wire10")
COMPILED = ("wire091", "wire10")
LANES = 3


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A null peer of each protocol, for four connections of three lanes: where they listen."""
    with peer("amqp091", connections=4, lanes=LANES) as one, peer("amqp10", connections=4, lanes=LANES) as other:
        yield {"amqp091": one, "amqp10": other}


def spec(ports: dict[str, int], driver: str, producers: int = 0, consumers: int = 0, **options: Any) -> PortSpec:
    """Ask for lanes at the peer that speaks the driver's protocol."""
    protocol = driver_named(driver).protocol
    return PortSpec(
        Endpoint(cast("Protocol", protocol), "127.0.0.1", ports[protocol], "/", None, "guest", "guest"),
        tuple(ProducerLane(lane, f"q{lane}") for lane in range(producers)),
        tuple(ConsumerLane(lane, f"q{lane}") for lane in range(consumers)),
        100,
        **options,
    )


def gather(
    port: Port, messages: int, confirmed: int = 0, lanes: int = 0
) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Poll until so many messages were delivered, some of them on each of the first lanes, and so many confirmed.

    Returns the numbers delivered on each lane, in the order of arrival, and (lane, number) of those confirmed.
    """
    came: list[list[int]] = [[] for _ in range(LANES)]
    settled: list[tuple[int, int]] = []
    deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
    while sum(map(len, came)) < messages or len(settled) < confirmed or not all(came[:lanes]):
        assert CLOCK.now_ns() < deadline_ns, (list(map(len, came)), len(settled))
        settlements, deliveries = port.poll(5 * NS_PER_MS)
        assert deliveries.foreign == 0
        settled += zip(settlements.lane.tolist(), settlements.seq.tolist(), strict=True)
        for lane, seq in zip(deliveries.lane.tolist(), deliveries.seq.tolist(), strict=True):
            came[lane].append(seq)
    return came, settled


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_message_is_confirmed(ports: dict[str, int], driver: str) -> None:
    """With a window of 20, a thousand messages; in which order, a driver may decide."""
    outcomes: list[tuple[int, int]] = []
    with closing(open_port(driver, spec(ports, driver, 1, confirm_window=20), CLOCK)) as port:
        sent, deadline_ns = 0, CLOCK.now_ns() + 10 * NS_PER_S
        while len(outcomes) < 1_000:
            assert CLOCK.now_ns() < deadline_ns, len(outcomes)
            number = min(port.room(), 1_000 - sent)
            if number:
                port.send(np.zeros(number, np.int64), np.arange(sent, sent + number), np.zeros(number, np.int64))
            sent += number
            settlements, _ = port.poll(5 * NS_PER_MS)
            outcomes += zip(settlements.seq.tolist(), settlements.outcome.tolist(), strict=True)
    assert sorted(outcomes) == [(seq, Outcome.CONFIRMED) for seq in range(1_000)]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("batch", [0, 10])
def test_messages_are_delivered_as_long_as_they_are_acknowledged(
    ports: dict[str, int], driver: str, batch: int
) -> None:
    """In order, on two connections, far beyond the prefetch."""
    asked = spec(ports, driver, 0, 2, prefetch=30, ack_batch=batch)
    with closing(open_port(driver, asked, CLOCK)) as port:
        came, _ = gather(port, 2_000, lanes=2)
    assert [seqs == list(range(len(seqs))) for seqs in came] == [True] * LANES
    assert min(len(seqs) for seqs in came[:2]) > 0


@pytest.mark.parametrize("driver", COMPILED)
def test_lanes_of_a_connection_do_not_mix(ports: dict[str, int], driver: str) -> None:
    """Three of each on one connection: each message is confirmed to its lane, each delivered to its own."""
    asked = spec(ports, driver, LANES, LANES, lanes_per_connection=LANES, confirm_window=9, prefetch=9, ack_batch=3)
    with closing(open_port(driver, asked, CLOCK)) as port:
        assert port.room() == 9 * LANES
        lanes = np.tile(np.arange(LANES), 9)
        port.send(lanes, np.repeat(np.arange(9), LANES), np.zeros(9 * LANES, np.int64))
        came, settled = gather(port, 300, 9 * LANES, LANES)
    assert sorted(settled) == [(lane, seq) for lane in range(LANES) for seq in range(9)]
    assert [seqs == list(range(len(seqs))) for seqs in came] == [True] * LANES
    assert min(map(len, came)) > 0


@pytest.mark.parametrize("driver", COMPILED)
def test_more_lanes_than_a_connection_may_have_are_refused(ports: dict[str, int], driver: str) -> None:
    """With the field to lower."""
    with pytest.raises(DriverError, match=r"fewer than lanes_per_connection = 4"):
        open_port(driver, spec(ports, driver, 4, lanes_per_connection=4), CLOCK)


@pytest.mark.parametrize("driver", COMPILED)
def test_a_place_is_used_again(driver: str) -> None:
    """Beyond its places the peer hangs up; one that a client has left is as new."""
    protocol = driver_named(driver).protocol
    with peer(protocol, connections=2) as where:
        for size in (1, 2, 2):
            asked, deadline_ns = spec({protocol: where}, driver, size), CLOCK.now_ns() + 5 * NS_PER_S
            while True:  # until the peer has seen that the last client is gone
                assert CLOCK.now_ns() < deadline_ns
                with suppress(DriverError):
                    port = open_port(driver, asked, CLOCK)
                    break
            with closing(port):
                assert port.room() > 0
                port.send(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))
                assert gather(port, 0, 1)[1] == [(0, 0)]
                if size == 2:
                    with pytest.raises(DriverError, match="dropped"):
                        open_port(driver, spec({protocol: where}, driver, 1), CLOCK)
