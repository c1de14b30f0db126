"""How long a thousand trials take to be read and compared. Needs a minute.

    python -m tests.evidence.records [--json FILE] [--trials 1000]

Builds a results folder of that many trials, 4 targets under 5 workloads of 30 s, and reads it
as a report does: every record, log and timeline, checked against each other; then compares all
rows. Ends in 1 where that takes 10 s or more.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.archive import write_whole
from bench.results import PlannedTrial, RunRecord, TrialRecord
from reports.dataset import load
from reports.summarise import summarise
from tests.reports.synthetic import build

LIMIT_S = 10.0
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


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, and return whether it took too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args(words)
    found = measure(given.trials, given.seconds)
    for row in found:
        print(f"{row['what']}: {row['value']:,.2f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if float(found[-1]["value"]) < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
