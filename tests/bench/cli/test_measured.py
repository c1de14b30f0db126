"""What git and CI systems say of a measured commit: order, branch, and where the branch left the main one."""

import json
import subprocess
from pathlib import Path

import pytest

from bench.cli.measured import branch_of, checked_out, main_of, measured_commit

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")


def git(*words: str) -> str:
    """Run git in this folder; return what it says."""
    return subprocess.run([*GIT, *words], check=True, capture_output=True, text=True).stdout.strip()


def commits(*names: str) -> list[str]:
    """Make commits; return their hashes."""
    made = []
    for name in names:
        git("commit", "--quiet", "--allow-empty", "--message", name)
        made.append(git("rev-parse", "HEAD"))
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git("init", "--quiet", "--initial-branch", "main")
    return tmp_path


def test_outside_a_repository_a_commit_is_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of the main branch, in the order of measurement; nothing is known of none either."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checked_out() == ""
    for word in ("build-7", None, "--help"):
        found = measured_commit(word, variables={})
        assert (found.commit, found.parent, found.position, found.committed_utc) == (word or "", "", -1, "")
        assert found.branch == found.main == "main"


def test_the_commit_checked_out_is_found(here: Path) -> None:
    """The commit of the folder's repository, marked where files differ from it, which changes nothing in its order."""
    (here / "file").write_text("one")
    git("add", "file")
    _, head = commits("one", "two")
    assert checked_out() == head
    clean = measured_commit(variables={})
    assert (clean.commit, clean.position, clean.branch, clean.main, clean.base) == (head, 2, "main", "main", head)
    (here / "file").write_text("two")
    assert checked_out() == f"{head}-dirty"
    dirty = measured_commit(variables={})
    assert (dirty.commit, dirty.position, dirty.parent) == (f"{head}-dirty", 2, clean.parent)


def test_a_branch_has_its_base_on_the_main_one(here: Path) -> None:
    """Also where that was merged into it, and where the main branch took in others; old commits of main are main's."""
    del here
    first, second = commits("1", "2")
    git("checkout", "--quiet", "-b", "topic")
    [own] = commits("t")
    found = measured_commit(variables={})
    assert (found.branch, found.main, found.base, found.base_position) == ("topic", "main", second, 2)
    assert (found.position, found.parent) == (3, second)
    git("checkout", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "--message", "merge", "topic")
    merge = git("rev-parse", "HEAD")
    assert measured_commit(variables={}).position == 3
    git("checkout", "--quiet", "topic")
    git("merge", "--quiet", "--no-ff", "--message", "back", "main")
    back = measured_commit(variables={})
    assert (back.base, back.base_position) == (merge, 3)
    assert measured_commit(own[:10], variables={}).commit == own
    assert measured_commit(own, variables={}).branch == "detached"  # it is not what is checked out, nor on main itself
    git("checkout", "--quiet", first)
    old = measured_commit(variables={})
    assert (old.branch, old.position, old.base) == ("main", 1, first)


def test_a_shallow_clone_knows_no_order_and_no_base(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the time of its commit."""
    [*_, head] = commits("1", "2")
    git("clone", "--quiet", "--depth", "1", f"file://{here}", "shallow")
    monkeypatch.chdir(here / "shallow")
    found = measured_commit(variables={})
    assert (found.commit, found.position, found.base) == (head, -1, "")
    assert found.committed_utc
    assert (found.branch, found.main) == ("main", "main")


def test_a_repository_may_call_its_main_branch_otherwise(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its origin says; else the branch that is checked out, where none has a usual name."""
    git("checkout", "--quiet", "-b", "trunk")
    commits("1")
    assert measured_commit(variables={}).main == "trunk"
    git("clone", "--quiet", str(here), "clone")
    monkeypatch.chdir(here / "clone")
    git("checkout", "--quiet", "-b", "main")
    commits("2")
    found = measured_commit(variables={})
    assert (found.branch, found.main) == ("main", "trunk")


@pytest.mark.parametrize(
    ("variables", "branch"),
    [
        ({}, ""),
        ({"GITHUB_REF": "refs/heads/main", "GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "main"}, "main"),
        # A fork's branch may be called as our main one.
        ({"GITHUB_REF": "refs/pull/7/merge", "GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "main"}, "pull/7"),
        # pull_request_target: the reference is that of the base.
        ({"GITHUB_REF": "refs/heads/main", "GITHUB_HEAD_REF": "main", "GITHUB_REF_TYPE": "branch"}, "pull/main"),
        ({"GITHUB_REF": "refs/tags/v1", "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1"}, ""),
        ({"CI_COMMIT_BRANCH": "topic", "CI_DEFAULT_BRANCH": "main"}, "topic"),
        ({"CI_MERGE_REQUEST_IID": "12"}, "pull/12"),
        ({"BRANCH_NAME": "topic"}, "topic"),
        ({"BRANCH_NAME": "PR-3", "CHANGE_ID": "3"}, "pull/3"),
    ],
)
def test_ci_systems_name_the_branch(variables: dict[str, str], branch: str) -> None:
    """A pull request has a name of its own."""
    assert branch_of(variables) == branch


def test_ci_systems_name_the_main_branch(tmp_path: Path) -> None:
    """GitHub in the file of the event, which may be missing or hold anything; the others in a variable."""
    event = tmp_path / "event.json"
    told = {"GITHUB_EVENT_PATH": str(event)}
    assert main_of(told) == ""
    for text, main in (("[]", ""), ("{", ""), ('{"repository": {"default_branch": "trunk"}}', "trunk")):
        event.write_text(text)
        assert main_of(told) == main
    event.write_text(json.dumps({"repository": {}}))
    assert main_of(told) == ""
    assert main_of({"CI_DEFAULT_BRANCH": "develop"}) == "develop"
    assert main_of({"BRANCH_IS_PRIMARY": "true", "BRANCH_NAME": "next"}) == "next"
    assert main_of({}) == ""


def test_a_pull_request_is_no_main_branch(here: Path) -> None:
    """What is checked out may be a commit of the main branch, or called like it."""
    del here
    commits("1")
    found = measured_commit(variables={"GITHUB_REF": "refs/pull/7/merge", "GITHUB_HEAD_REF": "main"})
    assert (found.branch, found.main) == ("pull/7", "main")
