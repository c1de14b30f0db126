"""`bench history`: from runs to an exit code, and one message where that cannot be."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.measured import checked_out
from bench.cli.main import app
from reports.history.store import Store
from tests.reports.test_history import noisy, stored


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
    assert set(Store(Path("history")).rows()["commit"]) == {"abc"}
    shown = bench("show")
    assert shown.exit_code == 0
    assert "calm, steady: p99 response (smoke)" in shown.output


@pytest.mark.compiled
def test_without_a_commit_a_word_says_so(here: Path, quick_run: Path) -> None:
    """Outside a repository runs are stored without a commit, with a warning."""
    del here
    result = bench("add", quick_run)
    assert result.exit_code == 0
    assert "no commit is checked out here" in result.output


def test_the_commit_checked_out_is_found(here: Path) -> None:
    """The commit of the folder's repository, marked where files differ from it."""
    assert checked_out() == ""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (here / "file").write_text("one")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert checked_out() == head
    (here / "file").write_text("two")
    assert checked_out() == f"{head}-dirty"


@pytest.mark.compiled
def test_check_ends_in_three_where_a_change_is_proposed(here: Path) -> None:
    """No change is 0, a proposed one 3; what watching can show is printed either way."""
    stored(here / "calm", noisy((30, 2.0)))
    stored(here / "stepped", noisy((30, 2.0), (8, 2.5)))
    for store, code in (("calm", 0), ("stepped", 3)):
        result = bench("check", "--store", store)
        assert result.exit_code == code, result.output
        for said in ("or more is found 5 runs later", "one of 10 % in", "false alarms a week", "allowed"):
            assert said in result.output
        assert ("proposed: " in result.output) == (code == 3)


def test_show_writes_page_and_picture(here: Path) -> None:
    """--html and --png are written and named last."""
    stored(here / "history", noisy((30, 2.0)))
    result = bench("show", "--html", "h.html", "--png", "h.png")
    assert result.exit_code == 0
    assert result.output.split()[-2:] == ["h.html", "h.png"]
    assert Path("h.html").exists()
    assert Path("h.png").exists()


def test_faults_are_one_message(here: Path) -> None:
    """No store, no results, no series: code 2 and what to do."""
    stored(here / "history", [1.0])
    for words, said in (
        (["show", "--store", "none"], "holds no run"),
        (["check", "--store", "none"], "holds no run"),
        (["add", "nothing", "--commit", "x"], "is no results folder"),
        (["confirm", "00000000", "run-001", "--by", "nothing"], "is not in --store"),
        (["check", "--only", "nothing"], "none of 1 series"),
    ):
        result = bench(*words)
        assert result.exit_code == 2, result.output
        assert said in " ".join(result.output.split())
        assert "Traceback" not in result.output
