"""From which environment variables a user name or a password may be read. Pure.

A scenario may come from anybody: it names the broker and the variable. Were every variable allowed, it would send any
secret of this environment to a broker of its choice.
"""

from collections.abc import Mapping

OURS = "BUSBENCH_"
"""How the names of variables begin that a scenario may name."""
ALLOWED = "BUSBENCH_CREDENTIALS_FROM"
"""Variable that holds the names of others that may be read, apart by spaces; the command line sets it."""


def may_be_read(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether credentials may be read from a variable of this name."""
    return name.startswith(OURS) or name in environ.get(ALLOWED, "").split()
