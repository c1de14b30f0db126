"""`bench search --quick` on RabbitMQ and on Broker-J: what it takes, and the intervals. Needs a quiet machine.

    python -m tests.evidence.search [--json FILE] [--target rabbitmq-091 --target broker-j-10]

Each target is searched by the command in a run of its own, as a user would, so that the
time of each is its own: broker's start, warm-up, short trials and holds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.results.archive import read_search
from bench.results.search import SustainedRate

TARGETS = ("rabbitmq-091", "broker-j-10")
MOST_S = 300.0
BENCH = str(Path(sys.executable).with_name("bench"))


def searched(target: str, folder: Path) -> tuple[SustainedRate, float]:
    """Search one target; return its answer and the seconds that the command took."""
    began = time.monotonic()
    command = [BENCH, "search", "rabbitmq-vs-qpid", "--quick", "--target", target, "--seed", "1", "--out", str(folder)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    took_s = time.monotonic() - began
    record = read_search(folder)
    if record is None:
        message = f"{folder} holds no search"
        raise RuntimeError(message)
    return record.answers[0], took_s


def main(words: Sequence[str] | None = None) -> None:
    """Search, print, and leave with 1 where an interval is not whole or took too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--target", action="append")
    given = parser.parse_args(words)
    rows: dict[str, str | float] = {}
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for target in given.target or TARGETS:
            found, took_s = searched(target, Path(folder) / target)
            good &= found.ended == "found" and took_s < MOST_S
            rows[f"{target}: seconds"] = round(took_s)
            rows[f"{target}: held, msg/s"] = found.low or "none"
            rows[f"{target}: failed its hold, msg/s"] = found.high or "none"
            rows[f"{target}: why"] = found.why or found.ended
            rows[f"{target}: short trials and holds"] = f"{found.short_trials} and {found.holds}"
    for name, value in rows.items():
        print(f"{name:<45} {value}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
