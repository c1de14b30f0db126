"""`.ci/action/github.py`: one comment, the right history, and no token for anybody else."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action.runner import ROOT
from tests.action.service import Service, made, served

MARKER = "<!-- busbench: performance -->"


@pytest.fixture
def service() -> Iterator[Service]:
    """GitHub's interface, as far as it is asked."""
    with served() as found:
        yield found


def call(service: Service, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call the script as a step does; with a Python that has no package of ours."""
    variables = {
        "GITHUB_API_URL": service.url,
        "GITHUB_REPOSITORY": "we/ours",
        "GITHUB_TOKEN": "a-token",
        "PULL_REQUEST": "7",
    }
    return subprocess.run(
        [sys.executable, "-S", "-I", str(ROOT / ".ci/action/github.py"), *words],
        env=variables | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def text(folder: Path, words: str) -> str:
    """Write a comment; return its file."""
    (folder / "comment.md").write_text(f"{MARKER}\n{words}\n")
    return str(folder / "comment.md")


def test_a_comment_is_added_once_and_then_updated(service: Service, tmp_path: Path) -> None:
    """Also where over a hundred others stand before it."""
    service.comments += [made(number, "words", "somebody") for number in range(1000, 1150)]
    assert call(service, "comment", text(tmp_path, "first")).stdout == "comment added\n"
    assert call(service, "comment", text(tmp_path, "second")).stdout == "comment 151 updated\n"
    assert [one["body"] for one in service.comments[150:]] == [f"{MARKER}\nsecond\n"]


@pytest.mark.parametrize(
    "other",
    [
        made(1, f"{MARKER}\nmine now", "mallory"),
        made(1, "<!-- busbench: another -->\nof another gate"),
        made(1, f"I quote: {MARKER}"),
    ],
)
def test_comments_of_others_are_left_alone(service: Service, tmp_path: Path, other: dict[str, object]) -> None:
    """Whoever writes the marker: the author counts too."""
    service.comments.append(dict(other))
    assert call(service, "comment", text(tmp_path, "mine")).stdout == "comment added\n"
    assert service.comments[0] == other


def test_a_long_text_is_cut(service: Service, tmp_path: Path) -> None:
    """GitHub refuses more than 65,536 characters."""
    assert call(service, "comment", text(tmp_path, "é" * 100_000)).returncode == 0
    body = service.comments[0]["body"]
    assert 60_000 < len(body) < 65_536
    assert body.endswith("… the rest stands in the summary of the run.")


def test_a_token_that_may_not_comment_fails_nothing(service: Service, tmp_path: Path) -> None:
    """As on a pull request from a fork."""
    service.refuses = True
    done = call(service, "comment", text(tmp_path, "words"))
    assert done.returncode == 0
    assert done.stdout.startswith("::warning title=busbench::the token may not comment")


def artifact(
    number: int, created: str, branch: str = "main", of: int = 1, *, expired: bool = False
) -> dict[str, object]:
    """Return an artifact as it is listed."""
    run = {"head_branch": branch, "head_repository_id": of, "repository_id": 1}
    return {"id": number, "name": "busbench-history", "created_at": created, "expired": expired, "workflow_run": run}


def packed(**files: str) -> bytes:
    """Return an archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, words in files.items():
            archive.writestr(name, words)
    return held.getvalue()


def test_the_newest_history_of_the_main_branch_is_taken(service: Service, tmp_path: Path) -> None:
    """Not that of a branch, of a fork whose branch is called main, or one that expired; and the store sees no token."""
    service.artifacts = [
        artifact(1, "2026-01-01T00:00:00Z"),
        artifact(2, "2026-01-03T00:00:00Z"),
        artifact(3, "2026-01-04T00:00:00Z", branch="topic"),
        artifact(4, "2026-01-05T00:00:00Z", of=666),
        artifact(5, "2026-01-06T00:00:00Z", expired=True),
    ]
    service.packed["2"] = packed(**{"runs/a.parquet": "a", "../outside": "b"})
    done = call(service, "history", str(tmp_path / "history"), MAIN="main")
    assert done.returncode == 0, done.stderr
    assert "artifact 2" in done.stdout
    assert (tmp_path / "history/runs/a.parquet").read_text() == "a"
    assert not (tmp_path / "outside").exists()
    assert service.leaked == []


def test_a_first_run_has_no_history(service: Service, tmp_path: Path) -> None:
    """Which is no fault; the folder is there."""
    done = call(service, "history", str(tmp_path / "history"))
    assert done.returncode == 0
    assert done.stdout == "no history is kept as artifact busbench-history of branch main yet\n"
    assert (tmp_path / "history").is_dir()


def test_an_archive_that_is_none(service: Service, tmp_path: Path) -> None:
    """It is told in a line."""
    service.artifacts, service.packed = [artifact(1, "2026-01-01T00:00:00Z")], {"1": b"no zip"}
    done = call(service, "history", str(tmp_path / "history"))
    assert done.returncode == 4
    assert done.stderr.startswith("::error title=busbench::GitHub's interface: BadZipFile")


@pytest.mark.parametrize(
    ("words", "environment", "code", "says"),
    [
        (("history", "."), {"GITHUB_TOKEN": ""}, 2, "GITHUB_TOKEN: not set"),
        (("history", "."), {"GITHUB_TOKEN": "old"}, 4, "401"),
        (("comment", "/nowhere"), {}, 4, "No such file"),
        (("comment", "/dev/null"), {"PULL_REQUEST": "seven"}, 2, "PULL_REQUEST='seven' is no number"),
        (("history", "."), {"GITHUB_API_URL": "http://127.0.0.1:9"}, 4, "refused"),
        (("forget", "."), {}, 2, "say comment or history"),
    ],
)
def test_faults_are_told_in_a_line(
    service: Service, words: tuple[str, ...], environment: dict[str, str], code: int, says: str
) -> None:
    """Each names what is wrong, and no token."""
    done = call(service, *words, **environment)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "a-token" not in done.stderr
