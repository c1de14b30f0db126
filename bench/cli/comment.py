"""`bench comment`: which comment on a pull request a gate's Markdown replaces."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import EXIT_USAGE, fail, out

_MOST_BYTES = 16 * 2**20


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
    from bench.untrusted import parse_json, read_text  # noqa: PLC0415  (help needs none of this)
    from reports.gate.comment import CommentError, to_update  # noqa: PLC0415  (as above)

    try:
        text = read_text(md)
        given = sys.stdin.read(_MOST_BYTES + 1) if str(comments) == "-" else read_text(comments, _MOST_BYTES)
        if len(given) > _MOST_BYTES:
            fail(EXIT_USAGE, f"{comments}: it holds more than {_MOST_BYTES:,} bytes: give one page of comments")
        found = to_update(text, parse_json(given), author)
    except OSError as error:
        fail(EXIT_USAGE, f"{error.filename} cannot be read ({error.strerror}): name a file")
    except CommentError as error:
        fail(EXIT_USAGE, str(error))
    except ValueError as error:
        fail(EXIT_USAGE, f"{comments}: no JSON ({error}): give what the interface of GitHub or GitLab returned")
    if found is not None:
        out.print(found)
