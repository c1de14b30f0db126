"""How long a thousand trials take to be read and compared, and a thousand runs to be watched. Needs two minutes.

    python -m tests.evidence.records [--json FILE] [--trials 1000] [--runs 1000] [--limit 10]

Builds a results folder of that many trials, 4 targets under 5 workloads of 30 s, and reads it
as a report does: every record, log and timeline, checked against each other; then compares all
rows. Then builds a history of that many runs with 40 series, a quarter of which have a change,
finds the changes and draws the page. Ends in 1 where either takes the limit or more.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from bench.results.archive import write_whole
from bench.results.records import PlannedTrial, RunRecord, TrialRecord
from reports.dataset import load
from reports.history.commands import draw, watch
from reports.history.commit import MeasuredCommit
from reports.history.series import COLUMNS, STORE_VERSION
from reports.history.store import Store
from reports.summarise import summarise
from tests.reports.synthetic import build

LIMIT_S = 10.0
SERIES = 40
_MADE = 2


def folder_of(place: Path, trials: int, seconds: int) -> Path:
    """Return a results folder of about so many trials: two repetitions are made, and copied as often as it takes."""
    folder = build(place / "run", mode="full", repetitions=_MADE, seconds=seconds)
    record = RunRecord.model_validate_json((folder / "run.json").read_text(encoding="utf-8"))
    made = sorted((folder / "trials").iterdir())
    plan = list(record.plan)
    for index in range(len(made), trials):
        source = made[index % len(made)]
        trial = TrialRecord.model_validate_json((source / "trial.json").read_text(encoding="utf-8"))
        repetition = trial.repetition + _MADE * (index // len(made))
        # Slightly another rate in each, so that comparisons have something to do.
        rate = trial.achieved_rate * (1 + 1e-4 * (index % 97))
        copy = trial.model_copy(update={"index": index, "repetition": repetition, "achieved_rate": rate})
        target = folder / "trials" / f"{index:03d}-{trial.target}-{trial.workload}"
        shutil.copytree(source, target)
        write_whole(target / "trial.json", copy.model_dump_json())
        plan.append(
            PlannedTrial(
                index=index,
                repetition=repetition,
                target=trial.target,
                workload=trial.workload,
                restart_broker=False,
            )
        )
    write_whole(folder / "run.json", record.model_copy(update={"plan": tuple(plan)}).model_dump_json())
    return folder


def measure(trials: int, seconds: int) -> list[dict[str, str | float]]:
    """Return what each step took, as rows of a table."""
    with tempfile.TemporaryDirectory(prefix="busbench-records-") as place:
        folder = folder_of(Path(place), trials, seconds)
        megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        load(folder_of(Path(place) / "few", 1, 1))  # compiles what is not yet
        begin = time.perf_counter()
        data = load(folder)
        read = time.perf_counter()
        summary = summarise(data)
        end = time.perf_counter()
    return [
        {"what": "trials", "value": float(len(data.trials))},
        {"what": "MB on disk", "value": megabytes},
        {"what": "rows of the report", "value": float(len(summary.cells))},
        {"what": "comparisons", "value": float(len(summary.comparisons))},
        {"what": "reading, s", "value": read - begin},
        {"what": "statistics and comparison, s", "value": end - read},
        {"what": "both, s", "value": end - begin},
    ]


def stored(place: Path, runs: int) -> Store:
    """Return a store of so many runs with 40 series of three trials each; every fourth is 10 % slower at the end."""
    rng = np.random.default_rng(1)
    store = Store(place / "history")
    names = [(f"target-{k % 8}", f"workload-{k // 8}") for k in range(SERIES)]
    for run in range(runs):
        late = [1.1 if k % 4 == 0 and run > 0.7 * runs + k // 8 else 1.0 for k in range(SERIES)]
        when = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=8 * run)).isoformat()
        common = MeasuredCommit(f"{run:08x}").columns() | {
            "store_version": STORE_VERSION,
            "run_id": f"run-{run:05d}",
            "seed": 1,
            "scenario": "nightly",
            "mode": "full",
            "load": "00000000",
            "metric": "p99 response",
            "host_class": "one",
            "time_utc": when,
            "trial_utc": when,
        }
        rows = [
            common
            | {"target": target, "workload": workload, "trial": trial, "repetition": trial}
            | {"value": 1e6 * level * rng.lognormal(0, 0.05)}
            for (target, workload), level in zip(names, late, strict=True)
            for trial in range(3)
        ]
        store.add(pd.DataFrame(rows, columns=list(COLUMNS)))
    return store


def watched(runs: int) -> list[dict[str, str | float]]:
    """Return what finding and drawing the changes of a history took, as rows of a table."""
    with tempfile.TemporaryDirectory(prefix="busbench-records-") as name:
        store = stored(Path(name), runs)
        begin = time.perf_counter()
        found = watch(store)
        judged = time.perf_counter()
        draw(found, html=Path(name) / "history.html")
        end = time.perf_counter()
    return [
        {"what": "runs of a history", "value": float(runs)},
        {"what": "series", "value": float(len(found.series))},
        {"what": "changes proposed", "value": float(sum(len(one.suspects) for one in found.series))},
        {"what": "finding changes, s", "value": judged - begin},
        {"what": "drawing them, s", "value": end - judged},
        {"what": "history, both, s", "value": end - begin},
    ]


def slowest(rows: Sequence[dict[str, str | float]]) -> float:
    """Return the longer of the two times that are held against the limit, in seconds."""
    return max(float(row["value"]) for row in rows if str(row["what"]).endswith("both, s"))


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, and return whether it took too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for each (default: %(default)g)")
    given = parser.parse_args(words)
    found = [*measure(given.trials, given.seconds), *watched(given.runs)]
    for row in found:
        print(f"{row['what']}: {row['value']:,.2f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if slowest(found) < given.limit else 1


if __name__ == "__main__":
    sys.exit(main())
