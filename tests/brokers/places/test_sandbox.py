"""The sandbox's command line. What it does to processes is tested on real brokers in tests/live."""

import re
from pathlib import Path, PurePosixPath

import pytest

from brokers.places.base import Launch
from brokers.places.sandbox import Sandbox, command, remedy


def _launch(folder: Path) -> Launch:
    return Launch(("/bin/x", "--y"), {"A": "1 2"}, folder, folder / "log", main="x")


def test_the_command_shows_the_image_read_only_and_one_writable_folder(tmp_path: Path) -> None:
    """The image at /, the folder at /run/bench; nothing of the caller's environment."""
    line = command(Path("/image"), _launch(tmp_path))
    text = " ".join(line)
    assert "--ro-bind /image /" in text
    assert f"--bind {tmp_path} /run/bench" in text
    assert "--clearenv" in line
    assert line[line.index("--setenv") :][:3] == ("--setenv", "A", "1 2")
    assert line[line.index("--") + 1 :] == ("/bin/x", "--y")


def test_the_namespace_ends_with_its_starter() -> None:
    """Both are needed: own process ids, and death with the parent."""
    line = command(Path("/image"), _launch(Path("/x")))
    assert {"--unshare-pid", "--die-with-parent"} <= set(line)


def test_a_broker_keeps_no_capability() -> None:
    """Whoever starts it; under an id of its own it passes through setpriv, which drops what that took."""
    line = command(Path("/image"), _launch(Path("/x")))
    assert line[line.index("--cap-drop") + 1] == "ALL"
    assert "--cap-add" not in line
    line = command(Path("/image"), _launch(Path("/x")), own_id=7)
    inside = line[line.index("--") + 1 :]
    assert inside[:5] == ("/usr/bin/setpriv", "--reuid", "7", "--regid", "7")
    assert inside[inside.index("--bounding-set") + 1] == "-all"
    assert inside[-2:] == ("/bin/x", "--y")


def test_home_is_the_same_for_every_folder() -> None:
    """So an image's content and a broker's config do not depend on where results lie."""
    assert Sandbox(Path("/image"), {}).home(Path("/a")) == PurePosixPath("/run/bench")


def test_a_missing_bubblewrap_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message that says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="package bubblewrap"):
        Sandbox(tmp_path, {}).start(_launch(tmp_path), None)


def test_a_bubblewrap_that_starts_no_sandbox_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a run begins; it says what to allow."""
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2; exit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lacking = Sandbox.lacks()
    assert lacking is not None
    assert "No permissions to create new namespace" in lacking
    assert "user namespaces" in lacking


@pytest.mark.parametrize(
    ("switches", "says"),
    [
        (
            {"kernel/apparmor_restrict_unprivileged_userns": "1", "kernel/unprivileged_userns_clone": "1"},
            "AppArmor.*sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ({"kernel/unprivileged_userns_clone": "0"}, "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ({"user/max_user_namespaces": "0"}, "sudo sysctl -w user.max_user_namespaces=10000"),
        (
            {"kernel/apparmor_restrict_unprivileged_userns": "0", "user/max_user_namespaces": "9"},
            "a container.*external",
        ),
        ({}, "a container.*external"),
    ],
)
def test_what_forbids_user_namespaces_is_named(switches: dict[str, str], says: str, tmp_path: Path) -> None:
    """The switch of the kernel that does, with the value that allows them; else that a container may."""
    for name, value in switches.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    assert re.search(says, remedy(tmp_path))
