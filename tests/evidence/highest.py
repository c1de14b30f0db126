"""The highest fixed rate that each tool holds on RabbitMQ, found side by side. Needs a quiet machine and minutes.

    python -m tests.evidence.highest [--json FILE] [--steps 14]

An up-and-down staircase for each tool, interleaved: a rate that held (received at least
0.99 of what was offered, for 4 s) is raised by 6 %, one that did not is lowered by as much.
After the first steps each visits the rates about its limit, and the rates that the tools
stand at in the same step make a pair. At last each tool holds its answer for 15 s.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.cli.image import ensure_images
from bench.crosscheck.fetch import ensure
from bench.crosscheck.pairing import Pairing
from bench.crosscheck.peer import PeerError
from bench.crosscheck.perftest import PerfTest
from bench.crosscheck.sides import Sides
from bench.record.account import warm_kernels
from bench.run.running_brokers import Fleet
from bench.run.scratch_folder import scratch_folder
from bench.scenario.scenario import Plan, RateLoad, Scenario, Target, WarmUp, Workload
from bench.stats.ratio import Pair, compare
from brokers.rabbitmq.settings import RabbitMQSettings

STEP = 1.06
BURN_IN = 4
HELD = 0.99
START = {"wire091": 55_000.0, "PerfTest": 40_000.0, "pika-codec": 20_000.0}


def workload(rate: float, seconds: int) -> Workload:
    """Return the load: 100 B transient, no confirms, automatic acknowledgement."""
    return Workload(
        name="fixed",
        load=RateLoad(kind="rate", rate=rate, max_backlog=10_000_000),
        confirm_window=0,
        prefetch=10_000,
        ack_batch=0,
        duration=f"{seconds}s",  # type: ignore[arg-type]  (as a file has it)
        coalesce="1ms",  # type: ignore[arg-type]
    )


def scenario(rate: float, seconds: int) -> Scenario:
    """Return one target on RabbitMQ."""
    return Scenario(
        name="highest",
        title="Highest fixed rate",
        question="What rate does each tool hold?",
        brokers=(RabbitMQSettings(name="rabbitmq", kind="rabbitmq"),),
        targets=(Target(name="rabbitmq-091", broker="rabbitmq", protocol="amqp091", driver="wire091"),),
        workloads=(workload(rate, seconds),),
        plan=Plan(restart="run", warm_up=WarmUp(settle="1s")),
    )


def pairing(rate: float, seconds: int) -> Pairing:
    """Return all three tools under one load."""
    given = scenario(rate, seconds)
    return Pairing(given.targets[0], given.workloads[0], ("wire091", "pika-codec"), PerfTest())


def hold(sides: Sides, side: str, rate: float, seconds: int) -> tuple[bool, float, float]:
    """Run a tool at a rate; return whether it held, what was received a second, and CPU µs a message."""
    try:
        reading = sides.reading(pairing(rate, seconds), side, 1)
    except PeerError as error:
        sys.stderr.write(f"  {side} at {rate:,.0f}: {error}\n")
        return False, 0.0, 0.0
    held = reading.received_per_s >= HELD * rate and reading.sent_per_s >= HELD * rate
    word = "held" if held else "not held"
    sys.stderr.write(f"  {side:<10} {rate:>9,.0f}/s  received {reading.received_per_s:>9,.0f}/s  {word}\n")
    return held, reading.received_per_s, reading.cpu_us_per_message or 0.0


def main(words: Sequence[str] | None = None) -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--steps", type=int, default=14)
    given = parser.parse_args(words)
    base = scenario(1.0, 4)
    roots = {name: found.root for name, found in ensure_images(base).items()}
    folder = ensure(PerfTest(), lambda text: sys.stderr.write(f"{text}\n"))
    warm_kernels()
    with scratch_folder() as scratch:
        fleet = Fleet(base, scratch, roots, lambda _text: None)
        try:
            sides = Sides(base, fleet.get("rabbitmq", 0), {"PerfTest": folder}, 3, scratch)
            found = search(sides, given.steps)
        finally:
            fleet.stop_all()
    for name, value in found.items():
        sys.stdout.write(f"{name:<45} {value}\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def search(sides: Sides, steps: int) -> dict[str, str | float]:
    """Walk the staircases, then hold."""
    rates, visited = dict(START), {side: [START[side]] for side in START}
    for step in range(steps):
        for side in list(START) if step % 2 else list(START)[::-1]:
            held, _, _ = hold(sides, side, rates[side], 4)
            rates[side] *= STEP if held else 1 / STEP
            visited[side].append(rates[side])
    found: dict[str, str | float] = {"steps": steps - BURN_IN}
    for side in START:
        rate = median(visited[side][BURN_IN:])
        while True:
            held, received, cpu_us = hold(sides, side, rate, 15)
            if held:
                break
            rate /= STEP
        found[f"{side}: stood at, median, msg/s"] = round(median(visited[side][BURN_IN:]))
        found[f"{side}: held for 15 s, msg/s"] = round(rate)
        found[f"{side}: client CPU there, µs a message"] = round(cpu_us, 2)
        found[f"{side}: received there, msg/s"] = round(received)
    for other in ("PerfTest", "pika-codec"):
        result = compare(Pair(tuple(visited["wire091"][BURN_IN:]), tuple(visited[other][BURN_IN:])))
        found[f"wire091 / {other}"] = f"{result.ratio:.2f} ({result.low:.2f} to {result.high:.2f})"
    return found


if __name__ == "__main__":
    main()
