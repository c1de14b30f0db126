"""Warming: each driver's compiled code once, before workers start, with a word where it takes long."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.drivers.description import Driver
from bench.drivers.registry import DriverRegistry, Installed
from bench.run import precompile
from bench.run.precompile import warm_up

ROOT = Path(__file__).parents[3]


def known(monkeypatch: pytest.MonkeyPatch, **drivers: str | None) -> None:
    """Let these be the drivers there are: name -> how it is warmed."""
    found = DriverRegistry(
        {
            name: Installed(Driver(name, "amqp091", "fake", open_port="x:y", warm=how), "other 2.0")
            for name, how in drivers.items()
        }
    )
    monkeypatch.setattr(precompile.registry, "registry", lambda: found)


def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: str) -> None:
    """Put a module on the path whose function `warm` has this body; calls are noted in `called`."""
    (tmp_path / f"{name}.py").write_text(f"called = []\ndef warm():\n    called.append(1)\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_each_driver_is_warmed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many targets use it; one that has nothing to compile is not imported. Nothing is said."""
    module(tmp_path, monkeypatch, "warmed_once", "pass")
    known(monkeypatch, one="warmed_once:warm", plain=None)
    said: list[str] = []
    warm_up(["one", "plain", "one"], said.append, patience_s=600)
    assert sys.modules["warmed_once"].called == [1]
    assert "x" not in sys.modules
    assert said == []


def test_a_driver_that_cannot_be_warmed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its package and the reason; the others are warmed all the same."""
    module(tmp_path, monkeypatch, "warmed_badly", "raise OSError('no compiler')")
    module(tmp_path, monkeypatch, "warmed_well", "pass")
    known(monkeypatch, bad="warmed_badly:warm", good="warmed_well:warm")
    said: list[str] = []
    warm_up(["bad", "good"], said.append, patience_s=600)
    assert said == ["package other 2.0: driver 'bad' cannot be warmed by warmed_badly:warm: OSError: no compiler"]
    assert sys.modules["warmed_well"].called == [1]


def test_what_takes_long_is_said_while_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then: patience that is not used up leaves no word behind."""
    module(tmp_path, monkeypatch, "warmed_slowly", "import time; time.sleep(0.3)")
    known(monkeypatch, slow="warmed_slowly:warm")
    said: list[tuple[float, str]] = []
    warm_up(["slow"], lambda text: said.append((time.monotonic(), text)), patience_s=0.05)
    assert len(said) == 1
    assert time.monotonic() - said[0][0] > 0.1
    assert "compiling" in said[0][1]
    warm_up(["slow"], lambda text: said.append((time.monotonic(), text)), patience_s=0.5)
    time.sleep(0.3)
    assert len(said) == 1


OPENED = """
import gc
import numpy as np
from numba.core.dispatcher import Dispatcher
from bench.host.clock import RealClock
from bench.drivers.wire import {driver} as driver
from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane
from tests.bench.drivers.{protocol}_server import {server} as Server

def deliver(server):
    {deliver}

def loaded():
    return sum(len(one.overloads) for one in gc.get_objects() if isinstance(one, Dispatcher))

before = loaded()
driver.warm()
warmed = loaded()
for window, batch in ((0, 0), (256, 64)):
    for lanes in (((ProducerLane(0, "q"),), ()), ((), (ConsumerLane(0, "q"),))):
        server = Server()
        port = driver.open_port(
            PortSpec(server.endpoint, *lanes, 100, confirm_window=window, ack_batch=batch), RealClock()
        )
        if lanes[0]:
            one = np.zeros(1, np.int64)
            port.send(one, one, one)
            port.send_planned(one, one + 1, one, 0, 0)
        else:
            deliver(server)
        port.poll(10_000_000)
        port.close()
        server.stop()
print(before < warmed == loaded(), before, warmed, loaded())
"""


WAYS = [
    {
        "driver": "wire091",
        "protocol": "amqp091",
        "server": "Amqp091Server",
        "deliver": "server.deliver(1, bytes(100))",
    },
    {
        "driver": "wire10",
        "protocol": "amqp10",
        "server": "Amqp10Server",
        "deliver": "server.do(lambda: server.deliver(b'\\0\\x53\\x75\\xa0\\1x'))",
    },
]


@pytest.mark.compiled
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["driver"])
def test_after_warming_a_compiled_driver_nothing_is_left_to_compile(way: dict[str, str]) -> None:
    """Not for any sender or receiver: no function gets another compiled form when ports are opened and used."""
    script = OPENED.format(**way)
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.startswith("True"), out.stdout
