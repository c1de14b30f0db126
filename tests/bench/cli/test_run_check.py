"""`bench run --check` and `--abort-on`, on the scripted broker: verdicts, exit codes, what a folder keeps of them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.main import app
from bench.results.archive import read

pytestmark = pytest.mark.compiled

SCENARIO = """
name = "tiny"
title = "Tiny"
question = "Is it fast enough?"
brokers = [{ name = "scripted", kind = "memory", capacity = 2000 }]
targets = [{ name = "scripted", broker = "scripted", protocol = "memory", driver = "memory" }]
workloads = [{ name = "steady", duration = "2s", load = { kind = "rate", rate = 1000, arrivals = "poisson" } }]
plan = { repetitions = 6, warm_up = { settle = "1s" } }
"""
LIMIT = '\n[[limits]]\nmetric = "{}"\n{} = {}\n'


def bench(*words: str | Path) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture(autouse=True)
def _outside_of_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def written(folder: Path, *limits: tuple[str, str, str]) -> Path:
    """Write the scenario with limits."""
    path = folder / "tiny.toml"
    path.write_text(SCENARIO + "".join(LIMIT.format(*limit) for limit in limits))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checked run that keeps to its limits."""
    folder = tmp_path_factory.mktemp("check")
    limits = ("p99", "at_most", '"1s"'), ("achieved_rate", "at_least", "500"), ("lost", "at_most", "0")
    scenario = written(folder, *limits)
    result = bench("run", scenario, "--seed", "1", "--out", folder / "run", "--check", "--no-report")
    assert result.exit_code == 0, result.output
    assert "Pass: all 3 limits are kept." in result.stdout
    return folder


def test_the_folder_keeps_the_verdict_and_is_judged_again(made: Path, tmp_path: Path) -> None:
    """By `bench gate FOLDER`, alike; a budget adds limits of its own: one that is not kept is 1, an unsure one 3."""
    kept = json.loads((made / "run/gate.json").read_text())
    assert (kept["verdict"], kept["baseline"], len(kept["limits"])) == ("pass", None, 3)
    assert (made / "run/gate.md").read_text().startswith("**Pass: all 3 limits are kept.**")
    again = tmp_path / "again.json"
    assert bench("gate", made / "run", "--json", again).exit_code == 0
    assert json.loads(again.read_text()) == kept
    p99 = kept["limits"][0]
    assert p99["low"] < p99["value"] < p99["high"]
    budget = tmp_path / "budget.toml"
    for bound, code, words in (
        (p99["value"] / 2, 1, "Fail: p99 of scripted, steady is "),
        (p99["value"], 3, "Undecided: 1 of 4 limits, p99 of scripted, steady is "),
    ):
        budget.write_text(f'[[limits]]\nmetric = "p99"\nat_most = "{bound / 1e6:.9f}ms"\n')
        result = bench("gate", made / "run", "--budget", budget, "--github", "--junit", tmp_path / "gate.xml")
        assert (result.exit_code, words in result.stdout) == (code, True), result.output
        assert ("<failure" in (tmp_path / "gate.xml").read_text()) is (code == 1)


def test_a_figure_that_is_not_there_is_undecided(made: Path, tmp_path: Path) -> None:
    """Too few messages for p99.99: 3, and the reason; a limit of what is not there is a mistake of the budget's."""
    budget = tmp_path / "budget.toml"
    budget.write_text('[[limits]]\nmetric = "p99.99"\nat_most = "1s"\n')
    result = bench("gate", made / "run", "--budget", budget)
    assert (result.exit_code, "no figure, or too few messages for one, at most 1,000 ms" in result.stdout) == (3, True)
    budget.write_text('[[limits]]\nmetric = "p99"\nat_most = "1s"\nworkload = "other"\n')
    result = bench("gate", made / "run", "--budget", budget)
    assert (result.exit_code, "limits.0.workload: 'other' is not there" in result.stderr) == (2, True)


def test_limits_that_are_not_kept_end_in_1_and_unsure_ones_in_3(tmp_path: Path) -> None:
    """At the end of the run itself; quietly the verdict stands on standard error."""
    scenario = written(tmp_path, ("p99", "at_most", '"10us"'))
    failed = bench("run", scenario, "--seed", "1", "--out", tmp_path / "one", "--check", "--quiet", "--no-report")
    assert failed.exit_code == 1, failed.output
    assert "check: Fail: p99 of scripted, steady is " in failed.stderr
    scenario = written(tmp_path, ("achieved_rate", "at_least", "1000"))
    unsure = bench("run", scenario, "--seed", "1", "--out", tmp_path / "two", "--check", "--no-report")
    assert (unsure.exit_code, "trials would decide" in unsure.stdout) == (3, True), unsure.output


def test_a_condition_ends_the_run_and_leaves_no_figure(tmp_path: Path) -> None:
    """Exit code 1 after the first of six trials; no limit is judged; to be gone on with by --resume."""
    scenario = written(tmp_path, ("p50", "at_most", '"1s"'))
    folder = tmp_path / "run"
    result = bench("run", scenario, "--seed", "1", "--out", folder, "--abort-on", "p99>10us", "--check")
    assert result.exit_code == 1, result.output
    told = "trial 1 (scripted, steady) did not keep to p99 at most 10us"
    assert f"aborted: the run was ended early: {told}" in " ".join(result.stderr.split())
    assert f"Fail: the run was ended early, and has no figures: {told}." in result.stdout
    assert (len(read(folder).trials), read(folder).record.ended_early) == (1, told)
    kept = json.loads((folder / "gate.json").read_text())
    assert (kept["verdict"], kept["limits"], kept["lines"]) == ("fail", [], [])
    summary = json.loads((folder / "summary.json").read_text())
    assert [(cell["n"], cell["planned"]) for cell in summary["cells"]] == [(0, 6)]
    assert bench("gate", folder).exit_code == 1
    other = bench("gate", folder, folder)
    assert (other.exit_code, "name a whole run as the baseline" in other.stderr) == (2, True), other.output
    resumed = bench("run", "--resume", folder, "--check", "--no-report")
    assert (resumed.exit_code, read(folder).record.ended_early, len(read(folder).trials)) == (0, "", 6), resumed.output


def test_what_cannot_be_checked_is_told_before_anything_runs(tmp_path: Path) -> None:
    """No limits, a quick look, too few trials, a condition that is none: 2."""
    scenario, out = written(tmp_path), tmp_path / "run"

    def refused(*words: str | Path) -> str:
        result = bench("run", *words, "--out", out)
        assert result.exit_code == 2, result.output
        return " ".join(result.output.split())

    assert "--check: tiny has no limits: add [[limits]]" in refused(scenario, "--check")
    both = refused(written(tmp_path, ("lost", "at_most", "0")), "--check", "--quick")
    assert "leave out --quick" in both
    assert "plan.repetitions is 4: raise it" in both
    assert "--abort-on 'p99': write METRIC>VALUE" in refused(scenario, "--abort-on", "p99")
    assert "limits.0: at_most = 5.0: of p99 it is a time" in refused(written(tmp_path, ("p99", "at_most", "5")))
    assert not out.exists()
