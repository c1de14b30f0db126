"""Measuring a ceiling: processes that end well, and what is said where one does not."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.ceiling import measure as measuring
from bench.ceiling.measure import PeerFailed, environment, measure_way, peer
from bench.ceiling.stored import Ceiling, Way, applies, keep, read


@pytest.mark.alone
@pytest.mark.compiled
def test_a_way_is_measured_in_processes_of_its_own() -> None:
    """Figures of the driver's process come back as they were printed."""
    way = measure_way("wire10", "amqp10", "receive", True, seconds=0.2)  # noqa: FBT003
    assert (way.side, way.settled) == ("receive", True)
    assert way.rate > 100_000


@pytest.mark.compiled
def test_a_driver_that_fails_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it asks a peer that speaks another protocol."""
    monkeypatch.setattr(measuring, "_TIMEOUT_S", 30)
    with pytest.raises(PeerFailed, match=r"wire10 \(send\): .*ConnectionLost|wire10 \(send\): .*Refused"):
        measure_way("wire10", "amqp091", "send", False, seconds=0.2)  # noqa: FBT003


@pytest.mark.compiled
def test_a_peer_that_does_not_start_is_told() -> None:
    """With what it said."""
    with pytest.raises(PeerFailed, match=r"(?s)the null peer did not start: .*invalid choice"), peer("amqp2"):
        pass


@pytest.mark.compiled
def test_the_peer_ends_with_its_user() -> None:
    """Its port is closed once the block is left."""
    with peer("amqp10") as port:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.compiled
def test_the_peer_ends_where_its_user_is_killed() -> None:
    """Nobody is left to close its standard input; the kernel does."""
    script = (
        "import sys, time\nfrom bench.ceiling.measure import peer\n"
        "with peer('amqp091') as port:\n    print(port, flush=True)\n    time.sleep(60)\n"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd(), env=environment()
    )
    assert user.stdout is not None
    port = int(user.stdout.readline())
    os.kill(user.pid, signal.SIGKILL)
    user.wait(5)
    user.stdout.close()
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("the peer outlived its user")


def ceiling(driver: str, rate: float = 1e6) -> Ceiling:
    """Return figures."""
    ways = tuple(Way(side=side, settled=settled, rate=rate, cpu_us=0.5) for side, settled in measuring.WAYS)
    return Ceiling(driver=driver, version="busbench 1", host="here", measured_utc="", size=100, ways=ways)


def test_figures_are_kept_and_read(tmp_path: Path) -> None:
    """A later one of the same driver takes the place of the older, others stay."""
    file = tmp_path / "deep" / "ceilings.json"
    assert read(file) == {}
    keep(file, [ceiling("pika-codec"), ceiling("wire10")])
    keep(file, [ceiling("wire10", 2e6)])
    assert read(file) == {"pika-codec": ceiling("pika-codec"), "wire10": ceiling("wire10", 2e6)}
    assert [path.name for path in file.parent.iterdir()] == ["ceilings.json"]


@pytest.mark.parametrize("text", ["", "{", '{"pika-codec": {"driver": "pika-codec"}}', "[]"])
def test_a_file_of_another_make_counts_as_none(tmp_path: Path, text: str) -> None:
    """It is written over, not stumbled upon."""
    file = tmp_path / "ceilings.json"
    file.write_text(text)
    assert read(file) == {}
    keep(file, [ceiling("pika-codec")])
    assert list(read(file)) == ["pika-codec"]


def test_figures_apply_to_the_same_version_and_host() -> None:
    """And to no other."""
    one = ceiling("pika-codec")
    assert applies(one, "busbench 1", "here") is one
    assert applies(one, "busbench 2", "here") is None
    assert applies(one, "busbench 1", "there") is None
    assert applies(None, "busbench 1", "here") is None
