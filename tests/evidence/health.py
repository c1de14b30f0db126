"""Health and findings on a real RabbitMQ: what is done to a trial, and what is said of it. Needs a quiet machine.

    python -m tests.evidence.health [--json FILE]

Five trials on one broker. One is left alone. In one the consumer takes 80 % of what is
offered; in one each worker computes beside its work, 95 % of a core; in one as many
processes as the host has CPUs compute beside the trial; in one the broker is offered more
than it can store. Ours to blame must come out invalid, the broker's as a finding on a valid
trial. Ends with 1 where one comes out otherwise. The drivers that do this are in
`tests.evidence.burdens` and are found as those of any other package are.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.cli.image import ensure_images
from bench.plan.plan import make_plan
from bench.results import archive
from bench.results.records import RunRecord, TrialOutcome, TrialRecord
from bench.run.conductor import conduct
from bench.scenario.products import describe
from bench.scenario.scenario import Scenario
from reports.format import overload_words
from tests.bench.drivers.fake_package import install, on_path
from tests.evidence.burdens import CONSUMED
from tests.quiet import Quiet

RATE = 2_000
BEYOND = 40_000
"""Messages a second that no RabbitMQ on a few CPUs stores in a quorum queue."""
_COMPUTE = "while True: pass"


@dataclass(frozen=True)
class Case:
    """One trial and what must come of it.

    Attributes:
        what: is done.
        driver: of its workers.
        valid: whether it must be valid.
        health: codes of which one at least must be hard.
        findings: codes that must all be there.
        outcome: how it must end; None: in any way.
        beside: whether processes compute beside it.
        durable: whether messages are stored.
        rate: messages a second.
    """

    what: str
    driver: str = "wire091"
    valid: bool = True
    health: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()
    outcome: TrialOutcome | None = TrialOutcome.COMPLETED
    beside: bool = False
    durable: bool = False
    rate: int = RATE


OURS = frozenset({"client-bound", "send-lag", "canary-shifted"})
CASES = (
    Case("nothing"),
    Case(
        "a consumer that takes 80 % of the rate",
        "slow091",
        findings=frozenset({"growing", "saturated"}),
        outcome=TrialOutcome.OVERLOADED,
    ),
    Case("workers that compute 95 % of the time", "burnt091", valid=False, health=OURS, outcome=None),
    Case("a process for each CPU beside it", valid=False, health=OURS, outcome=None, beside=True),
    Case(
        f"{BEYOND:,} durable messages a second",
        findings=frozenset({"growing", "saturated"}),
        outcome=TrialOutcome.OVERLOADED,
        durable=True,
        rate=BEYOND,
    ),
)


def scenario(case: Case) -> Scenario:
    """Return one target under one load."""
    return Scenario.model_validate(
        {
            "name": "health",
            "title": "Health",
            "question": "Is it said?",
            "brokers": [{"name": "rabbitmq", "kind": "rabbitmq"}],
            "targets": [{"name": "rabbitmq", "broker": "rabbitmq", "protocol": "amqp091", "driver": case.driver}],
            "workloads": [
                {
                    "name": "fixed",
                    "load": {"kind": "rate", "rate": case.rate, "max_backlog": 10_000_000},
                    "durable": case.durable,
                    "duration": "10s",
                }
            ],
            "plan": {
                "repetitions": 1,
                "restart": "run",
                "drain": "2s",
                "warm_up": {"at_least": "4s", "at_most": "5s", "window": "2s", "tolerance": 0.5, "settle": "1s"},
            },
        }
    )


@contextmanager
def computing(processes: int) -> Iterator[None]:
    """Keep so many processes busy until the context ends."""
    started = [subprocess.Popen([sys.executable, "-c", _COMPUTE]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def trial(case: Case, folder: Path) -> TrialRecord:
    """Run a case as a run of its own; return its one trial."""
    asked = scenario(case)
    images = ensure_images(asked)
    record = RunRecord(
        run_id="health",
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        mode="full",
        scenario=asked,
        seed=1,
        overrides=(),
        command="",
        plan=make_plan(asked, 1),
        tools={},
        host={},
        images={},
        products=describe(asked),
    )
    archive.create(folder, record, "")
    with computing((os.cpu_count() or 1) if case.beside else 0):
        end = conduct(record, folder, {name: found.root for name, found in images.items()}, Quiet())
    if end.failed:
        raise SystemExit("; ".join(end.failed))
    return archive.read(folder).trials[0].record


def as_expected(case: Case, record: TrialRecord) -> bool:
    """Return whether what must come of a case came of it."""
    hard = {note.code for note in record.health if note.hard}
    return (
        record.valid == case.valid
        and (case.valid or bool(hard & case.health))
        and case.findings <= {note.code for note in record.findings}
        and case.outcome in {None, record.outcome}
    )


def said(record: TrialRecord) -> str:
    """Return verdict, end, health (hard codes in capitals) and findings in one line."""
    health = [note.code.upper() if note.hard else note.code for note in record.health]
    end = overload_words([record.backlog_growth]) if record.outcome is TrialOutcome.OVERLOADED else record.outcome.value
    return (
        f"{'valid' if record.valid else 'INVALID'}; {end}; health: {', '.join(health) or 'nothing'};"
        f" findings: {', '.join(note.code for note in record.findings) or 'none'}"
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run every case and print what was said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    rows, missed = [], 0
    with (
        tempfile.TemporaryDirectory() as place,
        on_path(install(Path(place) / "site", "busbench-burdens", CONSUMED).parent),
    ):
        for number, case in enumerate(CASES):
            record = trial(case, Path(place) / str(number))
            met = as_expected(case, record)
            missed += not met
            rows.append({"what": case.what, "value": said(record) + ("" if met else "  NOT AS EXPECTED")})
            print(f"{rows[-1]['what']:<42} {rows[-1]['value']}", flush=True)
            for note in (*record.health, *record.findings):
                print(f"    {note.code}: {note.text}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
