"""`bench history`: from runs to an exit code, and one message where that cannot be."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.main import app
from reports.history.store import Store
from tests.bench.cli.ci_variables import CI_VARIABLES
from tests.reports.test_history import noisy, stored


def bench(*words: object) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, ["history", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, of no repository and no CI system."""
    monkeypatch.chdir(tmp_path)
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the smoke scenario."""
    folder = tmp_path_factory.mktemp("smoke") / "run"
    done = CliRunner().invoke(app, ["run", "smoke", "--seed", "5", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.compiled
def test_runs_are_added_once_with_their_commit(here: Path, quick_run: Path) -> None:
    """The rows of a run are counted, the same run again is left out with a word, and --commit is kept."""
    del here
    first = bench("add", quick_run, "--commit", "abc")
    assert first.exit_code == 0
    assert "rows added" in first.output
    again = bench("add", quick_run, "--commit", "abc")
    assert again.exit_code == 0
    assert "already in history, nothing added" in again.output
    assert set(Store(Path("history")).read().rows["commit"]) == {"abc"}
    shown = bench("show")
    assert shown.exit_code == 0
    assert "calm, steady: p99 response (smoke)" in shown.output


@pytest.mark.compiled
def test_what_is_given_of_a_commit_is_kept(here: Path, quick_run: Path) -> None:
    """Order and branch may be given where no git knows them; a time that is none is refused."""
    given = ("--commit", "r1", "--branch", "topic", "--main", "trunk", "--position", "7")
    wrong = bench("add", quick_run, *given, "--committed", "yesterday")
    assert wrong.exit_code == 2
    assert "its committed_utc 'yesterday' is no time of ISO 8601" in " ".join(wrong.output.split())
    assert not (here / "history").exists()
    added = bench("add", quick_run, *given, "--committed", "2026-01-01T12:00:00+02:00")
    assert "beside trunk, on branch topic" in added.output
    row = Store(Path("history")).read().rows.iloc[0]
    expected = {"branch": "topic", "main": "trunk", "position": 7, "committed_utc": "2026-01-01T10:00:00+00:00"}
    assert row[list(expected)].to_dict() == expected
    assert bench("check").exit_code == 2  # nothing of the main branch yet
    assert bench("show", "--branch", "topic").exit_code == 0


def test_the_branch_of_a_run_is_data(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name and nothing else, for scripts; nothing on the main branch."""
    del here
    assert (bench("branch").exit_code, bench("branch").stdout) == (0, "")
    monkeypatch.setenv("BRANCH_NAME", "topic")
    assert bench("branch").stdout == "topic\n"
    assert bench("branch", "--main", "topic").stdout == ""


@pytest.mark.compiled
def test_without_a_commit_a_word_says_so(here: Path, quick_run: Path) -> None:
    """Outside a repository runs are stored without a commit, with a warning."""
    del here
    result = bench("add", quick_run)
    assert result.exit_code == 0
    assert "no commit is checked out here" in result.output


@pytest.mark.compiled
def test_check_ends_in_three_where_a_change_is_proposed(here: Path) -> None:
    """No change is 0, a proposed one 3; what watching can show is printed either way."""
    stored(here / "calm", noisy((30, 2.0)))
    stored(here / "stepped", noisy((30, 2.0), (8, 2.5)))
    for store, code in (("calm", 0), ("stepped", 3)):
        result = bench("check", "--store", store, "--silent-after", 36_500)
        assert result.exit_code == code, result.output
        for said in ("or more is found 5 runs later", "one of 10 % in", "false alarms a week", "allowed"):
            assert said in result.output
        assert ("proposed: " in result.output) == (code == 3)


@pytest.mark.compiled
def test_check_ends_in_three_where_runs_have_ceased_to_come(here: Path) -> None:
    """No run at all for long is a finding of its own, whatever the levels say; how long is an option."""
    stored(here / "history", [1.0, 1.0])
    result = bench("check")
    assert result.exit_code == 3
    assert "Suspect: no run for " in result.output
    assert "No unconfirmed change in 1 series." in result.output
    assert bench("check", "--silent-after", 36_500).exit_code == 0


@pytest.mark.compiled
def test_show_writes_page_and_picture(here: Path) -> None:
    """--html and --png are written and named last."""
    stored(here / "history", noisy((30, 2.0)))
    result = bench("show", "--html", "h.html", "--png", "h.png", "--silent-after", 36_500)
    assert result.exit_code == 0
    assert result.output.split()[-2:] == ["h.html", "h.png"]
    assert Path("h.html").exists()
    assert Path("h.png").exists()
    assert bench("check", "--html", "c.html", "--silent-after", 36_500).exit_code == 0
    assert Path("c.html").read_text() == Path("h.html").read_text()


def test_faults_are_one_message(here: Path) -> None:
    """No store, no results, no series: code 2 and what to do."""
    stored(here / "history", [1.0])
    for words, said in (
        (["show", "--store", "none"], "holds no run"),
        (["check", "--store", "none"], "holds no run"),
        (["add", "nothing", "--commit", "x"], "is no results folder"),
        (["confirm", "00000000", "run-001", "--by", "nothing"], "is not in --store"),
        (["check", "--only", "nothing"], "none of 1 series"),
        (["check", "--branch", "nothing"], "--branch nothing: --store history holds no run of it; other branches"),
        (["accept", "nothing", "--why", "x"], "point 'nothing' is no run or commit of a series"),
        (["accept", "run-000", "--why", "x", "--only", "no"], "of a series with 'no' in its name"),
    ):
        result = bench(*words)
        assert result.exit_code == 2, result.output
        assert said in " ".join(result.output.split())
        assert "Traceback" not in result.output
