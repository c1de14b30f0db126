"""Where brokers keep their data and workers their files while a run goes on.

It is the user's cache folder, not the system's temporary one, which is often memory: a
durable queue must meet a real disk. A run holds a lock on its folder; what a killed run
left behind holds none, and is removed by the next.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.host.cache import cache_root

_LOCK = "lock"


def scratch_root() -> Path:
    """Return the folder that holds the scratch folders of all runs."""
    return cache_root() / "runs"


@contextlib.contextmanager
def scratch_folder(root: Path | None = None) -> Iterator[Path]:
    """Make a folder for one run, and remove it afterwards, with those of runs that were killed."""
    root = root or scratch_root()
    root.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        with _locked(root):
            for left in root.iterdir():
                if left.is_dir() and not left.is_symlink():  # anything else is not of a run
                    _remove_unless_held(left)
            folder = Path(tempfile.mkdtemp(prefix="run-", dir=root))
            lock = held.enter_context((folder / _LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # So that no run sweeps away the folder another has made and not locked yet.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_unless_held(folder: Path) -> None:
    # Folders are made and locked under the root's lock: one without a lock file is nobody's.
    with contextlib.suppress(FileNotFoundError), (folder / _LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    shutil.rmtree(folder, ignore_errors=True)
