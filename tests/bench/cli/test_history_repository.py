"""A repository with all that happens to one, by `bench history`, `gate` and `comment`: the commit at fault is named.

Forty commits, one every other day, a run each; a branch; a target that is renamed; a host that is
replaced; six old commits that are measured last. One commit makes everything slower.
"""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bench.cli.main import app
from tests.bench.cli.ci_variables import CI_VARIABLES
from tests.reports.in_memory import served
from tests.reports.synthetic import TARGETS, Made, MadeTrial, make, write

COMMITS, RENAMED, LEFT, REGRESSION, NEW_HOST = 40, 8, 20, 26, 33
BACKFILLED = range(10, 16)
OF_BRANCH = 5
FIRST_DAY = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2 * COMMITS)
_SHORT_HASH = re.compile(r"\b[0-9a-f]{12}\b")


def bench(*words: object, code: int = 0) -> Result:
    """Run the command, which must end with this exit code."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def git(*words: str, told: str = "") -> str:
    """Run git in this folder; return what it says."""
    done = subprocess.run(["git", *words], input=told, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository() -> tuple[list[str], list[str]]:
    """Make one in this folder; return the commits of main and of the branch, the oldest first."""

    def commit(branch: str, day: float, mark: int, parent: int | None = None) -> str:
        when = int((FIRST_DAY + timedelta(days=day)).timestamp())
        text, after = f"commit {mark}", f"from :{parent}\n" if parent else ""
        head = f"commit refs/heads/{branch}\nmark :{mark}\ncommitter a <a@example.org> {when} +0000\n"
        return f"{head}data {len(text)}\n{text}\n{after}"

    of_main = [commit("main", 2 * k, k + 1) for k in range(COMMITS)]
    of_branch = [
        commit("feature", 2 * LEFT + 1 + k / 10, COMMITS + k + 1, None if k else LEFT + 1) for k in range(OF_BRANCH)
    ]
    git("init", "--quiet", "--initial-branch", "main")
    git("fast-import", "--quiet", told="".join(of_main + of_branch))
    git("checkout", "--quiet", "main")
    return git("rev-list", "--reverse", "main").split(), git("rev-list", "--reverse", "main..feature").split()


@dataclass
class Runs:
    """Makes runs in memory, of one target and five trials each: they differ in time, host, target and rate."""

    first: Made
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def make(self, day: float, level: float, target: str = "quiet", cpu: str = "Old CPU") -> Made:
        """Return a run on a day, with 1 % of noise about a level."""
        when = FIRST_DAY + timedelta(days=day)
        run = self.first.record
        targets = tuple(one.model_copy(update={"name": target}) for one in run.scenario.targets)
        own: dict[str, Any] = {
            "run_id": f"smoke-{when:%Y%m%d-%H%M%S}",
            "started_utc": when.isoformat(),
            "scenario": run.scenario.model_copy(update={"targets": targets}),
            "plan": tuple(line.model_copy(update={"target": target}) for line in run.plan),
            "host": run.host | {"cpu": cpu},
        }
        rate = 2_000 * level * self.rng.lognormal(0, 0.01)
        trials = [
            replace(
                trial,
                record=trial.record.model_copy(
                    update={
                        "target": target,
                        "achieved_rate": rate * self.rng.lognormal(0, 0.005),
                        "start_utc": when.isoformat(),
                    }
                ),
            )
            for trial in self.first.trials
        ]
        return Made(run.model_copy(update=own), tuple(trials))


@dataclass(frozen=True)
class Kept:
    """What a repository has measured.

    Attributes:
        main, feature: commits of both branches, the oldest first.
        runs: one a commit.
        store: what `bench history` keeps of them.
    """

    main: list[str]
    feature: list[str]
    runs: dict[str, Made]
    store: Path


def runs_of_one_row() -> Runs:
    """Return runs of one target and one workload."""

    def alone(run: dict[str, Any]) -> dict[str, Any]:
        scenario = run["scenario"]
        scenario["targets"] = [one for one in scenario["targets"] if one["name"] == TARGETS[0]]
        scenario["workloads"] = [one for one in scenario["workloads"] if one["name"] == "steady"]
        run["plan"] = [line for line in run["plan"] if of_row(line)]
        return run

    def of_row(trial: dict[str, Any]) -> dict[str, Any] | None:
        return trial if (trial["target"], trial["workload"]) == (TARGETS[0], "steady") else None

    def lean(trial: MadeTrial) -> MadeTrial:
        """Return a trial with its responses alone: forty runs of every latency would take seconds more."""
        response = {"response": trial.record.latency["response"]}
        drawn = replace(trial.drawn, logged={"response": trial.drawn.logged["response"]})
        return replace(trial, record=trial.record.model_copy(update={"latency": response}), drawn=drawn)

    first = make(mode="full", repetitions=5, seconds=2, closed_loop=False, change=of_row, change_run=alone)
    return Runs(replace(first, trials=tuple(map(lean, first.trials))))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Every run, added to a history as it was measured; the repository is this folder."""
    folder = tmp_path_factory.mktemp("repository")
    runs = runs_of_one_row()
    with pytest.MonkeyPatch.context() as patch:
        for name in CI_VARIABLES:
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        main, feature = repository()
        made: dict[str, Made] = {}
        for position, commit in enumerate(main):
            target = {"target": "calm"} if position < RENAMED else {}
            host = {"cpu": "New CPU"} if position >= NEW_HOST else {}
            level = (0.85 if position >= REGRESSION else 1.0) * (0.5 if host else 1.0)
            day = 2 * COMMITS - 1 + position / 100 if position in BACKFILLED else 2 * position + 0.1
            made[commit] = runs.make(day, level, **target, **host)
        for k, commit in enumerate(feature):
            made[commit] = runs.make(2 * COMMITS - 2 + k / 10, 0.6 if k else 1.0)
        late = [main[position] for position in BACKFILLED]
        order = [*(commit for commit in main if commit not in late), *feature, *late]
        store = tmp_path_factory.mktemp("history") / "store"
        with served(*(made[commit] for commit in order)) as folders:
            for commit, results in zip(order, folders, strict=True):
                branch = ("--branch", "feature") if commit in feature else ()
                added = bench(
                    "history", "add", results, "--commit", commit, "--main", "main", *branch, "--store", store
                ).output
                assert ("beside main, on branch feature" in added) == (commit in feature)
        yield Kept(main, feature, made, store)


def test_the_commit_at_fault_is_named_and_nothing_else(kept: Kept) -> None:
    """One change of one series, by the hash of its commit; the branch is judged for itself."""
    at_fault = kept.main[REGRESSION][:12]
    checked = bench("history", "check", "--store", kept.store, code=3).output
    [alarm] = [line for line in checked.splitlines() if re.match(r" +(proposed|drift|silent)", line)]
    assert "15 % worse" in alarm
    assert f"(commit {at_fault})" in alarm
    assert ".." not in alarm  # that one commit is certain
    assert set(_SHORT_HASH.findall(checked)) == {at_fault}
    assert "1 of " in checked
    assert "more have ended" in checked
    assert f"Branches, seen with --branch: feature ({OF_BRANCH} runs)." in checked

    of_branch = bench(
        "history", "check", "--store", kept.store, "--branch", "feature", "--only", "achieved rate", code=3
    ).output
    assert f"(commit {kept.feature[1][:12]})" in of_branch
    assert at_fault not in of_branch
    [line] = [line for line in of_branch.splitlines() if " proposed: " in line]
    assert "40 % worse" in line


def test_a_gate_holds_each_commit_against_the_one_before_it(kept: Kept, tmp_path: Path) -> None:
    """Only the commit at fault is suspect, and what comes of the branch; the comment names the baseline alone."""
    budget = tmp_path / "budget.toml"
    budget.write_text("[[limits]]\nmetric = 'achieved_rate'\n[[limits]]\nmetric = 'lost'\n")

    def gated(commit: str, baseline: str, code: int) -> list[str]:
        """Return which metrics are suspect."""
        git("checkout", "--quiet", commit)
        results, md = write(tmp_path / commit, kept.runs[commit]), tmp_path / f"{commit}.md"
        history = ("--baseline-store", kept.store, "--merge-base-with", "main", "--budget", budget)
        bench("gate", results, *history, "--md", md, "--comment-marker", "gate", code=code)
        text = md.read_text()
        assert set(_SHORT_HASH.findall(text)) == {baseline[:12]}, text
        there = [{"id": 7, "body": "Looks fine."}, {"id": 8, "body": text}, {"id": 9, "body": f"> {text}"}]
        (tmp_path / "comments.json").write_text(json.dumps(there))
        assert bench("comment", md, tmp_path / "comments.json").output == "8\n"
        cells = [[cell.strip() for cell in row.split("|")] for row in text.splitlines()]
        return [" ".join(row[1:4]) for row in cells if "suspect" in row]

    main, of_rate = kept.main, ["quiet steady achieved\\_rate"]  # as Markdown escapes it
    assert gated(main[REGRESSION], main[REGRESSION - 1], code=3) == of_rate
    assert gated(main[REGRESSION + 1], main[REGRESSION], code=0) == []
    late = BACKFILLED.stop  # the commit before it was measured after it
    assert gated(main[late], main[late - 1], code=0) == []
    # Neither what the branch had before, nor what main had since.
    assert gated(kept.feature[-1], main[LEFT], code=3) == of_rate


def test_an_acceptance_ends_it(kept: Kept, tmp_path: Path) -> None:
    """No alarm is left, and every run is."""
    store = ("--store", shutil.copytree(kept.store, tmp_path / "store"))
    of_rate = ("--only", "achieved rate")
    point = kept.main[REGRESSION][:12]
    assert "level accepted" in bench("history", "accept", point, "--why", "checks more", *of_rate, *store).output
    shown = bench("history", "show", *of_rate, *store).output
    assert "accepted: 15 % worse" in shown
    assert "No unconfirmed change" in shown
    lines = csv.DictReader(bench("history", "export", "-", *store).output.splitlines())
    assert {line["commit"] for line in lines} == {*kept.main, *kept.feature}
