"""What git says of the repository of this folder. All that Python asks of git is asked here."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_TIMEOUT_S = 60
_DIGITS = re.compile(r"[0-9a-f]{4,64}")
_COMMITTED = re.compile(rb"^committer .* (\d{1,12}) [+-]\d{4}$", re.MULTILINE)


class GitError(Exception):
    """Git is not there, does not answer, or lacks what is needed; the message says what to do."""


@dataclass(frozen=True)
class Commit:
    """A commit of this repository; every field is empty where a word names none.

    Attributes:
        name: its whole hash.
        time: when it was committed, ISO 8601.
        parent: its first one; empty where it has none.
    """

    name: str = ""
    time: str = ""
    parent: str = ""


def git(*words: str) -> str:
    """Return what git says in this folder, without the space around it; empty where it refuses.

    Raises:
        GitError: it is not there, or does not answer.
    """
    return _run(words).decode(errors="replace").strip()


def commit_named(word: str) -> Commit:
    """Return the commit that a word names; see `git`."""
    if not word or word.startswith("-"):
        return Commit()
    told = git("rev-list", "--max-count=1", "--format=%cI %P", f"{word}^{{commit}}", "--").split()
    return Commit(told[1], told[2], told[3] if len(told) > 3 else "") if told else Commit()  # noqa: PLR2004


def is_shallow() -> bool:
    """Return whether older commits are missing here; see `git`."""
    return git("rev-parse", "--is-shallow-repository") == "true"


def commit_times(names: Sequence[str]) -> dict[str, datetime]:
    """Return when commits were made, of those that are here; of none where git cannot be asked."""
    asked = [name for name in names if _DIGITS.fullmatch(name)]
    try:
        rest = _run(["cat-file", "--batch"], "".join(f"{name}^{{commit}}\n" for name in asked).encode())
    except GitError:
        return {}
    found: dict[str, datetime] = {}
    for name in asked:
        head, _, rest = rest.partition(b"\n")
        if not head.rpartition(b" ")[2].isdigit():  # as in `abc^{commit} missing`
            continue
        size = int(head.rpartition(b" ")[2])
        if made := _COMMITTED.search(rest[:size]):
            found[name] = datetime.fromtimestamp(int(made[1]), UTC)
        rest = rest[size + 1 :]
    return found


def _run(words: Sequence[str], given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["git", *words], input=given, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"git cannot be asked for commits ({error}): install it, or name the baseline's results folder"
        raise GitError(message) from error
    return done.stdout if done.returncode == 0 else b""
