"""The figures of docs/performance.md: measure each, then write the page. Needs a quiet machine and most of an hour.

    python -m tests.evidence.performance            # measure what is missing, write the page
    python -m tests.evidence.performance --render   # write the page from what was measured

Each step leaves a JSON file in `results/performance/`; a step whose file is there is not
repeated, so that an interrupted series goes on where it stopped. What the figures mean,
and why a goal is missed where it is, stands in the page above the mark, written by hand.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.run.host import host_facts

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "results" / "performance"
PAGE = ROOT / "docs" / "performance.md"
BENCH = str(Path(sys.executable).with_name("bench"))
PYTHON = sys.executable
MARK = "## Measured"
"""Heading of the part of the page that is written here."""
STEPS: dict[str, tuple[str, ...]] = {
    "ceilings": (PYTHON, "-m", "tests.evidence.ceilings", "--json"),
    "recorder": (PYTHON, "-m", "tests.evidence.recorder", "--json"),
    "starts": (PYTHON, "-m", "tests.evidence.starts", "--json"),
    "dataplane-091": (
        *(BENCH, "crosscheck", "tests/evidence/dataplane-091.toml", "--pairs", "10", "--warm-up", "3"),
        "--json",
    ),
    "dataplane-10": (
        *(BENCH, "crosscheck", "tests/evidence/dataplane-10.toml", "--pairs", "10", "--warm-up", "5"),
        *("--driver", "proton", "--json"),
    ),
    "capture": (
        *(BENCH, "crosscheck", "tests/evidence/capture.toml", "--pairs", "3", "--warm-up", "6", "--capture", "--json"),
    ),
    "scale": (PYTHON, "-m", "tests.evidence.scale", "--json"),
    "highest": (PYTHON, "-m", "tests.evidence.highest", "--json"),
}


def measure() -> None:
    """Run the steps whose figures are missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, command in STEPS.items():
        file = FOLDER / f"{name}.json"
        if file.exists():
            continue
        sys.stderr.write(f"== {name}\n")
        begin = time.monotonic()
        partial = file.with_suffix(".partial")
        subprocess.run([*command, str(partial)], cwd=ROOT, check=True)
        partial.rename(file)
        sys.stderr.write(f"== {name}: {time.monotonic() - begin:.0f} s\n")
    facts = host_facts(ROOT, ROOT) | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
    (FOLDER / "host.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


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


def pairs(found: dict[str, Any] | list[dict[str, Any]]) -> Iterator[str]:
    """Return a table of names and values."""
    rows = found.items() if isinstance(found, dict) else ((row["what"], row["value"]) for row in found)
    yield "| what | figure |"
    yield "|---|---|"
    for name, value in rows:
        yield f"| {name} | {value if isinstance(value, str) else f'{value:,.2f}'.removesuffix('.00')} |"


TITLES = {
    "ceilings": ("Ceilings: one worker against the null peer, 100 B, everything recorded", pairs),
    "recorder": ("What recording costs, ns a message", pairs),
    "starts": ("What compiled code adds to a worker's start", pairs),
    "highest": ("Highest fixed rate, RabbitMQ, 100 B transient, one producer and one consumer", pairs),
    "dataplane-091": ("Beside PerfTest on RabbitMQ", crosschecked),
    "dataplane-10": ("Beside Proton and Artemis perf, AMQP 1.0, unsettled window of 256", crosschecked),
    "capture": ("Against a packet capture", crosschecked),
    "scale": ("Scale", pairs),
}


def render() -> None:
    """Write the page from its hand-written part and the measured files."""
    host = json.loads((FOLDER / "host.json").read_text(encoding="utf-8"))
    machine = ", ".join(host[name] for name in ("cpu", "memory", "kernel", "distribution", "virtualisation", "python"))
    written = PAGE.read_text(encoding="utf-8").partition(MARK)[0].rstrip()
    lines = [written, f"\n{MARK}\n", f"{host['date']}, {host['cpus']} CPUs: {machine}. Command: `make evidence`."]
    for name, (title, table) in TITLES.items():
        file = FOLDER / f"{name}.json"
        if file.exists():
            lines += [f"\n### {title}\n", *table(json.loads(file.read_text(encoding="utf-8")))]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(words: Sequence[str] | None = None) -> None:
    """Measure, then render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--render", action="store_true")
    given = parser.parse_args(words)
    if not given.render:
        measure()
    render()


if __name__ == "__main__":
    main()
