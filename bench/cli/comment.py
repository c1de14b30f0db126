"""`bench comment`: which comment on a pull request a gate's Markdown replaces."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import EXIT_USAGE, fail, out

_MOST_BYTES = 64 * 2**20


def comment(
    md: Annotated[Path, typer.Argument(help="What `bench gate --comment-marker NAME --md FILE` wrote.")],
    comments: Annotated[
        Path, typer.Argument(help="JSON list of the comments that are there, as GitHub or GitLab gives it; - reads it.")
    ] = Path("-"),
    author: Annotated[
        str | None, typer.Option(help="Only comments by this one, such as github-actions[bot].", metavar="LOGIN")
    ] = None,
) -> None:
    """Print the id of the comment that a new text is to replace; nothing where it is to be added.

    Exit codes: 0 answered · 2 usage.
    """
    from bench.untrusted import parse_json  # noqa: PLC0415  (help needs none of this)
    from reports.gate.comment import CommentError, to_update  # noqa: PLC0415  (as above)

    try:
        text = md.read_text(encoding="utf-8")
        given = sys.stdin.read(_MOST_BYTES) if str(comments) == "-" else comments.read_text(encoding="utf-8")
        found = to_update(text, parse_json(given), author)
    except OSError as error:
        fail(EXIT_USAGE, f"{error.filename} cannot be read ({error.strerror}): name a file")
    except CommentError as error:
        fail(EXIT_USAGE, str(error))
    except ValueError as error:
        fail(EXIT_USAGE, f"{comments}: no JSON ({error}): give what the interface of GitHub or GitLab returned")
    if found is not None:
        out.print(found)
