"""Whom a broker runs as; that it does so is tested on real brokers in tests/live."""

from pathlib import Path

import pytest

from brokers.places import identity
from brokers.places.base import Launch

ALL = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n"
WHOLE = "         0          0 4294967295\n"


@pytest.mark.parametrize(
    ("status", "uid_map", "found"),
    [
        (ALL, WHOLE, identity.ID),
        ("Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n", WHOLE, None),
        ("Uid:\t0\t1000\t1000\t1000\nCapEff:\t000001ffffffffff\n", WHOLE, None),
        (ALL, "         0       1000          1\n", None),
        (ALL, "         0     100000      65536\n", identity.ID),
        ("Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n", WHOLE, None),
    ],
    ids=["root", "a user", "root by name", "one id", "ids of a container", "no ptrace"],
)
def test_root_gives_up_what_it_may(status: str, uid_map: str, found: int | None) -> None:
    """An id of nobody's where there is one and we may take it; else the caller's own."""
    assert identity.unprivileged(status, uid_map) == found


def test_the_folder_belongs_to_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that was written into it; a symbolic link is not followed."""
    folder = tmp_path / "broker"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "x").write_text("x")
    (folder / "link").symlink_to(tmp_path)
    given: dict[Path, tuple[int, int, bool]] = {}

    def chown(path: Path, uid: int, gid: int, *, follow_symlinks: bool) -> None:
        given[path] = uid, gid, follow_symlinks

    monkeypatch.setattr("os.chown", chown)
    identity.give(Launch(("x",), {}, folder, folder / "console.log", main="x"), 7)
    names = {"", "data", "data/x", "link", "console.log"}
    assert given == {folder / name: (7, 7, False) for name in names}
