"""Commands and checks of a build; the build itself needs a network and is tried by `bench image build`."""

import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from brokers.image.build import bootstrap_command, build, check
from brokers.image.recipe import Artifact, ImageError, recipe


def test_the_command_names_suite_and_packages_and_no_host() -> None:
    """Mirrors are the machine's own affair."""
    line = bootstrap_command(recipe("stable"))
    assert line[-2:] == ("trixie", "-")
    assert "--include=rabbitmq-server,openjdk-21-jre-headless" in line
    assert not any("://" in part for part in line)


def test_validity_is_waived_only_where_the_recipe_says_so() -> None:
    """Unstable's index may be older than its validity."""
    waived = '--aptopt=Acquire::Check-Valid-Until "false"'
    assert waived in bootstrap_command(recipe("current"))
    assert waived not in bootstrap_command(recipe("stable"))


def test_an_artifact_with_another_checksum_is_refused(tmp_path: Path) -> None:
    """With both checksums in the message; the right one passes."""
    archive = tmp_path / "a-1.tar.gz"
    archive.write_bytes(b"content")
    right = hashlib.sha256(b"content").hexdigest()
    check(Artifact(artifact="g:a:1:tar.gz", sha256=right, folder="/opt"), archive)
    with pytest.raises(ImageError, match=f"{right}.*{'0' * 64}"):
        check(Artifact(artifact="g:a:1:tar.gz", sha256="0" * 64, folder="/opt"), archive)


def test_missing_tools_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, with the command that brings them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="apt-get install mmdebstrap tar maven"):
        build(recipe("stable"), tmp_path, 0, print)


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Build where mmdebstrap, Maven and bubblewrap fail; return what is said."""
    tools = tmp_path / "bin"
    tools.mkdir()
    bwrap = "echo 'setting up uid map: Permission denied' >&2; exit 1"
    for name, script in {
        "mmdebstrap": "echo E: no such suite >&2; exit 25",
        "mvn": "exit 1",
        "bwrap": bwrap,
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    def said() -> str:
        root = tmp_path / "root"
        root.mkdir()
        with (tmp_path / "lock").open("w") as lock, pytest.raises(ImageError) as raised:
            build(recipe("stable"), root, lock.fileno(), lambda _: None)
        return str(raised.value)

    return said


def test_a_failing_tool_is_quoted(failing: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The user reads what the tool said, not a traceback."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    said = failing()
    assert re.search(r"(?s)exit code 25.*no such suite", said)
    assert "namespaces" not in said


def test_forbidden_namespaces_are_named(failing: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """To whom is not root, beside what the tool said: without them packages cannot be unpacked."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = failing()
    assert "no such suite" in said
    assert "user namespaces are forbidden here (setting up uid map: Permission denied): allow user namespaces" in said
