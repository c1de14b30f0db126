"""A broker beside itself, and beside itself with half its CPU, on RabbitMQ. Needs a quiet machine and half an hour.

    python -m tests.evidence.aa [--json FILE] [--pairs 20] [--part same|half] [--set PATH=VALUE …]

Interleaved pairs of a broker and itself must give no "better" and no "worse"; the same broker
with one CPU instead of two must be called worse. Both runs are those of the shipped scenario
`noise-floor`, the second with a broker of its own for target b. Ends in 1 where either fails.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.scenario.loading import SHIPPED
from bench.stats.ratio import Pair, Verdict, compare_family
from reports.dataset import load
from reports.history.series import METRICS, rows

BENCH = str(Path(sys.executable).with_name("bench"))
SHOWN = ("p50 response", "p99 response", "achieved rate", "p50 service", "p99 service", "broker CPU")
TITLES = {"same": "The same broker twice", "half": "The same broker with two CPUs (a) and with one (b)"}
HELD = {
    "same": lambda verdicts: bool(verdicts) and not verdicts & {Verdict.BETTER, Verdict.WORSE},
    "half": lambda verdicts: Verdict.WORSE in verdicts and Verdict.BETTER not in verdicts,
}
"""What must hold of the verdicts on b; none at all, as where every trial was invalid, shows nothing."""
INVALID = 3
"""Exit code of a run with trials that cannot be trusted; those are left out here."""


def halved(text: str) -> str:
    """Return the shipped scenario with target b on a broker that has one CPU instead of two."""
    [broker] = tomllib.loads(text)["brokers"]
    fields = {**broker, "name": "half", "cpus": 1}
    table = "\n".join(f"{name} = {json.dumps(value)}" for name, value in fields.items())
    head, mark, tail = text.replace('"noise-floor"', '"half-the-cpu"').partition('name = "b"')
    tail = tail.replace('broker = "rabbitmq"', 'broker = "half"')
    return f"{head}{mark}{tail}\n[[brokers]]\n{table}\n"


def run(scenario: str, folder: Path, overrides: Sequence[str]) -> None:
    """Carry out a scenario."""
    words = [BENCH, "run", scenario, "--out", str(folder), "--seed", "1"]
    for override in overrides:
        words += ["--set", override]
    done = subprocess.run(words, check=False)
    if done.returncode not in {0, INVALID}:
        sys.exit(f"bench run {scenario} ended in {done.returncode}")


def compared(folder: Path) -> list[dict[str, Any]]:
    """Return each metric under each workload: b over a in pairs, those that are judged as one family."""
    frame = rows(load(folder), "")
    found, pairs = [], []
    for workload in sorted(set(frame["workload"])):
        for metric in SHOWN:
            chosen = frame[(frame["workload"] == workload) & (frame["metric"] == metric)]
            sides = chosen.pivot_table(index="repetition", columns="target", values="value").dropna()
            if {"a", "b"} <= set(sides.columns) and len(sides) > 1:
                lower = METRICS[metric].lower_is_better
                pairs.append(Pair(sides["b"].tolist(), sides["a"].tolist(), lower_is_better=lower))
                found.append({"workload": workload, "metric": metric, "judged": judged(workload, metric)})
    for group in (True, False):
        places = [k for k, one in enumerate(found) if one["judged"] is group]
        for k, one in zip(places, compare_family([pairs[k] for k in places]), strict=True):
            found[k] |= {"n": one.n, "ratio": one.ratio, "low": one.low, "high": one.high, "verdict": str(one.verdict)}
    return found


def judged(workload: str, metric: str) -> bool:
    """Return whether this is the metric that a report would judge."""
    return metric == ("p99 response" if workload == "steady" else "achieved rate")


def table(title: str, found: Sequence[dict[str, Any]]) -> None:
    """Print what was found; judged lines are marked."""
    print(f"\n{title}\n")
    print("| workload | metric | pairs | b / a | interval | verdict on b |")
    print("|---|---|---|---|---|---|")
    for one in found:
        mark = "**" if one["judged"] else ""
        interval = f"{one['low']:.3f} to {one['high']:.3f}"
        verdict = f"{mark}{one['verdict']}{mark}"
        print(f"| {one['workload']} | {one['metric']} | {one['n']} | {one['ratio']:.3f} | {interval} | {verdict} |")


def main(words: Sequence[str] | None = None) -> int:
    """Run both, print the tables, and return whether what must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--part", choices=("same", "half", "both"), default="both")
    parser.add_argument("--set", action="append", default=[], help="as `bench run` takes it, for a shorter look")
    given = parser.parse_args(words)
    overrides = [f"plan.repetitions={given.pairs}", *given.set]
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="busbench-aa-") as place:
        other = Path(place) / "half.toml"
        other.write_text(halved((SHIPPED / "noise-floor.toml").read_text(encoding="utf-8")), encoding="utf-8")
        for part, scenario in (("same", "noise-floor"), ("half", str(other))):
            if given.part in {part, "both"}:
                run(scenario, Path(place) / part, overrides)
                found[part] = compared(Path(place) / part)
                table(TITLES[part], found[part])
    held = {part: HELD[part]({one["verdict"] for one in lines if one["judged"]}) for part, lines in found.items()}
    for part, holds in held.items():
        print(f"\n{TITLES[part]}: {'as it must be' if holds else 'NOT as it must be'}.")
    if given.json:
        given.json.write_text(json.dumps(found | {"held": held}, indent=1), encoding="utf-8")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
