"""What 1,000 bindings of a topic exchange cost over a direct one, by our driver and by PerfTest: do they say the same?

    python -m tests.evidence.routing [--json FILE] [--pairs 8]

Each round is eight runs on one RabbitMQ, forwards and backwards in turn: both exchanges by both tools, as fast as it
goes and at 20,000 messages a second. At that rate the broker's CPU time a message is compared, which no tool's own cost
is part of; the ratio of the highest rates has the client's in both its parts, where client and broker share two CPUs.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.crosscheck.fetch import ensure
from bench.crosscheck.perftest import PerfTest
from bench.crosscheck.readings import Reading
from bench.stats.ratio import Pair, compare
from tests.evidence.beside import of_file, pairings_of, sides_of

FIGURES = {
    "": ("received_per_s", "msg/s"),
    "-20k": ("broker_cpu_us_per_message", "broker CPU at 20,000/s, µs a message"),
}
"""What is compared, by the ending of the workload's name."""


def values(readings: list[Reading], figure: str) -> list[float]:
    """Return a figure of counted readings."""
    return [float(getattr(one, figure)) for one in readings if one.pair]


def main() -> None:
    """Measure, print, and end with 1 where the two intervals of the broker's CPU time do not meet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pairs", type=int, default=8)
    given = parser.parse_args()
    scenario, peer = of_file("routing"), PerfTest()
    folders = {peer.name: ensure(peer, lambda text: sys.stderr.write(f"{text}\n"))}
    asked = {one.workload.name: one for one in pairings_of(scenario, peer)}
    tools = next(iter(asked.values())).sides
    runs: dict[tuple[str, str], list[Reading]] = {(tool, name): [] for tool in tools for name in asked}
    with sides_of(scenario, folders) as (sides, _):
        for pair in range(given.pairs + 1):
            for run in list(runs) if pair % 2 else reversed(list(runs)):
                tool, name = run
                sys.stderr.write(f"  round {pair} of {given.pairs}: {tool} {name}\n")
                runs[run].append(sides.reading(asked[name], tool, pair))
    rows: list[dict[str, object]] = []
    for ending, (figure, words) in FIGURES.items():
        ends = []
        for tool in tools:
            direct, topic = (values(runs[tool, f"{kind}{ending}"], figure) for kind in ("direct", "topic"))
            found = compare(Pair(topic, direct))
            ends.append((found.low, found.high))
            ratio = f"{found.ratio:.3f} (95 %: {found.low:.3f} to {found.high:.3f})"
            rows += [
                {"what": f"{tool}: direct, {words}, mean", "value": sum(direct) / len(direct)},
                {"what": f"{tool}: topic with 1,000 bindings, {words}, mean", "value": sum(topic) / len(topic)},
                {"what": f"{tool}: topic / direct, {given.pairs} pairs", "value": ratio},
            ]
        alike = max(low for low, _ in ends) <= min(high for _, high in ends)
        rows.append({"what": f"the intervals meet, {words}", "value": "yes" if alike else "no"})
    for row in rows:
        sys.stdout.write(f"{row['what']:<75} {row['value']}\n")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if not alike:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
