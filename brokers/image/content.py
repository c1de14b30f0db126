"""The content of a root file system: made stable, digested, listed."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

# What differs from build to build, or comes from the building machine. No broker
# here trusts a certificate of the system's; names are not resolved.
UNSTABLE = (
    "etc/hostname",
    "etc/resolv.conf",
    "etc/ssl/certs/java/cacerts",
)

HOSTS = "127.0.0.1\tlocalhost\n"
"""etc/hosts: RabbitMQ's node is called `@localhost`, and some suites bring no such file."""


def normalise(root: Path, unstable: Iterable[str] = ()) -> None:
    """Remove what is unstable; name localhost; let the owner read and enter everything; drop set-id bits.

    Unstable is what differs from build to build in every image, and what the recipe names.

    The tree belongs to the user who built it, any user, so set-id bits would mean
    something else for each.
    """
    for name in (*UNSTABLE, *unstable):
        (root / name).unlink(missing_ok=True)
    hosts = root / "etc/hosts"
    hosts.parent.mkdir(exist_ok=True)
    hosts.unlink(missing_ok=True)
    hosts.write_text(HOSTS)
    hosts.chmod(0o644)
    for path in (root, *_walk(root)):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            continue
        mode = stat.S_IMODE(status.st_mode) & 0o1777 | (0o700 if path.is_dir() else 0o600)
        if mode != stat.S_IMODE(status.st_mode):
            path.chmod(mode)


class Entry(NamedTuple):
    """One file, folder or link of a tree.

    Attributes:
        what: its type and mode, and the digest of its bytes or the target of a link.
        stamp: inode, size, and times of content and status in ns: while they stay, so does what it is.
    """

    what: str
    stamp: tuple[int, int, int, int]


Index = dict[str, Entry]
"""Everything below a root by its path, parents first, in byte order of the names."""


def survey(root: Path, known: Mapping[str, Entry] = MappingProxyType({})) -> Index:
    """Return what a tree holds; a file whose stamp is as `known` is not read again."""
    found = {}
    for path in _walk(root):
        name, status = str(path.relative_to(root)), path.lstat()
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        before = known.get(name)
        found[name] = before if before is not None and before.stamp == stamp else Entry(_what(path, status), stamp)
    return found


def changes(before: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    """Return the paths that were changed, added or removed, in order."""
    paths = sorted(before.keys() | now.keys())
    return [path for path in paths if path not in before or path not in now or before[path].what != now[path].what]


def digest(index: Mapping[str, Entry]) -> str:
    """Return the content digest: over path, type, mode, link target and bytes of everything.

    Times and owners do not count.
    """
    whole = hashlib.sha256()
    for name, entry in index.items():
        whole.update(os.fsencode(name) + b"\0" + os.fsencode(entry.what) + b"\0")
    return f"sha256:{whole.hexdigest()}"


def _what(path: Path, status: os.stat_result) -> str:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        # The mode of a link means nothing and differs between systems.
        return f"l 0 {path.readlink()}"
    if kind == stat.S_IFREG:
        with path.open("rb") as file:
            return f"f {stat.S_IMODE(status.st_mode):o} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    return f"{'d' if kind == stat.S_IFDIR else 'o'} {stat.S_IMODE(status.st_mode):o}"


def size(root: Path) -> int:
    """Return the bytes that the tree takes on disk, each hard link counted once."""
    blocks = {}
    for path in _walk(root):
        status = path.lstat()
        blocks[status.st_ino] = status.st_blocks
    return sum(blocks.values()) * 512


def packages(root: Path) -> dict[str, str]:
    """Return version by name of every installed Debian package, from dpkg's status file."""
    found = {}
    for stanza in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line[0].isspace())
        if fields.get("Status") == "install ok installed":
            found[fields["Package"]] = fields["Version"]
    return dict(sorted(found.items()))


def delete(tree: Path) -> None:
    """Delete a tree, also where a folder in it cannot be entered; no fault where it is gone.

    Raises:
        OSError: it cannot be deleted.
    """
    with contextlib.suppress(FileNotFoundError):
        if tree.is_symlink() or not tree.is_dir():
            tree.unlink()
            return
        tree.chmod(0o700)
        for entry in list(os.scandir(tree)):
            delete(Path(entry.path))
        tree.rmdir()


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder, parents first, in byte order of the names."""
    for entry in sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name)):
        path = Path(entry.path)
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
