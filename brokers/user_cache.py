"""The user's cache folder, by the XDG base directory specification."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path


def user_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Return our folder in the user's cache; it may not exist yet.

    Raises:
        OSError: nothing says where that is.
    """
    given = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):  # noqa: PTH117  (a relative one is invalid and ignored, says the specification)
        return Path(given) / "busbench"
    home = environ.get("HOME")
    try:
        return (Path(home) if home else Path.home()) / ".cache" / "busbench"
    except RuntimeError:
        message = "nobody says where this user's cache is: set HOME or XDG_CACHE_HOME to a folder"
        raise OSError(errno.ENOENT, message) from None
