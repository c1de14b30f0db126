"""What the action asks of GitHub's interface: one comment on a pull request, and the history of an earlier run.

    github.py comment FILE     write FILE as the comment, in place of the one with the same first line
    github.py history FOLDER   unpack the newest history that a run on the main branch left as an artifact

It needs nothing but Python, so that it works where the setup failed; the rule by which a comment is found is a file of
`bench comment`'s that needs no more. Variables: GITHUB_TOKEN, GITHUB_REPOSITORY and
GITHUB_API_URL as GitHub sets them; PULL_REQUEST, its number; AUTHOR, as whom the token writes; MAIN, the main branch;
ARTIFACT, what the history is called.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

TIMEOUT_S = 30
MOST_BYTES = 256 * 2**20
"""Of an artifact, packed or not."""
MOST_CHARACTERS = 65_000
"""Of a comment; GitHub takes 65,536."""
PAGE = 100
MOST_PAGES = 50
EXIT_USAGE, EXIT_FAILED = 2, 4
COMMENTS = Path(__file__).parents[2] / "reports/gate/comment.py"


class WorkflowError(Exception):
    """The workflow is at fault; the message says what to set."""


class _Elsewhere(urllib.request.HTTPRedirectHandler):
    """Follows a redirection without the token, which is for GitHub alone: artifacts lie with somebody else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)
        if followed is not None:
            followed.remove_header("Authorization")
        return followed


class GitHub:
    """The interface for one repository."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Take the variables that GitHub sets; raise WorkflowError where one is missing."""
        missing = [name for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY") if not environment.get(name)]
        if missing:
            message = f"{' and '.join(missing)}: not set; in a workflow `token: ${{{{ github.token }}}}` is"
            raise WorkflowError(message)
        api = environment.get("GITHUB_API_URL", "https://api.github.com")
        self._base = f"{api}/repos/{environment['GITHUB_REPOSITORY']}"
        self._token = environment["GITHUB_TOKEN"]
        self._opener = urllib.request.build_opener(_Elsewhere)

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """Return what is answered; raise HTTPError for a refusal, OSError where nobody answers."""
        request = urllib.request.Request(  # noqa: S310  (of GITHUB_API_URL)
            f"{self._base}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        with self._opener.open(request, timeout=TIMEOUT_S) as answer:
            found: bytes = answer.read(MOST_BYTES + 1)
        if len(found) > MOST_BYTES:
            message = f"{path}: more than {MOST_BYTES >> 20} MB, which is no history"
            raise WorkflowError(message)
        return found

    def all_of(self, path: str) -> list[dict[str, Any]]:
        """Return the items of a list in pages."""
        found: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            part = json.loads(self.ask("GET", f"{path}?per_page={PAGE}&page={page}"))
            found += part
            if len(part) < PAGE:
                break
        return found


def comment(github: GitHub, text: str, number: str, author: str) -> str:
    """Write the one comment of this name; return what was done."""
    if not number.isdecimal():
        message = f"PULL_REQUEST={number!r} is no number of a pull request"
        raise WorkflowError(message)
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n\n… the rest stands in the summary of the run."
    to_update = runpy.run_path(str(COMMENTS))["to_update"]
    if found := to_update(text, github.all_of(f"/issues/{number}/comments"), author):
        github.ask("PATCH", f"/issues/comments/{found}", {"body": text})
        return f"comment {found} updated"
    github.ask("POST", f"/issues/{number}/comments", {"body": text})
    return "comment added"


def history(github: GitHub, folder: Path, name: str, main: str) -> str:
    """Unpack the newest history of the main branch; return what was found.

    Runs on pull requests from forks leave artifacts in the same list, which anybody may have written: only those of
    this repository's own main branch are taken.
    """
    listed = json.loads(github.ask("GET", f"/actions/artifacts?per_page={PAGE}&name={urllib.parse.quote(name)}"))
    own = [
        one
        for one in listed["artifacts"]
        if not one["expired"]
        and one["workflow_run"]["head_branch"] == main
        and one["workflow_run"]["head_repository_id"] == one["workflow_run"]["repository_id"]
    ]
    folder.mkdir(parents=True, exist_ok=True)
    if not own:
        return f"no history is kept as artifact {name} of branch {main} yet"
    newest = max(own, key=lambda one: str(one["created_at"]))
    with zipfile.ZipFile(io.BytesIO(github.ask("GET", f"/actions/artifacts/{newest['id']}/zip"))) as packed:
        if sum(one.file_size for one in packed.infolist()) > MOST_BYTES:
            message = f"artifact {newest['id']}: more than {MOST_BYTES >> 20} MB, which is no history"
            raise WorkflowError(message)
        packed.extractall(folder)  # which writes nothing outside of it
    return f"history of {newest['created_at']} taken from artifact {newest['id']}"


def asked(what: str, path: Path, github: GitHub, environment: dict[str, str]) -> str:
    """Do what is asked; return what was done. A comment that may not be written is warned of and fails nothing."""
    if what == "history":
        name, branch = environment.get("ARTIFACT") or "busbench-history", environment.get("MAIN") or "main"
        return history(github, path, name, branch)
    if what != "comment":
        message = f"{what!r}: say comment or history"
        raise WorkflowError(message)
    number, author = environment.get("PULL_REQUEST", ""), environment.get("AUTHOR") or "github-actions[bot]"
    try:
        return comment(github, path.read_text(encoding="utf-8"), number, author)
    except urllib.error.HTTPError as error:
        if error.code not in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            raise
        return (
            "::warning title=busbench::the token may not comment (permissions: pull-requests: write; on pull requests"
            " from forks GitHub grants none): the summary of the run has the text"
        )


def main(words: list[str], environment: dict[str, str]) -> int:
    """Do what the command line says; return the exit code."""
    try:
        what, path = words
        said = asked(what, Path(path), GitHub(environment), environment)
    except (WorkflowError, ValueError) as error:
        sys.stderr.write(f"::error title=busbench::{error}\n")
        return EXIT_USAGE
    except (OSError, zipfile.BadZipFile, KeyError, TypeError) as error:
        sys.stderr.write(f"::error title=busbench::GitHub's interface: {type(error).__name__}: {error}\n")
        return EXIT_FAILED
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
