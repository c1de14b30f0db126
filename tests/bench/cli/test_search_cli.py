"""`bench search` as a user calls it: exit codes, the table, the files, and what is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.main import app
from bench.results import archive

SMALL = ("--set", "brokers.0.capacity=300", "--short", "1s", "--hold", "3s", "--target", "calm")


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def bench(*words: str) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.compiled
def test_a_search_from_file_to_table() -> None:
    """Exit code 0, an interval about the capacity, why its upper end failed, search.json twice, a folder to report."""
    result = bench("search", "smoke", "--quick", "--seed", "2", "--json", "found.json", "--out", "found", *SMALL)
    assert result.exit_code == 0, result.output
    assert "Highest sustainable rate" in result.stdout
    assert "arrived in time" in result.stdout
    assert "left)" in result.stderr
    found = archive.read_search(Path("found"))
    assert found is not None
    assert json.loads(Path("found.json").read_text()) == json.loads(found.model_dump_json())
    [answer] = found.answers
    assert (answer.target, answer.workload, answer.ended) == ("calm", "steady", "found")
    assert answer.low is not None
    assert 285 <= answer.low <= 303
    assert archive.read(Path("found")).record.command.startswith("bench search smoke --quick --target calm")
    assert bench("report", "found", "--md", "report.md").exit_code == 0
    assert bench("run", "--resume", "found").exit_code == 2


@pytest.mark.compiled
def test_an_objective_bounds_the_rate() -> None:
    """A p99 that no rate can keep leaves no rate that held: exit code 4, and p99 is named."""
    result = bench("search", "smoke", "--quick", "--objective-p99", "1us", *SMALL)
    assert result.exit_code == 4, result.output
    assert "no rate held" in result.stdout
    assert "p99 was" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "nobody"), "there are calm, stalling"),
        (("--workload", "nothing"), "there are steady"),
        (("--objective-p99", "5"), "is no duration"),
        (("--hold", "1500ms"), "whole seconds"),
        (("--short", "0s"), "longer than 0"),
        (("--json", "nowhere/found.json"), "there is no folder"),
        (("--set", "workloads.0.sise=1"), "did you mean 'size'?"),
        (("--out", "."), "exists already"),
    ],
)
def test_bad_words_are_refused(words: tuple[str, ...], said: str) -> None:
    """Exit code 2, the option, what is allowed; nothing is made."""
    result = bench("search", "smoke", *words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("named", [(), ("--workload", "million")])
def test_a_rate_is_not_searched_by_count(named: tuple[str, ...]) -> None:
    """Exit code 2 before any broker is started, with what to do."""
    result = bench("search", "backlog", *named)
    assert result.exit_code == 2
    assert "a rate is searched over time" in " ".join(result.stderr.split())
