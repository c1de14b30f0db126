"""`bench history import` and `export`: words, exit codes, and what the repository of a folder knows of commits."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.history_files import FileKind, LatencyUnit
from bench.cli.main import app
from bench.cli.repository import commit_times
from reports.history.formats.contract import LATENCY_UNITS
from reports.history.imported import FORMATS
from reports.history.store import Store
from tests.reports.history_stores import stored

PERFTEST = Path(__file__).parents[2] / "reports/history/files/perftest-2.22.1.csv"


def bench(*words: object) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, ["history", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, of no repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def committed(when: str) -> str:
    """Make a commit at a time in a repository here; return it."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    environment = {"GIT_COMMITTER_DATE": when, "PATH": "/usr/bin:/bin"}
    subprocess.run([*git, "commit", "--allow-empty", "-qm", "one"], check=True, env=environment)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_names_are_those_of_the_formats() -> None:
    """Help knows them without importing what reads them."""
    assert [one.value for one in FileKind] == list(FORMATS)
    assert {one.value for one in LatencyUnit} <= LATENCY_UNITS.keys()


def test_a_file_is_imported_once(here: Path) -> None:
    """What it was and how much is told, and what was there already."""
    del here
    words = ("import", PERFTEST, "--time", "2026-01-31T12:00:00Z", "--target", "rabbitmq")
    first = bench(*words)
    assert first.exit_code == 0, first.output
    assert "the CSV of PerfTest; runs added: 1, figures: 11" in first.output
    again = bench(*words)
    assert "runs added: 0, figures: 0; already in history: 1" in again.output
    shown = bench("show")
    assert "rabbitmq, nightly: received rate (perftest-csv)" in shown.output


def test_a_commit_has_the_time_at_which_it_was_made(here: Path) -> None:
    """By the repository of the folder, also by a part of its digits; what is no commit has none."""
    assert commit_times(["abcd"]) == {}
    commit = committed("2026-03-01T10:00:00+02:00")
    made = datetime(2026, 3, 1, 8, tzinfo=UTC)
    tree = subprocess.run(
        ["git", "rev-parse", "HEAD^{tree}"], check=True, capture_output=True, text=True
    ).stdout.strip()
    asked = ["f" * 40, commit, "HEAD", "--all", "x\n", commit[:8], tree, "0000"]
    assert commit_times(asked) == {commit: made, commit[:8]: made}
    result = bench("import", PERFTEST, "--commit", commit)
    assert result.exit_code == 0, result.output
    assert set(Store(here / "history").read().rows["time_utc"]) == {made.isoformat()}


def test_a_store_is_exported(here: Path) -> None:
    """To a file, and to standard output for a pipe; what was written is read again."""
    stored(here / "history", [2.0, 2.1])
    assert bench("export", "out.csv").output == "out.csv\n"
    piped = bench("export", "-").output
    assert piped == (here / "out.csv").read_text()
    assert piped.startswith("time,commit,committed,branch,metric,value,unit,direction,target,workload,")
    assert len(piped.splitlines()) == 1 + 2 * 3
    again = bench("import", "out.csv", "--store", "other", "--format", "csv")
    assert "runs added: 2, figures: 6" in again.output


def test_faults_are_told_line_by_line(here: Path) -> None:
    """Code 2, every fault of every file, and what to do."""
    (here / "bad.csv").write_text("time,metric,value,direction\n2026-01-01,m,0,lower\n2026-01-01,m,1,sideways\n")
    for words, said in (
        (
            ["import", "bad.csv", "none"],
            ["bad.csv: line 2, value is '0'", "bad.csv: line 3, direction", "none: it cannot"],
        ),
        (["import", PERFTEST], ["time is '': the file tells no time"]),
        (
            ["import", PERFTEST, "--time", "2026-01-31T12:00:00"],
            ["--time is '2026-01-31T12:00:00': ISO 8601 with a zone"],
        ),
        (["import", PERFTEST, "--format", "word"], ["'word' is not one of 'perftest-csv'"]),
        (["export", "out.csv"], ["holds no run"]),
    ):
        result = bench(*words)
        assert result.exit_code == 2, result.output
        flat = " ".join(result.output.split())
        for one in said:
            assert one in flat
        assert result.output.count("error: ") == len(said) + (words[0] == "import") or words[-1] == "word"
    stored(here / "history", [1.0])
    assert "cannot be written" in bench("export", "no/where.csv").output
