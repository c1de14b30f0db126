"""One comment on a pull request that is updated, not added to.

A comment of ours begins with a marker, a comment of HTML that nobody sees, which holds its name.
Of the comments that are there, the first that begins with the marker of a new text is the one
that it replaces. Comments are read as GitHub's and GitLab's interfaces give them.
"""

import re
from typing import Any

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
"""What a comment may be called."""
_MARKER = re.compile(rf"<!-- busbench: ({NAME.pattern}) -->")


class CommentError(ValueError):
    """A comment cannot be found; the message says what is wrong with what was given."""


def marker(name: str) -> str:
    """Return the first line of the comment of that name; raise CommentError for what is no name."""
    if NAME.fullmatch(name) is None or "--" in name:
        message = f"{name!r} is no name of a comment: write letters, digits, and . _ / - between them, such as gate"
        raise CommentError(message)
    return f"<!-- busbench: {name} -->"


def to_update(text: str, comments: object, author: str | None = None) -> str | None:
    """Return the id of the comment that a text replaces; None where it is a new one.

    Args:
        text: Markdown with a marker.
        comments: what is there, as parsed: a list of objects with `id` and `body`, oldest first, or a list of such
            lists, which pages give.
        author: only comments by this one: `user.login` (GitHub) or `author.username` (GitLab).

    Raises:
        CommentError: the text has no marker, or the list is none.
    """
    found = _MARKER.match(text)
    if found is None:
        message = "the text has no marker at its head: make it by `bench gate --comment-marker NAME --md FILE`"
        raise CommentError(message)
    for one in _listed(comments):
        body, number = one.get("body"), one.get("id")
        if not isinstance(body, str) or not isinstance(number, int | str):
            continue
        if body.lstrip().startswith(found[0]) and author in (None, _author(one)):
            return str(number)
    return None


def _listed(comments: object) -> list[dict[str, Any]]:
    if isinstance(comments, list):
        flat = [one for part in comments for one in (part if isinstance(part, list) else [part])]
        if all(isinstance(one, dict) for one in flat):
            return flat
    message = "the list of comments is no list of objects: give what the interface of GitHub or GitLab returned"
    raise CommentError(message)


def _author(comment: dict[str, Any]) -> str | None:
    for key, name in (("user", "login"), ("author", "username")):
        who = comment.get(key)
        if isinstance(who, dict) and isinstance(who.get(name), str):
            return str(who[name])
    return None
