"""Cost of a whole process tree: what is burnt a message is what is read a message."""

import select
import subprocess
import sys
import time

import pytest

from bench.run.cost import cost
from bench.run.telemetry import Sampler
from bench.units import NS_PER_MS, NS_PER_S
from brokers.places.sampling import Tree, descendants

pytestmark = pytest.mark.alone

MESSAGES = 400_000
BURNT_US = 5.0
# A child that ended before the rest began, one that lives to the end, and the parent burn a part each.
STUB = f"""
import subprocess, sys, time

def burn(messages):
    begin = time.process_time()
    for number in range(1, messages + 1):
        while time.process_time() - begin < number * {BURNT_US}e-6:
            pass

part = int(sys.argv[1]) // 4
input()
if len(sys.argv) > 2:
    burn(part)
    if sys.argv[2] == "stays":
        print("burnt", flush=True)
        input()
else:
    for kind in ("ends", "stays"):
        child = subprocess.Popen(
            [sys.executable, "-c", sys.orig_argv[2], sys.argv[1], kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        child.stdin.write("go\\n")
        child.stdin.flush()
        child.wait() if kind == "ends" else None
    burn(2 * part)
    child.stdout.readline()
    print("burnt", flush=True)
    input()
"""


def test_a_stub_that_burns_5_us_a_message_reads_5_s_a_million() -> None:
    """Measurement §11: 5.0 ± 0.2 CPU seconds per million messages, children included, on either side.

    Of the four parts the parent burns two; interpreters that start belong to the tree as well, and are
    taken off by a stub that burns nothing.
    """
    burnt, empty = (_cpu_s_per_million(messages) for messages in (MESSAGES, 0))
    for side in ("broker", "client"):
        assert burnt[side] - empty[side] == pytest.approx(BURNT_US, abs=0.2)
        assert burnt[side] < BURNT_US + 0.5


def _cpu_s_per_million(messages: int) -> dict[str, float]:
    """Return what a stub cost as broker and as client, divided by MESSAGES."""
    with subprocess.Popen(
        [sys.executable, "-c", STUB, str(messages)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as stub:
        assert stub.stdin is not None
        sampler, tree = Sampler(), Tree()
        start_ns = time.monotonic_ns()
        _sample(sampler, tree, start_ns, stub.pid)
        stub.stdin.write("go\n")
        stub.stdin.flush()
        end_ns = None
        while end_ns is None or time.monotonic_ns() < end_ns + 100 * NS_PER_MS:
            time.sleep(0.1)
            _sample(sampler, tree, time.monotonic_ns(), stub.pid)
            if end_ns is None and _over(stub):
                end_ns = start_ns + ((time.monotonic_ns() - start_ns) // NS_PER_S + 1) * NS_PER_S
        measure = range((end_ns - start_ns) // NS_PER_S)
        found = cost(sampler.samples, (), {}, start_ns, measure, messages=MESSAGES, sent=MESSAGES)
        sampler.close()
        stub.communicate("end\n")
    assert found is not None
    costs = {"broker": found.broker.cpu_s_per_million, "client": found.client.cpu_s_per_million}
    return {side: value for side, value in costs.items() if value is not None}


def _sample(sampler: Sampler, tree: Tree, at_ns: int, pid: int) -> None:
    below = descendants([pid])
    sampler.sample(at_ns, tree.read((pid, *below)), (pid,), below)


def _over(stub: "subprocess.Popen[str]") -> bool:
    """Return whether the stub has said that all is burnt, without waiting for it."""
    assert stub.stdout is not None
    return bool(select.select([stub.stdout], [], [], 0)[0])
