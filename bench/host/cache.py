"""Where the suite keeps what it can make again: compiled kernels, the data of runs under way."""

import os
from pathlib import Path


def cache_root() -> Path:
    """Return our folder in the user's cache, by the XDG base directory specification; it may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "busbench"
