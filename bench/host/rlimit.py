"""Open files: a process that holds a connection for each of thousands of lanes asks for as many as it may have."""

import resource
from contextlib import suppress


def allow_most() -> int:
    """Raise this process's soft limit of open files to the hard one, which needs no privilege; return the limit.

    Where the kernel refuses, the limit stays as it was. Children inherit it: this is for processes
    that start none, as many a program reserves memory for each file that it might open.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit(), hard_limit()))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def hard_limit() -> int:
    """Return the hard limit of open files, RLIM_INFINITY where there is none."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]
