"""`bench gate --baseline-store`: in a repository with commits, a branch and a history."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli import ancestry
from bench.cli.main import app
from bench.cli.repository import GitError

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
OF_CI = ("GITHUB_ACTIONS", "GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CHANGE_TARGET")


def bench(*words: str | Path) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


class Repository:
    """A repository with files of its own configuration."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *words: str) -> str:
        """Return what git says."""
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        """Commit and return the name."""
        self.git("commit", "--quiet", "--allow-empty", "-m", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three runs: two alike, and a slower one."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.toml").write_text(SCENARIO)
    # Runs that begin within one second are told apart by their seeds.
    for seed, (name, *changes) in enumerate((("one",), ("two",), ("slow", "--set", "brokers.0.capacity=1500"))):
        result = bench(
            "run", folder / "tiny.toml", "--seed", str(seed), "--out", folder / name, "--no-report", *changes
        )
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Main with three commits, and a branch that left it at the second with one of its own, checked out."""
    for name in OF_CI:
        monkeypatch.delenv(name, raising=False)
    made = Repository(tmp_path / "repository")
    monkeypatch.chdir(made.folder)
    made.commit("first")
    made.commit("second")
    made.git("branch", "topic")
    made.commit("third")
    made.git("checkout", "--quiet", "topic")
    made.commit("of the branch")
    return made


def gate(*words: str | Path) -> Result:
    """Gate against the history of the repository."""
    Path("budget.toml").write_text("[[limits]]\nmetric = 'p50'\n")
    options = ("--budget", "budget.toml", "--md", "gate.md", "--comment-marker", "gate")
    return bench("gate", *words, "--baseline-store", "history", *options)


def test_a_history_is_built_up_and_asked(runs: Path, repository: Repository) -> None:
    """The first run passes; later ones are held against the merge base, not against what main had since."""
    first = gate(runs / "one")
    assert first.exit_code == 0, first.output
    assert "Pass: there is nothing to compare with yet." in first.stdout
    assert Path("gate.md").read_text().startswith("<!-- busbench: gate -->\n**Pass: there is nothing")
    second, third = repository.git("rev-parse", "main~1"), repository.git("rev-parse", "main")
    assert bench("history", "add", runs / "slow", "--store", "history", "--commit", third).exit_code == 0
    assert "nothing to compare with yet" in gate(runs / "two").stdout
    assert bench("history", "add", runs / "one", "--store", "history", "--commit", second).exit_code == 0
    alike = gate(runs / "two")
    assert (alike.exit_code, "no sign of change down to" in alike.stdout) == (0, True), alike.output
    assert f"(commit {second[:12]}, " in Path("gate.md").read_text()
    slower = gate(runs / "slow")
    assert (slower.exit_code, "Suspect: " in slower.stdout) == (3, True), slower.output
    newest = gate(runs / "one", "--baseline-branch", "main")
    assert f"(commit {third[:12]}, " in Path("gate.md").read_text(), newest.output


def test_the_branch_to_be_merged_into_is_what_ci_says(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub's, GitLab's and Jenkins' variables; what is given goes first; else the usual main branch."""
    first, second, third = (repository.git("rev-parse", f"main~{k}") for k in (2, 1, 0))
    assert ancestry.before_branching(None, {}) == (second, first)
    repository.git("branch", "release", first)
    for name in OF_CI[1:]:
        assert ancestry.before_branching(None, {name: "release"}) == (first,)
        assert ancestry.before_branching("main", {name: "release"}) == (second, first)
    assert ancestry.of_branch("main") == (third, second, first)
    repository.git("checkout", "--quiet", "main")
    assert ancestry.before_branching(None, {}) == (second, first)  # a run of the same commit is no baseline
    with pytest.raises(GitError, match="there is no branch other here"):
        ancestry.before_branching("other", {})
    monkeypatch.chdir(repository.folder.parent)
    with pytest.raises(GitError, match="no commit is checked out in this folder"):
        ancestry.before_branching(None, {})


def test_a_shallow_clone_is_no_first_run(
    runs: Path, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a history has runs and their commits are missing, that is told, and nothing passes in silence."""
    second = repository.git("rev-parse", "main~1")
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth", "1", "--branch", "main", f"file://{repository.folder}", str(clone))
    monkeypatch.chdir(clone)
    assert "nothing to compare with yet" in gate(runs / "two").stdout
    assert bench("history", "add", runs / "one", "--store", "history", "--commit", second).exit_code == 0
    result = gate(runs / "two")
    assert (result.exit_code, "fetch the whole history" in result.stderr) == (2, True), result.output


def test_what_git_cannot_tell_is_told(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to fetch."""
    repository.git("checkout", "--quiet", "--orphan", "alone")
    repository.commit("alone")
    with pytest.raises(GitError, match=r"have no commit in common here: fetch the whole history"):
        ancestry.before_branching("main", {})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git cannot be asked for commits"):
        ancestry.before_branching("main", {})


def test_a_baseline_folder_that_is_not_there_yet_passes_where_that_is_allowed(
    runs: Path, repository: Repository
) -> None:
    """Else it is a mistake."""
    assert repository.folder.exists()
    missing = runs / "none"
    assert bench("gate", missing, runs / "one").exit_code == 2
    first = bench("gate", missing, runs / "one", "--allow-first")
    assert (first.exit_code, "nothing to compare with yet" in first.stdout) == (0, True), first.output
    same = bench("gate", runs / "one", runs / "one", "--allow-first")
    assert "nothing to compare with yet" not in same.stdout


def test_usage_faults(runs: Path, repository: Repository) -> None:
    """What does not go together: 2, all at once."""
    assert repository.folder.exists()

    def refused(*words: str | Path) -> str:
        result = bench("gate", *words)
        assert result.exit_code == 2, result.output
        return " ".join(result.output.split())

    one = runs / "one"
    assert "--baseline-branch: can only be used with --baseline-store" in refused(one, one, "--baseline-branch", "main")
    store = ("--baseline-store", "history")
    assert "name the candidate's alone" in refused(one, one, *store)
    assert "two ways to find a baseline" in refused(one, *store, "--baseline-branch", "a", "--merge-base-with", "b")
    assert "--allow-first: name two results folders" in refused(one, "--allow-first")
    told = refused(one, *store, "--comment-marker", "a b")
    assert "--comment-marker stands at the head of --md" in told
    assert "'a b' is no name of a comment" in told
    assert "there is no branch other here" in refused(one, *store, "--baseline-branch", "other")
