"""The file system that brokers keep their data on."""

from pathlib import Path

import psutil


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on or would be; `unknown` where nothing tells."""
    return (_mount(folder) or ("unknown", ""))[0]


def data_words(folder: Path) -> str:
    """Return the file system that a folder is on or would be, and whether it is mounted to write at once."""
    kind, options = _mount(folder) or ("unknown", "")
    return f"{kind}, mounted {'sync' if 'sync' in options.split(',') else 'async'}"


def _mount(folder: Path) -> tuple[str, str] | None:
    folder = folder.resolve()
    while not folder.exists():
        folder = folder.parent
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    found = max(mounts, key=lambda part: len(part.mountpoint), default=None)
    return None if found is None else (found.fstype, found.opts)
