"""The figures of docs/performance.md: measure each, then write the page. Needs a quiet machine and most of an hour.

    python -m tests.evidence.performance            # measure what is missing, write the page
    python -m tests.evidence.performance --render   # write the page from what was measured

The files are in `results/performance/`; see `tests.evidence.series`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.evidence.series import ROOT, Step, carry_out, pairs, program

FOLDER = ROOT / "results" / "performance"
PAGE = ROOT / "docs" / "performance.md"
BENCH = str(Path(sys.executable).with_name("bench"))


def crosschecked(found: dict[str, Any]) -> Iterator[str]:
    """Return a table for each crosschecked load."""
    for one in found["checked"]:
        yield f"\n**{one['target']}, {one['workload']}**: {one['asked']}, {found['pairs']} pairs\n"
        yield "| tool | received/s | p50 ms | p99 ms | client CPU µs/msg | memory MB |"
        yield "|---|---|---|---|---|---|"
        for side in one["medians"]:
            cpu, rss = side["cpu_us_per_message"], side["rss_peak"]
            yield (
                f"| {side['version']} | {side['received_per_s']:,.0f} | {side['p50_ns'] / 1e6:.2f} |"
                f" {side['p99_ns'] / 1e6:.2f} | {'?' if cpu is None else f'{cpu:.1f}'} |"
                f" {'?' if rss is None else f'{rss / 1e6:.0f}'} |"
            )
        yield ""
        for ratio in one["ratios"]:
            if ratio["figure"] in {"received_per_s", "cpu_us_per_message"}:
                words = {"received_per_s": "rate", "cpu_us_per_message": "client CPU"}[ratio["figure"]]
                ends = f" (95 %: {ratio['low']:.2f} to {ratio['high']:.2f})" if ratio["low"] else ""
                yield f"- {words}: {ratio['driver']} / {one['peer']} = **{ratio['ratio']:.2f}**{ends}"
        yield from captured(one)


def captured(one: dict[str, Any]) -> Iterator[str]:
    """Return what a packet capture said, where there was one."""
    if not one["captured"]:
        return
    yield "\n| tool | own p50 / p99 ms | p50 / p99 ms from the packets | messages |"
    yield "|---|---|---|---|"
    for side in one["captured"]:
        own, wire = (
            f"{side[f'{who}_p50_ns'] / 1e6:.3f} / {side[f'{who}_p99_ns'] / 1e6:.3f}" for who in ("own", "wire")
        )
        yield f"| {side['side']} | {own} | {wire} | {side['messages']:,} |"


def beside(scenario: str, *flags: str) -> tuple[str, ...]:
    """Return the command of a crosscheck."""
    return (BENCH, "crosscheck", f"tests/evidence/{scenario}.toml", *flags, "--json")


STEPS = {
    "ceilings": Step(
        "Ceilings: one worker against the null peer, 100 B, everything recorded", program("ceilings"), pairs
    ),
    "recorder": Step("What recording costs, ns a message", program("recorder"), pairs),
    "starts": Step("What compiled code adds to a worker's start", program("starts"), pairs),
    "highest": Step(
        "Highest fixed rate, RabbitMQ, 100 B transient, one producer and one consumer", program("highest"), pairs
    ),
    "dataplane-091": Step(
        "Beside PerfTest on RabbitMQ",
        beside("dataplane-091", "--pairs", "10", "--warm-up", "3"),
        crosschecked,
    ),
    "dataplane-10": Step(
        "Beside Proton and Artemis perf, AMQP 1.0, unsettled window of 256",
        beside("dataplane-10", "--pairs", "10", "--warm-up", "5", "--driver", "proton-engine"),
        crosschecked,
    ),
    "capture": Step(
        "Against a packet capture", beside("capture", "--pairs", "3", "--warm-up", "6", "--capture"), crosschecked
    ),
    "kernel-times": Step(
        "Message by message beside a packet capture, 5,000 msg/s, medians of three runs", program("kernel_times"), pairs
    ),
    "fan-out-091": Step(
        "Beside PerfTest, each message to ten subscribers",
        beside("fan-out-091", "--pairs", "8", "--warm-up", "4"),
        crosschecked,
    ),
    "routing": Step("A thousand bindings of a topic exchange over a direct one", program("routing"), pairs),
    "calls": Step(
        "Calls at 1,000 a second: beside a packet capture, and beside 5,000 resting connections",
        program("calls"),
        pairs,
    ),
    "scale": Step("Scale", program("scale"), pairs),
    "records": Step("Reading and comparing a thousand trials", program("records"), pairs),
}


if __name__ == "__main__":
    sys.exit(carry_out(STEPS, FOLDER, PAGE, str(__doc__)))
