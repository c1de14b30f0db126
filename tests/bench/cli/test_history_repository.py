"""A repository with all that happens to one, through `bench history add` and `check`: the commit at fault is named.

Forty commits, one every other day, a run each; a branch; a target that is renamed; a host that is
replaced; six old commits that are measured last. One commit makes everything slower.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bench.cli.main import app
from reports.history.store import Store
from tests.bench.cli.ci_variables import CI_VARIABLES

pytestmark = pytest.mark.compiled

COMMITS, RENAMED, LEFT, REGRESSION, NEW_HOST = 40, 8, 20, 26, 33
BACKFILLED = range(10, 16)
FIRST_DAY = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2 * COMMITS)
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")


def git(*words: str, day: float = 0.0) -> str:
    """Run git in this folder, as of a day; return what it says."""
    when = (FIRST_DAY + timedelta(days=day)).isoformat()
    dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    done = subprocess.run([*GIT, *words], check=True, capture_output=True, text=True, env=os.environ | dates)
    return done.stdout.strip()


def commit(name: str, day: float) -> str:
    """Make a commit; return its hash."""
    git("commit", "--allow-empty", "--quiet", "--message", name, day=day)
    return git("rev-parse", "HEAD")


def bench(*words: object, code: int = 0) -> Result:
    """Run `bench history`, which must end with this exit code."""
    result = CliRunner().invoke(app, ["history", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


@dataclass
class Runs:
    """Makes results folders of runs: a real one with another name, time, host, target and rate."""

    real: Path
    folder: Path
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    made: int = 0

    def make(self, day: float, level: float, target: str = "quiet", cpu: str = "Old CPU") -> Path:
        """Return the folder of a run on a day, with 1 % of noise about a level."""
        self.made += 1
        when = FIRST_DAY + timedelta(days=day)
        place = self.folder / f"run-{self.made}"
        shutil.copytree(self.real, place)
        self._change(place / "run.json", lambda run: run | self._run(run, when, target, cpu))
        rate = 1_000 * level * self.rng.lognormal(0, 0.01)
        for trial in list((place / "trials").iterdir()):
            own = {
                "target": target,
                "achieved_rate": rate * self.rng.lognormal(0, 0.001),
                "start_utc": when.isoformat(),
            }
            self._change(trial / "trial.json", lambda record, own=own: record | own)
            trial.rename(trial.with_name(trial.name.replace("calm", target)))
        return place

    def _run(self, run: dict[str, Any], when: datetime, target: str, cpu: str) -> dict[str, Any]:
        scenario = run["scenario"]
        targets = [one | {"name": target} for one in scenario["targets"]]
        return {
            "run_id": f"smoke-{when:%Y%m%d-%H%M%S}",
            "started_utc": when.isoformat(),
            "scenario": scenario | {"targets": targets},
            "plan": [line | {"target": target} for line in run["plan"]],
            "host": run["host"] | {"cpu": cpu},
        }

    @staticmethod
    def _change(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        file.write_text(json.dumps(change(json.loads(file.read_text()))))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one target and two trials."""
    folder = tmp_path_factory.mktemp("real") / "run"
    done = CliRunner().invoke(app, ["run", "smoke", "--seed", "5", "--no-report", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    record = json.loads((folder / "run.json").read_text())
    record["plan"] = [line for line in record["plan"] if line["target"] == "calm"]
    record["scenario"]["targets"] = [one for one in record["scenario"]["targets"] if one["name"] == "calm"]
    (folder / "run.json").write_text(json.dumps(record))
    for trial in (folder / "trials").glob("*stalling*"):
        shutil.rmtree(trial)
    return folder


def test_the_commit_at_fault_is_named_and_nothing_else(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One change of one series, by the hash of its commit; the branch is judged for itself; an acceptance ends it."""
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    runs, store = Runs(real, tmp_path / "runs"), tmp_path / "store"
    git("init", "--quiet", "--initial-branch", "main")
    hashes: list[str] = []

    def level(position: int) -> float:
        return 0.85 if position >= REGRESSION else 1.0

    for position in range(COMMITS):
        hashes.append(commit(f"commit {position}", day=2 * position))
        if position in BACKFILLED:
            continue
        kind = {"target": "calm"} if position < RENAMED else {}
        host = {"cpu": "New CPU"} if position >= NEW_HOST else {}
        factor = 0.5 if host else 1.0
        bench("add", runs.make(2 * position + 0.1, factor * level(position), **kind, **host), "--store", store)

    git("checkout", "--quiet", "-b", "feature", hashes[LEFT])
    slow = [commit(f"feature {k}", day=2 * LEFT + 1 + k / 10) for k in range(5)]
    for k, each in enumerate(slow):
        git("checkout", "--quiet", each)
        added = bench(
            "add", runs.make(2 * COMMITS - 2 + k / 10, 0.6 if k else 1.0), "--branch", "feature", "--store", store
        )
        assert "beside main, on branch feature" in added.output
    for position in BACKFILLED:
        git("checkout", "--quiet", hashes[position])
        bench("add", runs.make(2 * COMMITS - 1 + position / 100, level(position)), "--store", store)
    git("checkout", "--quiet", "main")

    checked = bench("check", "--store", store, code=3)
    alarms = [line for line in checked.output.splitlines() if re.match(r" +(proposed|drift|silent)", line)]
    [alarm] = alarms
    assert "15 % worse" in alarm
    assert f"(commit {hashes[REGRESSION][:12]})" in alarm
    assert ".." not in alarm  # that one commit is certain
    assert set(re.findall(r"\b[0-9a-f]{12}\b", checked.output)) == {hashes[REGRESSION][:12]}
    assert "1 of " in checked.output
    assert "more have ended" in checked.output
    assert "Branches, seen with --branch: feature (5 runs)." in checked.output

    of_branch = bench("check", "--store", store, "--branch", "feature", code=3)
    assert f"(commit {slow[1][:12]})" in of_branch.output
    assert hashes[REGRESSION][:12] not in of_branch.output
    [branch] = [line for line in of_branch.output.splitlines() if " proposed: " in line]
    assert "40 % worse" in branch

    accepted = bench(
        "accept", hashes[REGRESSION][:12], "--why", "checks more", "--only", "achieved rate", "--store", store
    )
    assert "level accepted" in accepted.output
    assert "No unconfirmed change" in bench("check", "--store", store).output
    assert "accepted: 15 % worse" in bench("show", "--store", store).output
    assert len(set(Store(store).rows()["file"])) == COMMITS + len(slow)
