"""One comment that is updated: the marker of a gate's Markdown, and which comment of a list a new text replaces."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from reports.gate.comment import CommentError, marker, to_update
from reports.gate.export import to_markdown
from tests.reports.gate.made import made_gate

BOT = {"login": "github-actions[bot]"}


class PullRequest:
    """A pull request's comments, as the interface of GitHub keeps them."""

    def __init__(self, *bodies: str) -> None:
        """Begin with comments of people."""
        self.comments: list[dict[str, Any]] = [
            {"id": 100 + k, "body": body, "user": {"login": "someone"}} for k, body in enumerate(bodies)
        ]

    def listed(self, folder: Path) -> Path:
        """Return a file with the list."""
        file = folder / "comments.json"
        file.write_text(json.dumps(self.comments))
        return file

    def tell(self, md: Path, folder: Path, *options: str) -> None:
        """Do what a script does: ask which comment it is, and replace that one or add another."""
        result = CliRunner().invoke(app, ["comment", str(md), str(self.listed(folder)), *options])
        assert result.exit_code == 0, result.output
        number = result.stdout.strip()
        if number:
            [mine] = [one for one in self.comments if str(one["id"]) == number]
            mine["body"] = md.read_text()
        else:
            self.comments.append({"id": 200 + len(self.comments), "body": md.read_text(), "user": BOT})


def test_a_second_gate_replaces_the_comment_of_the_first(tmp_path: Path) -> None:
    """There is one comment of each name, whatever people write between."""
    page = PullRequest("Please look at it.", "A marker in a text, <!-- busbench: gate -->, is none.")
    md = tmp_path / "gate.md"
    for verdict, name in (("regression", "gate"), ("pass", "gate"), ("undecided", "nightly"), ("suspect", "gate")):
        md.write_text(to_markdown(made_gate(verdict), name))
        page.tell(md, tmp_path)
        page.tell(md, tmp_path, "--author", BOT["login"])
    bodies = [one["body"].splitlines()[:2] for one in page.comments[2:]]
    assert bodies == [
        ["<!-- busbench: gate -->", "**Suspect: as it is.**"],
        ["<!-- busbench: nightly -->", "**Undecided: as it is.**"],
    ]
    assert page.comments[0]["body"] == "Please look at it."


def test_without_a_name_there_is_no_marker() -> None:
    """And such a text is not looked for."""
    text = to_markdown(made_gate())
    assert text.startswith("**Pass")
    with pytest.raises(CommentError, match="no marker at its head: make it by"):
        to_update(text, [])


def test_comments_of_gitlab_and_in_pages_are_read() -> None:
    """Notes have an author; pages are lists in a list; the oldest of two counts; others by another are left alone."""
    body = f"{marker('gate')}\nold"
    notes = [{"id": 1, "body": "hello"}, {"id": 2, "body": body, "author": {"username": "ci"}}, {"id": 3, "body": body}]
    text = f"{marker('gate')}\nnew"
    assert to_update(text, notes) == to_update(text, [notes[:1], notes[1:]]) == "2"
    assert to_update(text, notes, "ci") == "2"
    assert to_update(text, notes, "else") is None
    assert to_update(f"{marker('gate-2')}\n", notes) is None
    assert to_update(text, [{"id": None, "body": body}, {"body": body}, {"id": 4, "body": None}]) is None
    for strange in ({}, "text", [1], [[[]]], None):
        with pytest.raises(CommentError, match="no list of objects"):
            to_update(text, strange)


@pytest.mark.parametrize("name", ["", "a b", "a--b", "-->", "x" * 65, "a\nb", "/x"])
def test_a_name_is_plain(name: str) -> None:
    """Nothing that ends a comment of HTML, or is no word."""
    with pytest.raises(CommentError, match="is no name of a comment"):
        marker(name)


def test_what_is_no_list_is_told(tmp_path: Path) -> None:
    """A file that is not there, no JSON, and a text without a marker: 2."""
    md, comments = tmp_path / "gate.md", tmp_path / "comments.json"
    md.write_text(to_markdown(made_gate(), "gate"))
    comments.write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    for words, told in (
        ([md, tmp_path / "broken.json"], "no JSON"),
        ([md, tmp_path / "none"], "cannot be read"),
        ([comments, comments], "no marker at its head"),
    ):
        result = CliRunner().invoke(app, ["comment", *map(str, words)])
        assert (result.exit_code, told in result.output.replace("\n", " ")) == (2, True), result.output
    piped = CliRunner().invoke(app, ["comment", str(md)], input='[{"id": 7, "body": "<!-- busbench: gate -->"}]')
    assert (piped.exit_code, piped.stdout) == (0, "7\n")
