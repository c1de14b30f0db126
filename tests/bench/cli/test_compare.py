"""`bench compare`: the report's table, refusals with what differs, and stored runs that prove nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bench.cli.main import app
from bench.results.durability import Probe
from reports.dataset import load
from reports.summarise import summarise
from tests.reports.in_memory import served
from tests.reports.synthetic import Change, Made, build, make, unchanged

FIRST_SECOND = ("workload", "first", "second")


def bench(*words: str | Path) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, ["compare", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def compared(folder: Path, *words: str | Path, code: int = 0) -> dict[str, Any]:
    """Run it with --json; return what was written."""
    file = folder / "compared.json"
    result = bench(*words, "--json", file)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def sides(found: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return which lines there are."""
    return {tuple(line[name] for name in FIRST_SECOND) for line in found["lines"]}


FULL: dict[str, Any] = {"mode": "full", "repetitions": 10, "closed_loop": False}


@pytest.fixture
def full() -> Iterator[Path]:
    """Ten repetitions of the open workloads."""
    with served(make(**FULL)) as [folder]:
        yield folder


def later(change: Change = unchanged) -> Made:
    """Return the full run under another id, its record changed."""
    return make(**FULL, run_id="rabbitmq-vs-qpid-20260201-120000", change_run=change)


def test_by_target_it_is_the_reports_table(full: Path, tmp_path: Path) -> None:
    """Same pairs, same figures, same verdicts, same correction: the lines with a verdict are the report's."""
    found = compared(tmp_path, full)
    report = summarise(load(full)).comparisons
    judged = [line for line in found["lines"] if not line["why"].startswith(("broker-j-10", "rabbitmq-10"))]
    names = (*FIRST_SECOND, "metric", "n", "ratio", "low", "high", "alpha", "verdict", "trials_needed")
    assert [[line[name] for name in names] for line in judged] == [
        [getattr(line, name) for name in names] for line in report
    ]
    assert len(report) == 12
    text = bench(full).output
    assert "better" in text
    assert "pairs of trials" in text


@pytest.mark.compiled
def test_a_quick_run_names_no_winner(tmp_path: Path) -> None:
    """Ratio and interval are shown, the verdict is undecided with the reason; this run is read from its folder."""
    folder = build(tmp_path / "run", repetitions=3, seconds=1)
    lines = compared(tmp_path, folder)["lines"]
    assert {line["verdict"] for line in lines} == {"undecided"}
    assert all("a quick run names no winner" in line["why"] for line in lines)
    assert all(line["ratio"] > 0 for line in lines)


def test_few_trials_say_how_many_are_needed(tmp_path: Path) -> None:
    """Three pairs: an estimate, and the ten that a verdict needs."""
    with served(make(mode="full", repetitions=3, closed_loop=False)) as folders:
        line = compared(tmp_path, *folders)["lines"][0]
    assert (line["verdict"], line["n"], line["trials_needed"]) == ("undecided", 3, 10)
    assert "3 usable pairs of 10 needed" in line["why"]


def test_unlike_rows_are_refused_with_what_differs(tmp_path: Path) -> None:
    """A smaller cap on one side: exit code 2 and the two caps; like rows are printed; --allow compares all."""

    def smaller(run: dict[str, Any]) -> dict[str, Any]:
        run["products"]["broker-j"]["place"]["caps"]["memory cap"] = "512 MiB"
        return run

    with served(later(smaller)) as [folder]:
        refused = bench(folder)
        found = compared(tmp_path, folder, code=2)
        allowed = compared(tmp_path, folder, "--allow")
    assert refused.exit_code == 2
    said = " ".join(refused.output.split())
    assert "rabbitmq-091 and broker-j-091 are unlike: memory cap: 1024 MiB against 512 MiB" in said
    assert "add --allow" in said
    assert {pair[1:] for pair in sides(found)} == {("rabbitmq-091", "rabbitmq-10"), ("broker-j-091", "broker-j-10")}
    assert len(found["refused"]) == 8
    assert len(allowed["lines"]) == 12
    assert ["memory cap: 1024 MiB against 512 MiB"] in [line["unlike"] for line in allowed["lines"]]
    assert all(line["verdict"] != "undecided" or line["trials_needed"] for line in allowed["lines"])


def test_evidence_decides_what_is_alike(tmp_path: Path) -> None:
    """A quorum queue that was seen not to sync is another class than BDB: durable rows are refused, others not."""
    run = later()
    weak, strong = (
        Probe(broker=broker, workload="durable", size=100, messages=200, fdatasyncs=syncs)
        for broker, syncs in (("rabbitmq", 1), ("broker-j", 200))
    )
    with served(run, probes={run.record.run_id: (weak, strong)}) as [folder]:
        found = compared(tmp_path, folder, code=2)
        summary = summarise(load(folder))
    assert {one["workload"] for one in found["refused"]} == {"durable"}
    assert all("durability class" in one["unlike"][0] for one in found["refused"])
    assert "crash of the broker's process" in summary.cell("rabbitmq-091", "durable").durability
    assert any("0.01 synchronous writes a confirmed message, 200 counted" in line for line in summary.promises)
    assert "different durability" in summary.answers[1].sentence


def test_by_workload_the_load_is_the_question(full: Path, tmp_path: Path) -> None:
    """Each target's two workloads against each other; the durable one is called slower."""
    found = compared(tmp_path, full, "--by", "workload")
    assert [(line["first"], line["second"]) for line in found["lines"]] == [
        (f"{target} steady", f"{target} durable")
        for target in ("rabbitmq-091", "rabbitmq-10", "broker-j-091", "broker-j-10")
    ]
    assert {line["verdict"] for line in found["lines"]} == {"better"}


def test_two_stored_runs_never_prove_anything(tmp_path: Path) -> None:
    """The same numbers again: no sign of change, with the change that remains possible."""
    with served(make(**FULL), later()) as folders:
        found = compared(tmp_path, *folders, "--by", "run")
    assert {line["verdict"] for line in found["lines"]} == {"no sign of change"}
    assert all(0 < line["down_to"] < 1 for line in found["lines"])
    assert len(found["lines"]) == 8


def test_another_host_is_refused(tmp_path: Path) -> None:
    """Stored runs of two machines: what differs of the host, and --allow."""

    def elsewhere(run: dict[str, Any]) -> dict[str, Any]:
        run["host"]["cpu"] = "Other CPU"
        return run

    with served(make(**FULL), later(elsewhere)) as folders:
        result = bench(*folders, "--by", "run")
        allowed = compared(tmp_path, *folders, "--by", "run", "--allow")
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "host class: Example CPU 3.0 GHz × 4, 16 GiB, 6, unknown against Other CPU × 4" in said
    assert all(line["unlike"] for line in allowed["lines"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "run"], "--by run compares two results folders, and 1 is given"),
        (["--by", "broker"], "Invalid value for '--by'"),
    ],
)
def test_usage_faults(full: Path, words: list[str], said: str) -> None:
    """Exit code 2 and the next step."""
    result = bench(full, *words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_no_results_folder(tmp_path: Path) -> None:
    """A folder that is none: exit code 2."""
    result = bench(tmp_path)
    assert result.exit_code == 2
    assert "no results folder" in " ".join(result.output.split())


def test_a_file_that_cannot_be_written(full: Path, tmp_path: Path) -> None:
    """Exit code 4: the host's fault, with the next step."""
    result = bench(full, "--json", tmp_path / "none" / "x.json")
    assert result.exit_code == 4
    assert "cannot be written" in " ".join(result.output.split())
