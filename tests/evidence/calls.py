"""Calls at 1,000 a second: our round trips beside a packet capture, and the calls beside 5,000 connections at rest.

    python -m tests.evidence.calls [--json FILE] [--runs 5]

Runs of both kinds alternate on one RabbitMQ. Needs root and tcpdump. Ends with 1 where the packets and we differ by
more than 5 % and 50 µs in the median of the runs, or where the calls were not held.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median

from bench.crosscheck.capture import captured
from bench.crosscheck.readings import Captured
from bench.record.histogram import decode
from bench.results.records import TrialOutcome
from tests.evidence.beside import of_file, pairings_of, sides_of

RATE = 1_000
SHARE, NEAR_NS = 0.05, 50_000
HELD = 0.99


def main() -> None:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    scenario = of_file("calls")
    alone, crowded = pairings_of(scenario)
    driver = alone.target.driver
    captures: list[Captured] = []
    held: dict[str, list[float]] = {"alone": [], "crowded": []}
    times: dict[str, list[tuple[int, int]]] = {"alone": [], "crowded": []}
    whole = True
    with sides_of(scenario) as (sides, folder):
        for run in range(given.runs):
            sys.stderr.write(f"  run {run + 1} of {given.runs}\n")
            captures.append(captured(sides, alone, driver, folder))
            for name, one in (("alone", alone), ("crowded", crowded)):
                record = sides.ours(one, driver)
                held[name].append(record.achieved_rate / RATE)
                response = decode(record.latency["response"].histogram)
                times[name].append((response.get_value_at_percentile(50), response.get_value_at_percentile(99)))
                sys.stderr.write(
                    f"    {name}: {record.outcome} {record.achieved_rate:,.1f} calls/s {times[name][-1]}\n"
                )
                whole = whole and record.outcome is TrialOutcome.COMPLETED and not record.ledger.undelivered
    rows: list[dict[str, object]] = []
    good = whole
    for at in ("p50", "p99"):
        own, wire = (median(getattr(one, f"{who}_{at}_ns") for one in captures) for who in ("own", "wire"))
        good = good and (abs(own - wire) <= max(NEAR_NS, SHARE * wire))
        rows.append({"what": f"round trip, {at}: own, µs", "value": own / 1_000})
        rows.append({"what": f"round trip, {at}: by the packets, µs", "value": wire / 1_000})
    for name, ratios in held.items():
        good = good and min(ratios) >= HELD
        rows.append({"what": f"{name}: calls answered of 1,000 a second, least", "value": f"{min(ratios):.4f}"})
        for place, at in enumerate(("p50", "p99")):
            rows.append(
                {"what": f"{name}: round trip, {at}, µs", "value": median(one[place] for one in times[name]) / 1_000}
            )
    for row in rows:
        sys.stdout.write(f"{row['what']:<60} {row['value']}\n")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
