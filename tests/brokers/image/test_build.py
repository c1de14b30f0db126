"""Commands and checks of a build; the build itself needs a network and is tried by `bench image build`."""

import hashlib
import os
import stat
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


def test_a_failing_tool_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user reads what the tool said, not a traceback."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in {"mmdebstrap": "echo E: no such suite >&2; exit 25", "mvn": "exit 1"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    root = tmp_path / "root"
    root.mkdir()
    with (tmp_path / "lock").open("w") as lock, pytest.raises(ImageError, match=r"(?s)exit code 25.*no such suite"):
        build(recipe("stable"), root, lock.fileno(), lambda _: None)
