"""Crosschecks on real brokers with the real tools: the same load arrives, and nothing is left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.crosscheck.capture import captured
from bench.crosscheck.fetch import ensure
from bench.crosscheck.pairing import pairings
from bench.crosscheck.perftest import PerfTest
from bench.crosscheck.sides import Sides
from bench.run.running_brokers import Instance
from bench.scenario.scenario import Scenario
from brokers.base import Broker

HEAD = """
name = "check"
title = "Check"
question = "Do we agree?"
[[brokers]]
name = "rabbitmq"
kind = "rabbitmq"
[[workloads]]
name = "steady"
duration = "2s"
ack_batch = 1
load = { kind = "rate", rate = 500 }
[plan]
restart = "run"
warm_up = { settle = "1s" }
"""
TARGET = '[[targets]]\nname = "t"\nbroker = "rabbitmq"\nprotocol = "{}"\ndriver = "{}"\n'


def start(folder: Path, protocol: str, driver: str, *words: str) -> "subprocess.Popen[str]":
    """Start a crosscheck in a folder."""
    (folder / "check.toml").write_text(HEAD + TARGET.format(protocol, driver))
    return subprocess.Popen(
        [sys.executable, "-c", "from bench.cli import main; main()", "crosscheck", "check.toml", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def check(folder: Path, protocol: str, driver: str, *words: str) -> tuple[dict[str, Any], str]:
    """Run a crosscheck to its end; return what it found, and its words."""
    process = start(folder, protocol, driver, *words, "--json", "found.json")
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    [checked] = json.loads((folder / "found.json").read_text())["checked"]
    return checked, out


@pytest.mark.alone
@pytest.mark.usefixtures("image_root")
@pytest.mark.parametrize(
    ("protocol", "driver", "peer"),
    [
        ("amqp10", "proton-engine", "Artemis perf"),
        # The captures below run PerfTest always.
        pytest.param("amqp091", "pika-codec", "PerfTest", marks=pytest.mark.soak),
    ],
)
def test_both_sides_hold_the_same_load(tmp_path: Path, protocol: str, driver: str, peer: str) -> None:
    """A fixed rate through a driver of ours and a peer: both hold it, with every figure of the table."""
    checked, out = check(tmp_path, protocol, driver, "--pairs", "1", "--warm-up", "2")
    assert [side["side"] for side in checked["medians"]] == [driver, peer]
    for side in checked["medians"]:
        assert side["sent_per_s"] == pytest.approx(500, rel=0.02)
        assert side["received_per_s"] == pytest.approx(500, rel=0.02)
        assert 10_000 < side["p50_ns"] <= side["p99_ns"] < 3_000_000_000
        assert 1 < side["cpu_us_per_message"] < 4_000
        assert side["rss_peak"] > 20_000_000
    assert {ratio["figure"] for ratio in checked["ratios"]} >= {"received_per_s", "p50_ns", "cpu_us_per_message"}
    assert [reading["pair"] for reading in checked["readings"]] == [0, 0, 1, 1]
    assert "guest" not in checked["command"]
    assert f"{driver} / {peer}: rate held" in out


@pytest.mark.alone
@pytest.mark.parametrize("side", ["pika-codec", "PerfTest"])
def test_a_capture_agrees_with_the_tool(rabbitmq: Broker, tmp_path: Path, side: str) -> None:
    """From packets alone: every message both ways, no later than the tool itself says it came."""
    broker = {"name": "rabbitmq", "kind": "rabbitmq"}
    target = {"name": "t", "broker": "rabbitmq", "protocol": "amqp091", "driver": "pika-codec"}
    work = {"name": "w", "duration": "3s", "load": {"kind": "rate", "rate": 400}}
    scenario = Scenario.model_validate(
        {
            "name": "s",
            "title": "t",
            "question": "q",
            "brokers": [broker],
            "targets": [target],
            "workloads": [work],
            "plan": {"warm_up": {"settle": "1s"}},
        }
    )
    [pairing], _ = pairings(scenario, [PerfTest()])
    instance = Instance(rabbitmq, rabbitmq.facts(), started=1, repetition=0)
    sides = Sides(scenario, instance, {"PerfTest": ensure(PerfTest(), print)}, 3, tmp_path)
    found = captured(sides, pairing, side, tmp_path)
    assert (found.unmatched, found.dropped) == (0, 0)
    assert 0.7 * 1_200 < found.messages < 1.3 * 1_200
    assert 50_000 < found.wire_p50_ns < found.own_p50_ns
    assert found.wire_p99_ns < 1_000_000_000
    assert list(tmp_path.glob("*.pcap")) == []


def _java_below(parent: psutil.Process) -> Iterator[psutil.Process]:
    """Yield the JVMs below a process; a child may end between being listed and being looked at."""
    for child in parent.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            if child.name() == "java":
                yield child


@pytest.mark.usefixtures("image_root")
def test_an_interrupt_under_a_peer_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while the JVM works: exit code 130, and neither JVM nor broker is left."""
    process = start(tmp_path, "amqp091", "pika-codec", "--warm-up", "60")
    parent = psutil.Process(process.pid)
    until = time.monotonic() + 90
    while not (started := list(_java_below(parent))):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    time.sleep(1)
    below = parent.children(recursive=True)
    assert set(started) <= set(below)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert [child for child in below if child.is_running()] == []
