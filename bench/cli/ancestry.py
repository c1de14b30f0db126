"""Which commits came before the one that is checked out: what a baseline may be of, as git tells it."""

import os
import subprocess
from collections.abc import Mapping

from bench.cli.measured import main_of

MOST = 10_000
"""Commits that are looked at."""
_TARGETS = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CHANGE_TARGET")
"""Where GitHub, GitLab and Jenkins say which branch a pull request is to be merged into."""
_USUAL = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


FETCH = "fetch the whole history (fetch-depth: 0 in GitHub's checkout, GIT_DEPTH: 0 in GitLab)"
"""What to do where commits are missing."""


class AncestryError(Exception):
    """Commits are not known; the message says why, and what to do."""


def before_branching(branch: str | None, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the merge base with a branch and what came before it, first parents only, the newest first.

    Where that is the commit which is checked out, as on the branch itself, it begins with its parent: a run of the
    same commit is no baseline.

    Args:
        branch: to be merged into; None takes what the CI system says, or the usual main branch.
        environment: with what it says.

    Raises:
        AncestryError: there is no repository, no such branch, or no common commit.
    """
    head, target = _commit("HEAD"), _target(branch, environment)
    base = _git("merge-base", "HEAD", target)
    if base is None:
        message = f"HEAD and {target} have no commit in common here: {FETCH}"
        raise AncestryError(message)
    return _first_parents(base, head)


def of_branch(branch: str) -> tuple[str, ...]:
    """Return the commits of a branch, first parents only, the newest first, without the one that is checked out.

    Raises:
        AncestryError: there is no repository, or no such branch.
    """
    return _first_parents(_target(branch, {}), _commit("HEAD"))


def is_shallow() -> bool:
    """Return whether older commits are missing here."""
    return _git("rev-parse", "--is-shallow-repository") == "true"


def _target(branch: str | None, environment: Mapping[str, str]) -> str:
    _commit("HEAD")
    told = (
        branch or next((environment[name] for name in _TARGETS if environment.get(name)), None) or main_of(environment)
    )
    names = _USUAL if not told else (f"origin/{told}", told)
    found = next((name for name in names if _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")), None)
    if found is None:
        message = f"there is no branch {told or ' or '.join(_USUAL)} here: fetch it, or name another"
        raise AncestryError(message)
    return found


def _commit(name: str) -> str:
    found = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if found is None:
        message = "no commit is checked out in this folder: call it in the repository whose commits were measured"
        raise AncestryError(message)
    return found


def _first_parents(start: str, head: str) -> tuple[str, ...]:
    told = _git("rev-list", "--first-parent", f"--max-count={MOST}", start, "--")
    return tuple(one for one in (told or "").split() if one != head)


def _git(*words: str) -> str | None:
    """Return what git says; None where it fails."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"git cannot be asked for commits ({error}): install it, or name the baseline's results folder"
        raise AncestryError(message) from error
    return done.stdout.strip() if done.returncode == 0 else None
