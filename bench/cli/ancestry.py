"""Which commits came before the one that is checked out: what a baseline may be of, as git tells it."""

import os
from collections.abc import Mapping

from bench.cli.measured import main_of
from bench.cli.repository import GitError, commit_named, git

MOST = 10_000
"""Commits that are looked at."""
_TARGETS = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CHANGE_TARGET")
"""Where GitHub, GitLab and Jenkins say which branch a pull request is to be merged into."""
_USUAL = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
FETCH = "fetch the whole history (fetch-depth: 0 in GitHub's checkout, GIT_DEPTH: 0 in GitLab)"
"""What to do where commits are missing."""


def before_branching(branch: str | None, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the merge base with a branch and what came before it, first parents only, the newest first.

    Where that is the commit which is checked out, as on the branch itself, it begins with its parent: a run of the
    same commit is no baseline.

    Args:
        branch: to be merged into; None takes what the CI system says, or the usual main branch.
        environment: with what it says.

    Raises:
        GitError: there is no repository, no such branch, or no common commit.
    """
    head, target = _head(), _target(branch, environment)
    base = git("merge-base", "HEAD", target)
    if not base:
        message = f"HEAD and {target} have no commit in common here: {FETCH}"
        raise GitError(message)
    return _first_parents(base, head)


def of_branch(branch: str) -> tuple[str, ...]:
    """Return the commits of a branch, first parents only, the newest first, without the one that is checked out.

    Raises:
        GitError: there is no repository, or no such branch.
    """
    head = _head()
    return _first_parents(_target(branch, {}), head)


def _target(branch: str | None, environment: Mapping[str, str]) -> str:
    told = (
        branch or next((environment[name] for name in _TARGETS if environment.get(name)), None) or main_of(environment)
    )
    names = _USUAL if not told else (f"origin/{told}", told)
    found = next((name for name in names if commit_named(name).name), None)
    if found is None:
        message = f"there is no branch {told or ' or '.join(_USUAL)} here: fetch it, or name another"
        raise GitError(message)
    return found


def _head() -> str:
    found = commit_named("HEAD").name
    if not found:
        message = "no commit is checked out in this folder: call it in the repository whose commits were measured"
        raise GitError(message)
    return found


def _first_parents(start: str, head: str) -> tuple[str, ...]:
    told = git("rev-list", "--first-parent", f"--max-count={MOST}", start, "--")
    return tuple(one for one in told.split() if one != head)
