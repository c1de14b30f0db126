"""`bench gate` from the command line to the exit code: on the scripted broker, and on results tampered with."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from bench.cli import gate_work
from bench.cli.main import app
from bench.results.archive import read

pytestmark = pytest.mark.compiled

SCENARIO = """
name = "tiny"
title = "Tiny"
question = "Is it slower?"
brokers = [{ name = "scripted", kind = "memory", capacity = 2000 }]
targets = [{ name = "scripted", broker = "scripted", protocol = "memory", driver = "memory" }]
workloads = [{ name = "steady", duration = "2s", load = { kind = "rate", rate = 600, arrivals = "poisson" } }]
plan = { repetitions = 6, warm_up = { settle = "1s" } }
"""

Change = Callable[[dict[str, Any]], None]


def bench(*words: str) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scenario, a paired run of it against itself, and two stored runs of different speed."""
    folder = tmp_path_factory.mktemp("gate")
    (folder / "tiny.toml").write_text(SCENARIO)
    scenario = str(folder / "tiny.toml")
    out = str(folder / "paired")
    assert bench("gate", scenario, "--paired", "--pairs", "6", "--seed", "1", "--out", out).exit_code == 0
    assert bench("run", scenario, "--seed", "2", "--out", str(folder / "one")).exit_code == 0
    assert bench("run", scenario, "--seed", "3", "--out", str(folder / "two")).exit_code == 0
    slow = ("--set", "brokers.0.capacity=1500")
    assert bench("run", scenario, "--seed", "3", *slow, "--out", str(folder / "slow")).exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def _outside_of_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def tampered(made: Path, to: Path, change: Change, name: str = "paired") -> str:
    """Copy a results folder with every trial's record changed."""
    shutil.copytree(made / name, to)
    for file in to.glob("trials/*/trial.json"):
        trial = json.loads(file.read_text())
        change(trial)
        file.write_text(json.dumps(trial))
    return str(to)


def recorded_before(folder: str) -> str:
    """Let a results folder of a paired run be one of the version that told sides by the names of targets alone."""
    file = Path(folder) / "run.json"
    run = json.loads(file.read_text()) | {"schema_version": 2}
    for line in run["plan"]:
        del line["paired"], line["step"]
    for workload in run["scenario"]["workloads"]:
        del workload["part_of"]
    file.write_text(json.dumps(run))
    for trial in Path(folder).glob("trials/*/trial.json"):
        trial.write_text(json.dumps(json.loads(trial.read_text()) | {"schema_version": 2}))
    return folder


def on_a_large_host(folder: str, cpus: int = 8) -> str:
    """Let a results folder say that its host has so many CPUs."""
    file = Path(folder) / "run.json"
    run = json.loads(file.read_text())
    run["host"]["cpus"] = str(cpus)
    run["noise_floor"] = None
    file.write_text(json.dumps(run))
    return folder


def in_words(result: Result) -> str:
    """Return the output as one line."""
    return " ".join(result.output.split())


def test_a_scenario_beside_itself_passes(made: Path) -> None:
    """Exit code 0; the folder is an ordinary one with pairs of targets, and holds the verdict."""
    run = read(made / "paired")
    assert {target.name for target in run.record.scenario.targets} == {"scripted-base", "scripted-new"}
    assert len(run.trials) == len(run.record.plan) == 12
    assert run.record.command.endswith("--paired --pairs 6 --seed 1")
    found = json.loads((made / "paired/gate.json").read_text())
    assert (found["verdict"], found["exit_code"], found["paired"]) == ("pass", 0, True)
    assert (made / "paired/gate.md").read_text().startswith("**Pass: none of ")
    assert (made / "paired/report.html").exists()


def test_an_older_paired_run_is_judged_as_it_was(made: Path, tmp_path: Path) -> None:
    """The same verdict by the same numbers."""
    older = recorded_before(tampered(made, tmp_path / "older", lambda _trial: None))
    verdict = bench("gate", older, "--json", str(tmp_path / "older.json"))
    assert verdict.exit_code == 0, verdict.output
    now, then = (json.loads(path.read_text()) for path in (made / "paired/gate.json", tmp_path / "older.json"))
    assert {name for name in now if now[name] != then[name]} == {"results"}


def test_a_slower_broker_is_a_regression(made: Path, tmp_path: Path) -> None:
    """Exit code 1 and every file that was asked for; annotations where GitHub runs it."""
    files = {name: str(tmp_path / f"gate.{name}") for name in ("junit", "md", "json")}
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    result = bench(
        "gate", str(made / "tiny.toml"), "--paired", "--pairs", "5", "--out", str(tmp_path / "run"),
        "--set-candidate", "brokers.0.capacity=1500", "--github", *options,
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    assert "Regression: p50 of scripted, steady is worse" in result.stdout
    assert "::error title=bench gate::Regression: " in result.stdout
    found = json.loads(Path(files["json"]).read_text())
    lines = {line["metric"]: line for line in found["lines"]}
    assert found["baseline"] == "brokers.scripted.capacity = 2000.0"
    assert found["candidate"] == "brokers.scripted.capacity = 1500.0"
    assert lines["p50"]["verdict"] == "regression"
    assert lines["p50"]["ratio"] > 1.05
    assert lines["lost"]["verdict"] == "pass"
    assert lines["p99.9"]["verdict"] == "told"
    assert Path(files["md"]).read_text().startswith("**Regression: ")
    failures = ET.parse(files["junit"]).findall("testsuite/testcase/failure")  # noqa: S314  (our own)
    assert len(failures) == sum(line["verdict"] == "regression" for line in found["lines"])


def test_stored_results_pass_or_are_suspect_and_no_more(made: Path) -> None:
    """Two alike runs: 0 and how far down; a slower one: 3, and how to prove it."""
    alike = bench("gate", str(made / "one"), str(made / "two"))
    assert alike.exit_code in (0, 3), alike.output
    slower = bench("gate", str(made / "one"), str(made / "slow"))
    assert slower.exit_code == 3
    assert "Suspect: " in slower.stdout
    assert "--paired" in slower.stdout
    same = bench("gate", str(made / "one"), str(made / "one"))
    assert (same.exit_code, "no sign of change down to" in same.stdout) == (0, True)


def test_hosts_of_unlike_classes_are_undecided(made: Path, tmp_path: Path) -> None:
    """Stored results of another class of host: 3, whatever the figures say."""
    other = on_a_large_host(tampered(made, tmp_path / "other", lambda _trial: None, "slow"), cpus=64)
    result = bench("gate", str(made / "one"), other)
    assert result.exit_code == 3
    assert "Undecided: the hosts are of different classes" in result.stdout


def test_throughput_is_told_on_few_cpus_and_gated_on_many(made: Path, tmp_path: Path) -> None:
    """Half the rate is a regression on 8 CPUs, and told on 2."""

    def halve(trial: dict[str, Any]) -> None:
        trial["achieved_rate"] *= 0.5 if trial["target"].endswith("-new") else 1

    folder = tampered(made, tmp_path / "half", halve)
    few = bench("gate", on_a_large_host(folder, 2))
    assert few.exit_code == 0, few.output
    assert "throughput is gated on hosts of 4 CPUs and more, and this has 2" in few.stdout
    many = bench("gate", on_a_large_host(folder, 8))
    assert many.exit_code == 1
    assert "achieved_rate of scripted, steady is worse (−50 %" in many.stdout


def test_no_effect_below_the_noise_floor_counts(made: Path, tmp_path: Path) -> None:
    """A host whose rate moves by 30 % by itself lets 20 % pass, one whose floor is not known does not."""

    def slower(trial: dict[str, Any]) -> None:
        trial["achieved_rate"] *= 0.85 if trial["target"].endswith("-new") else 1

    folder = on_a_large_host(tampered(made, tmp_path / "slower", slower))
    file = Path(folder) / "run.json"
    run = json.loads(file.read_text()) | {"noise_floor": None}
    floor = {"run_id": "a", "measured_utc": "b", "host_class": "c", "pairs": 10, "effects": {"achieved rate": 0.3}}
    for known, given, code in ((None, (), 1), (floor, (), 0), (None, ("0.3",), 0), (floor, ("0.01",), 1)):
        file.write_text(json.dumps(run | {"noise_floor": known}))
        options = [word for one in given for word in ("--noise-floor", one)]
        assert bench("gate", folder, *options).exit_code == code


def test_noise_is_undecided_and_says_what_would_decide(made: Path, tmp_path: Path) -> None:
    """Rates that jump by a third: 3, with a number of pairs."""

    def jump(trial: dict[str, Any]) -> None:
        trial["achieved_rate"] *= 1.3 if (trial["repetition"] % 2) == trial["target"].endswith("-new") else 1

    result = bench("gate", on_a_large_host(tampered(made, tmp_path / "noise", jump)))
    assert result.exit_code == 3
    assert "Undecided: 1 of " in result.stdout
    assert "pairs would decide" in result.stdout


RATE_ALONE = "[[limits]]\nmetric = 'achieved_rate'\n"


def test_a_side_that_drifts_for_itself_is_told_and_undecided(made: Path, tmp_path: Path) -> None:
    """Rates that fall from pair to pair on one side: what t would call a regression is none, and the reason stands."""

    def fall(trial: dict[str, Any]) -> None:
        trial["achieved_rate"] = 600 * (0.95 - 0.01 * trial["repetition"] if trial["target"].endswith("-new") else 1)

    (tmp_path / "budget.toml").write_text(RATE_ALONE)
    folder = on_a_large_host(tampered(made, tmp_path / "drift", fall))
    result = bench("gate", folder, "--budget", str(tmp_path / "budget.toml"), "--json", str(tmp_path / "gate.json"))
    found = json.loads((tmp_path / "gate.json").read_text())
    assert found["drift"]["lag1"] > 0.5
    assert found["drift"]["widening"] > 2
    assert "each side drifts for itself, so intervals are" in result.stdout
    assert (result.exit_code, found["lines"][0]["verdict"]) == (3, "undecided")


def test_limits_are_judged_beside_the_comparison(made: Path, tmp_path: Path) -> None:
    """Of the candidate's side, by its own names; one that is not kept outweighs a pass."""
    budget = tmp_path / "budget.toml"
    for bound, code, told in (("1s", 0, "Pass: the limit is kept."), ("1us", 1, "Fail: p99 of scripted, steady is ")):
        limit = f"[[limits]]\nmetric = 'p99'\ntarget = 'scripted'\nat_most = '{bound}'\n"
        budget.write_text(f"[[limits]]\nmetric = 'p50'\n{limit}")
        result = bench("gate", str(made / "paired"), "--budget", str(budget))
        assert (result.exit_code, told in result.stdout) == (code, True), result.output
        assert "Pass: none of 1 lines got worse than its limit" in result.stdout
        budget.write_text(limit)
        alone = bench("gate", str(made / "paired"), "--budget", str(budget))
        assert (alone.exit_code, told in alone.stdout, "none of" in alone.stdout) == (code, True, False), alone.output


def note(code: str) -> dict[str, Any]:
    """Return a hard word on the measurement."""
    return {"code": code, "hard": True, "text": "It cannot be trusted."}


@pytest.mark.parametrize(("bad", "code"), [(1, 0), (2, 4), (6, 4)])
def test_invalid_trials(made: Path, tmp_path: Path, bad: int, code: int) -> None:
    """Of 6 pairs 5 must be valid: one bad pair is told, two make the gate invalid."""

    def spoil(trial: dict[str, Any]) -> None:
        if trial["repetition"] < bad and trial["target"].endswith("-new"):
            trial["health"] = [note("steal")]

    result = bench("gate", tampered(made, tmp_path / "bad", spoil))
    assert result.exit_code == code, result.output
    assert f"{bad} of 6 pairs left out (steal in {bad} trial" in result.stdout
    if code:
        assert f"Invalid: scripted, steady has {6 - bad} of 6 valid pairs, 5 are needed" in result.stdout
        told = bench("gate", str(tmp_path / "bad"), "--github").stdout.splitlines()
        assert len([line for line in told if line.startswith("::")]) == 1


def test_a_row_of_invalid_trials_is_invalid_under_any_budget(made: Path, tmp_path: Path) -> None:
    """Where no trial is valid, entries that need no figure do not hide it: 4."""

    def spoil(trial: dict[str, Any]) -> None:
        trial["health"] = [note("steal")]

    (tmp_path / "budget.toml").write_text("[[limits]]\nmetric = 'p50'\nrequired = false\n")
    folder = tampered(made, tmp_path / "none", spoil)
    assert bench("gate", folder, "--budget", str(tmp_path / "budget.toml")).exit_code == 4


def test_a_metric_without_figures_is_undecided_where_it_is_required(made: Path, tmp_path: Path) -> None:
    """Too few messages for p99.99: 3 where the budget requires it, told where it does not."""
    budget = tmp_path / "budget.toml"
    for required, code in ((True, 3), (False, 0)):
        entry = f"[[limits]]\nmetric = 'p99.99'\nrequired = {str(required).lower()}\n"
        budget.write_text(f"[[limits]]\nmetric = 'p50'\n{entry}")
        assert bench("gate", str(made / "paired"), "--budget", str(budget)).exit_code == code


def test_trials_without_a_result_are_invalid(made: Path, tmp_path: Path) -> None:
    """A paired run that was broken off is no pass."""
    folder = tampered(made, tmp_path / "cut", lambda _trial: None)
    for trial in sorted(Path(folder).glob("trials/*"))[-4:]:
        shutil.rmtree(trial)
    result = bench("gate", folder)
    assert result.exit_code == 4
    assert "no result in 4 trials" in result.stdout


def test_losses_fail_the_gate_only_where_they_are_certain(made: Path, tmp_path: Path) -> None:
    """Lost in one pair of six is undecided; a budget may allow it."""

    def lose(trial: dict[str, Any]) -> None:
        if trial["target"].endswith("-new") and trial["repetition"] == 0:
            trial["ledger"]["lost"] = 2

    folder = tampered(made, tmp_path / "lost", lose)
    result = bench("gate", folder)
    assert result.exit_code == 3
    assert "Undecided: 1 of" in result.stdout
    (tmp_path / "budget.toml").write_text("[[limits]]\nmetric = 'lost'\nallowed = 2\n")
    assert bench("gate", folder, "--budget", str(tmp_path / "budget.toml")).exit_code == 0


def test_an_error_is_no_regression(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks inside ends in 4, never in 1, which Python would leave with."""

    def broken(*_: object) -> None:
        message = "something broke"
        raise ZeroDivisionError(message)

    monkeypatch.setattr(gate_work, "stored", broken)
    result = bench("gate", str(made / "one"), str(made / "two"))
    assert result.exit_code == 4
    assert "ZeroDivisionError: something broke" in result.output


def test_usage_faults(made: Path, tmp_path: Path) -> None:
    """What is wrong with the words, the folders or the budget: 2, and what is allowed."""
    one, paired, scenario = str(made / "one"), str(made / "paired"), str(made / "tiny.toml")

    def refused(*words: str) -> str:
        result = bench("gate", *words)
        assert result.exit_code == 2, result.output
        return in_words(result)

    assert "name a baseline and a candidate" in refused()
    assert "a scenario is run with --paired" in refused(scenario)
    assert "is no run of `bench gate --paired`" in refused(one)
    assert "no target and workload in common" in refused(one, paired)
    assert "--set, --out: can only be used with --paired" in refused(one, one, "--set", "a=1", "--out", "x")
    assert "--junit" in refused(paired, "--junit", str(tmp_path / "none/gate.xml"))
    assert "greater than or equal to 5" in refused(scenario, "--paired", "--pairs", "4")
    assert "candidate: workloads.0.sise" in refused(scenario, "--paired", "--set-candidate", "workloads.0.sise=1")
    assert "give both the same load" in refused(scenario, "--paired", "--set-candidate", "workloads.0.size=200")
    classic = ("rabbitmq-vs-qpid", "--paired", "--set-candidate", "brokers.0.durable_queue=classic")
    assert "rabbitmq-091, durable: a confirmed message survives a crash of the operating system" in refused(*classic)
    budget = tmp_path / "budget.toml"
    budget.write_text("[[limits]]\nmetric = 'p50'\ntarget = 'other'\n")
    told = "limits.0.target: 'other' is not there: there are scripted"
    assert told in refused(paired, "--budget", str(budget))
    assert told in refused(scenario, "--paired", "--out", str(tmp_path / "x"), "--budget", str(budget))
    assert not (tmp_path / "x").exists()


def test_quick_looks_and_unlike_loads_are_refused(made: Path, tmp_path: Path) -> None:
    """Stored runs that were quick, or of another load, are not compared: 2."""
    for field, value, told in (("mode", "quick", "is a quick look"), ("size", 200, "size differ")):
        folder = tampered(made, tmp_path / field, lambda _trial: None, "two")
        run = json.loads((tmp_path / field / "run.json").read_text())
        (run if field in run else run["scenario"]["workloads"][0])[field] = value
        (tmp_path / field / "run.json").write_text(json.dumps(run))
        result = bench("gate", str(made / "one"), folder)
        assert (result.exit_code, told in in_words(result)) == (2, True), result.output


def test_plan_and_budget_are_printed_and_nothing_is_run(made: Path, tmp_path: Path) -> None:
    """`--plan` names every trial; `--show-budget` the limits."""
    plan = bench("gate", str(made / "tiny.toml"), "--paired", "--plan", "--out", str(tmp_path / "x"))
    assert (plan.exit_code, "20 trials, about" in plan.stdout, (tmp_path / "x").exists()) == (0, True, False)
    assert 'metric = "p99"' in bench("gate", "--show-budget").stdout
