"""Telemetry: whole process trees, in the units it says."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from bench.run.telemetry import Sample, Sampler
from bench.run.timeline import busiest, make_timeline, steal_share, usage
from bench.units import NS_PER_S
from brokers.places.sampling import Tree

BURN = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"


def sample(at_s: float, broker: float | None, client: float, workers: tuple[float, ...] = ()) -> Sample:
    """Return a reading with made-up CPU seconds."""
    rss = None if broker is None else 1000
    return Sample(round(at_s * NS_PER_S), broker, rss, client, 2000, workers, steal_s=at_s * 0.02, total_s=at_s * 2)


def test_cpu_of_a_real_process_is_read_in_seconds() -> None:
    """A process that burns 0.3 s of CPU reads 0.3 s, its ended child included."""
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN.format(seconds=0.2)!r}])\n"
    code = child + BURN.format(seconds=0.1) + "print('done', flush=True)\ninput()\n"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        found = Sampler().sample(time.monotonic_ns(), Tree().read((process.pid,)), (os.getpid(),))
        process.communicate("\n")
    assert found.broker_cpu_s == pytest.approx(0.3, abs=0.15)
    assert found.broker_rss is not None
    assert found.broker_rss > 1_000_000


def test_a_process_that_is_gone_is_no_fault() -> None:
    """Reading a tree whose process ended keeps what was counted."""
    sampler, tree = Sampler(), Tree()
    with subprocess.Popen(["sleep", "30"]) as process:
        sampler.sample(0, tree.read((process.pid,)), ())
        process.kill()
        process.wait()
        assert sampler.sample(1, tree.read((process.pid,)), ()).broker_rss == 0


def test_usage_is_that_of_the_measured_part() -> None:
    """CPU between the edges, per message; the busiest worker as a share of a core."""
    samples = [sample(t / 10, broker=t * 0.01, client=t * 0.05, workers=(t * 0.04, t * 0.01)) for t in range(100)]
    broker = usage(samples, "broker", 0, range(2, 7), 1000)
    client = usage(samples, "client", 0, range(2, 7), 1000)
    assert broker.cpu_s == pytest.approx(0.5)
    assert broker.cpu_us_per_message == pytest.approx(500)
    assert client.cpu_cores_busiest == pytest.approx(0.4)
    assert busiest(samples, np.array([2, 7]) * NS_PER_S) == pytest.approx(0.4)
    assert steal_share(samples, 0, range(2, 7)) == pytest.approx(0.01)


def test_what_cannot_be_seen_is_unknown_not_zero() -> None:
    """An external broker has no CPU time and no memory, in the record as in the timeline."""
    samples = [sample(t / 10, broker=None, client=0.0) for t in range(30)]
    found = usage(samples, "broker", 0, range(1, 2), 10)
    assert (found.cpu_s, found.rss_peak) == (None, None)
    ticks = {name: np.ones(20, np.int64) for name in ("offered", "sent", "received", "confirmed", "backlog")}
    frame = make_timeline(ticks, samples, 0, range(1, 2))
    assert frame["broker_cpu_s"].isna().all()
    assert frame["client_rss"].notna().all()
    assert frame["phase"].tolist() == ["warm-up"] * 10 + ["measure"] * 10
