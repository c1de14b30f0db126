"""The gate on a real RabbitMQ: beside itself it passes, with half the CPUs it fails. Wants a quiet machine.

    python -m tests.evidence.gate [--json FILE] [--pairs 10] [--out FOLDER]

Both gates have the same scenario and budget (`gate.toml`, `gate_budget.toml` in this folder):
once with nothing changed, once with `cpus = 1` for the candidate against 2.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BENCH = (sys.executable, "-c", "from bench.cli import main; main()")
GATES = {
    "beside itself": (0, ()),
    "half the CPUs": (1, ("--set-candidate", "brokers.rabbitmq.cpus=1")),
}
"""What is expected of each gate: its exit code, and what is changed."""


def gate(changes: Sequence[str], pairs: int, folder: Path) -> tuple[int, dict[str, Any]]:
    """Run one gate; return its exit code and what it found."""
    verdict = folder.with_suffix(".json")
    command = [*BENCH, "gate", str(HERE / "gate.toml"), "--paired", *changes, "--pairs", str(pairs)]
    command += ["--budget", str(HERE / "gate_budget.toml"), "--out", str(folder), "--json", str(verdict)]
    code = subprocess.run(command, check=False).returncode
    return code, json.loads(verdict.read_text()) if verdict.exists() else {"sentence": "no verdict", "lines": []}


def main(words: Sequence[str] | None = None) -> None:
    """Run both gates and print what they found, as expected or not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--only", choices=list(GATES), help="one of the two gates")
    parser.add_argument("--out", type=Path, help="keep the results folders below this one")
    given = parser.parse_args(words)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, (expected, changes) in GATES.items():
            if given.only not in (None, name):
                continue
            folder = (given.out or Path(scratch)) / name.replace(" ", "-")
            folder.parent.mkdir(parents=True, exist_ok=True)
            code, verdict = gate(changes, given.pairs, folder)
            said = "as expected" if code == expected else f"NOT as expected ({expected})"
            found.append({"what": f"{name}: exit code", "value": f"{code}, {said}"})
            found.append({"what": f"{name}: verdict", "value": verdict["sentence"]})
            for line in verdict["lines"]:
                text = f"{line['verdict']}: {line['text']}"
                found.append({"what": f"{name}: {line['metric']}, {line['n']} pairs", "value": text})
    for row in found:
        sys.stdout.write(f"{row['what']:<45} {row['value']}\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
