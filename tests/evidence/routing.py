"""What 1,000 bindings of a topic exchange cost over a direct one, by our driver and by PerfTest: do they say the same?

    python -m tests.evidence.routing [--json FILE] [--pairs 10]

Each round is four runs on one RabbitMQ, forwards and backwards in turn: both exchanges by both tools.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.crosscheck import ratios
from bench.crosscheck.fetch import ensure
from bench.crosscheck.perftest import PerfTest
from bench.stats.ratio import Pair, compare
from tests.evidence.beside import of_file, pairings_of, sides_of


def main() -> None:
    """Measure, print, and end with 1 where the two intervals do not meet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    given = parser.parse_args()
    scenario, peer = of_file("routing"), PerfTest()
    folders = {peer.name: ensure(peer, lambda text: sys.stderr.write(f"{text}\n"))}
    asked = {one.workload.name: one for one in pairings_of(scenario, peer)}
    runs = [(side, exchange) for side in next(iter(asked.values())).sides for exchange in ("direct", "topic")]
    rates: dict[str, list[float]] = {f"{side} {exchange}": [] for side, exchange in runs}
    with sides_of(scenario, folders) as (sides, _):
        for pair in range(given.pairs + 1):
            for name in ratios.order(list(rates), pair):
                side, exchange = name.rsplit(" ", 1)
                reading = sides.reading(asked[exchange], side, pair)
                sys.stderr.write(f"  {pair} {name}: {reading.received_per_s:,.0f} msg/s\n")
                if pair:
                    rates[name].append(reading.received_per_s)
    rows: list[dict[str, object]] = []
    ends = []
    for side in dict.fromkeys(side for side, _ in runs):
        direct, topic = rates[f"{side} direct"], rates[f"{side} topic"]
        found = compare(Pair(topic, direct))
        ends.append((found.low, found.high))
        rows += [
            {"what": f"{side}: direct, msg/s, mean", "value": round(sum(direct) / len(direct))},
            {"what": f"{side}: topic with 1,000 bindings, msg/s, mean", "value": round(sum(topic) / len(topic))},
            {
                "what": f"{side}: topic / direct, geometric mean of {given.pairs} pairs",
                "value": f"{found.ratio:.3f} (95 %: {found.low:.3f} to {found.high:.3f})",
            },
        ]
    alike = max(low for low, _ in ends) <= min(high for _, high in ends)
    rows.append({"what": "the intervals meet", "value": "yes" if alike else "no"})
    for row in rows:
        sys.stdout.write(f"{row['what']:<60} {row['value']}\n")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if not alike:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
