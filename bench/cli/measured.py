"""What a run measured, as git and the variables of CI systems tell it: commit, parent, branch, where the branch left.

A pull request has a name of its own (`pull/7`), whatever its branch is called: a fork's may be
called `main` too.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import repository
from bench.cli.repository import Commit, GitError

if TYPE_CHECKING:
    from reports.history.commit import MeasuredCommit

DETACHED = "detached"
"""The branch of a commit that is on none that could be told."""
_USUAL = ("main", "master")
_REQUESTS = ("GITHUB_HEAD_REF", "CI_MERGE_REQUEST_IID", "CHANGE_ID")
"""Variables that name a pull request, where GitHub's reference does not."""
_MOST_BYTES = 1 << 22


def measured_commit(
    commit: str | None = None,
    *,
    branch: str | None = None,
    main: str | None = None,
    position: int | None = None,
    committed: str | None = None,
    variables: Mapping[str, str] = os.environ,
) -> "MeasuredCommit":
    """Return where the measured code stands, as far as it can be told; what is given takes precedence.

    Args:
        commit: any word for what was measured; by default the commit checked out in this folder.
        branch: what it is on; by default as the CI system says, or as git does.
        main: the main branch, by the same rule.
        position: commits from the first one to this one, first parents only.
        committed: when it was committed, ISO 8601.
        variables: of the environment.
    """
    from reports.history.commit import UNKNOWN, MeasuredCommit  # noqa: PLC0415  (the package loads matplotlib)

    name = checked_out() if commit is None else commit
    found = _commit(name.removesuffix("-dirty"))
    on = _git("symbolic-ref", "--short", "--quiet", "HEAD")
    main = main or main_of(variables) or _main_here(on)
    whole = bool(found.name) and _git("rev-parse", "--is-shallow-repository") != "true"
    base, base_position = _base(found, main) if whole else (Commit(), UNKNOWN)
    is_head = found == _commit("HEAD")
    here = main if found.name and base == found else (on if is_head else "") or (DETACHED if found.name else main)
    return MeasuredCommit(
        commit=found.name if found.name and found.name.startswith(name) else name,
        parent=found.parent,
        branch=branch or branch_of(variables) or here,
        main=main,
        position=position if position is not None else _count(found.name) if whole else UNKNOWN,
        committed_utc=committed or found.time,
        base=base.name,
        base_position=base_position,
        base_committed_utc=base.time,
    )


def checked_out() -> str:
    """Return the commit checked out in this folder, marked where files differ from it; empty where there is none."""
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def branch_of(variables: Mapping[str, str]) -> str:
    """Return the branch that a CI system says it builds: GitHub, GitLab, Jenkins; empty where none does."""
    pull = re.match(r"refs/pull/(\d+)/", variables.get("GITHUB_REF", ""))
    requests = (pull[1] if pull else "", *(variables.get(name, "") for name in _REQUESTS))
    if request := next(filter(None, requests), ""):
        return f"pull/{request}"
    if variables.get("GITHUB_REF_TYPE") == "branch":
        return variables.get("GITHUB_REF_NAME", "")
    return variables.get("CI_COMMIT_BRANCH") or variables.get("BRANCH_NAME", "")


def main_of(variables: Mapping[str, str]) -> str:
    """Return the main branch as a CI system says; empty where none does."""
    if variables.get("BRANCH_IS_PRIMARY") == "true":
        return variables.get("BRANCH_NAME", "")
    if "GITHUB_EVENT_PATH" not in variables:
        return variables.get("CI_DEFAULT_BRANCH", "")
    try:
        event = json.loads(Path(variables["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8")[:_MOST_BYTES])
        return str(event["repository"]["default_branch"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _main_here(on: str) -> str:
    """Return the main branch of this repository: what its origin says, one with a usual name, or the one we are on."""
    if origin := _git("symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD"):
        return origin.removeprefix("origin/")
    return next((name for name in _USUAL if any(_heads(name))), on or _USUAL[0])


def _heads(branch: str) -> Iterator[str]:
    """Yield the commits that a branch has here and at the origin."""
    for place in ("remotes/origin", "heads"):
        if head := _commit(f"refs/{place}/{branch}").name:
            yield head


def _base(commit: Commit, main: str) -> tuple[Commit, int]:
    """Return the newest commit of the main branch, first parents only, that is in a commit, and its position."""
    found = ("", -1)
    for head in dict.fromkeys(_heads(main)):
        beyond = int(_git("rev-list", "--count", "--first-parent", head, f"^{commit.name}") or 0)
        base = _git("rev-list", "--first-parent", "--max-count=1", f"--skip={beyond}", head)
        found = max(found, (base, _count(base)), key=lambda pair: pair[1])
    name, position = found
    return (commit if name == commit.name else _commit(name)), position


def _count(commit: str) -> int:
    return int(_git("rev-list", "--count", "--first-parent", commit) or -1) if commit else -1


def _commit(word: str) -> Commit:
    """Return the commit that a word names in this repository; an empty one where it names none."""
    try:
        return repository.commit_named(word)
    except GitError:
        return Commit()


def _git(*words: str) -> str:
    """Return what git says in this folder; empty where it says nothing, fails or is not there."""
    try:
        return repository.git(*words)
    except GitError:
        return ""
