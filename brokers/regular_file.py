"""Opening files where others may have put what they like: a link, a pipe, a device is refused."""

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Return the descriptor of a regular file; no symbolic link is followed in the last part of its path.

    Args:
        path: of the file; a new one is for its owner to write and for all to read, less the umask.
        flags: as of `os.open`.

    Raises:
        FileNotFoundError, PermissionError, OSError: it cannot be opened, or is no regular file.
    """
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for its other end.
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.EINVAL, "it is a symbolic link, which is not followed", str(path)) from None
        if error.errno == errno.ENXIO:  # a pipe that nobody reads
            raise OSError(errno.EINVAL, "it is no regular file", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor
