"""Normalising, digesting and listing root file systems, on small trees."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from brokers.image import content

COOKIE = ("var/lib/rabbitmq/.erlang.cookie",)
"""As recipes name it."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small root file system, with everything in it that differs between builds."""
    tree = tmp_path / "root"
    for path, text in {
        "etc/hostname": "a-machine",
        "etc/resolv.conf": "nameserver 192.0.2.1",
        "etc/ssl/certs/java/cacerts": "times inside",
        COOKIE[0]: "SECRET",
        "usr/bin/tool": "#!/bin/sh\n",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "usr/bin/tool").chmod(0o4755)
    (tree / "etc/shadow").write_text("")
    (tree / "etc/shadow").chmod(0)
    (tree / "bin").symlink_to("usr/bin")
    return tree


def test_builds_that_differ_only_where_they_may_have_one_digest(root: Path, tmp_path: Path) -> None:
    """Hostname, resolver, certificate store, cookie and times do not count."""
    twin = tmp_path / "twin"
    shutil.copytree(root, twin, symlinks=True)
    (twin / "etc/hostname").write_text("another")
    (twin / "etc/resolv.conf").unlink()
    (twin / COOKIE[0]).write_text("OTHER")
    os.utime(twin / "usr/bin/tool", (1, 1))
    content.normalise(root, COOKIE)
    content.normalise(twin, COOKIE)
    assert content.digest(content.survey(root)) == content.digest(content.survey(twin))


def test_normalising_twice_changes_nothing(root: Path) -> None:
    """It can be taken up again after an interruption."""
    content.normalise(root)
    once = content.digest(content.survey(root))
    content.normalise(root)
    assert content.digest(content.survey(root)) == once


def test_normalising_names_localhost_and_drops_set_id_bits(root: Path) -> None:
    """A node called @localhost needs the one; the other means nothing in a tree of one's own."""
    content.normalise(root)
    assert (root / "etc/hosts").read_text() == "127.0.0.1\tlocalhost\n"
    assert (root / "usr/bin/tool").stat().st_mode & 0o7777 == 0o755
    assert (root / "etc/shadow").stat().st_mode & 0o7777 == 0o600


def _append(root: Path) -> None:
    (root / "usr/bin/tool").write_text("#!/bin/bash\n")


def _mode(root: Path) -> None:
    (root / "usr/bin/tool").chmod(0o700)


def _link(root: Path) -> None:
    (root / "bin").unlink()
    (root / "bin").symlink_to("usr/sbin")


def _name(root: Path) -> None:
    (root / "usr/bin/tool").rename(root / "usr/bin/too1")


def _kind(root: Path) -> None:
    (root / "bin").unlink()
    (root / "bin").write_text("usr/bin")


@pytest.mark.parametrize("change", [_append, _mode, _link, _name, _kind])
def test_every_change_of_content_changes_the_digest(root: Path, change: Callable[[Path], None]) -> None:
    """Bytes, mode, link target, name and type all count."""
    content.normalise(root)
    before = content.digest(content.survey(root))
    change(root)
    assert content.digest(content.survey(root)) != before


def test_packages_are_those_installed(root: Path) -> None:
    """Removed ones, of which dpkg keeps a stanza, are left out."""
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: b\nStatus: install ok installed\nDescription: x\n more: y\nVersion: 2:1-1\n\n"
        "Package: a\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    assert content.packages(root) == {"b": "2:1-1"}


def test_size_counts_a_hard_link_once(root: Path) -> None:
    """As the disk does."""
    (root / "big").write_bytes(os.urandom(1_000_000))
    before = content.size(root)
    (root / "same").hardlink_to(root / "big")
    assert 1_000_000 <= before == content.size(root)


def test_delete_enters_closed_folders(root: Path) -> None:
    """Of one's own; and is no fault where nothing is."""
    closed = root / "closed"
    closed.mkdir()
    (closed / "file").write_text("")
    closed.chmod(0)
    content.delete(root)
    assert not root.exists()
    content.delete(root)
