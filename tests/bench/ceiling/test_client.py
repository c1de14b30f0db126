"""Each driver against the null peer, with the worker's own loop and logs, for a moment: every way gives figures."""

from collections.abc import Iterator

import pytest

from bench.ceiling import client
from bench.ceiling.measure import WAYS, peer
from bench.ceiling.stored import Side
from bench.drivers.registry import driver_named
from bench.units import NS_PER_MS

pytestmark = [pytest.mark.compiled, pytest.mark.alone]

DRIVERS = {"pika-codec": 1_000, "proton-engine": 5_000, "wire091": 100_000, "wire10": 100_000}
"""Messages a second that each reaches on any machine."""


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A null peer of each protocol: where they listen."""
    with peer("amqp091", lanes=2) as one, peer("amqp10", lanes=2) as other:
        yield {"amqp091": one, "amqp10": other}


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warm up for a moment, and leave this process as it is."""
    monkeypatch.setattr(client, "_WARM_NS", 60 * NS_PER_MS)
    for how in ("be_unhurried", "be_punctual"):
        monkeypatch.setattr(client, how, lambda: None)
    monkeypatch.setattr(client, "allow_most", lambda: 0)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("side", "settled"), WAYS)
def test_every_way_gives_figures(ports: dict[str, int], driver: str, side: Side, settled: bool) -> None:  # noqa: FBT001
    """A rate that is no trifle, and CPU time of at most all that there was."""
    where = ports[driver_named(driver).protocol]
    way = client.run(driver, side, where, settled=settled, size=100, seconds=0.3)
    assert (way.side, way.settled) == (side, settled)
    assert way.rate > DRIVERS[driver]
    assert 0 < way.cpu_us <= 1.1e6 / way.rate


@pytest.mark.parametrize("driver", ["wire091", "wire10"])
@pytest.mark.parametrize(("side", "settled"), WAYS)
def test_lanes_share_the_work(ports: dict[str, int], driver: str, side: Side, settled: bool) -> None:  # noqa: FBT001
    """Two lanes, larger bodies: it still runs to its end."""
    where = ports[driver_named(driver).protocol]
    way = client.run(driver, side, where, settled=settled, size=2_000, seconds=0.2, lanes=2)
    assert way.rate > 10_000
