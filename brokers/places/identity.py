"""Whom a broker runs as that root starts: an id that is nobody's, without a capability.

No product needs root or a capability: ports are above 1024, the folder belongs to the broker, and limits are set from
outside. A caller who is not root has nothing to give up; root of a user namespace that has no other ids, or that may
not take one, keeps its own, which has no rights outside, and gives up the capabilities alone.
"""

import os
from pathlib import Path

from brokers.places.base import Launch
from brokers.regular_file import open_regular

ID = 64_738
"""User and group; of the range that systemd keeps for ids of the moment, which no account has (systemd.exec(5))."""
ADDED = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")
"""What `become` needs and gives up, as options of bubblewrap."""
# Bits of capabilities(7): chown; dac_override and kill, as what is its own is no longer ours; setgid, setuid, setpcap;
# ptrace, by which usage and synchronous writes are seen.
_NEEDED = (0, 1, 5, 6, 7, 8, 19)


def unprivileged(status: str | None = None, uid_map: str | None = None) -> int | None:
    """Return the id to run a broker under; None where that is the caller's own.

    Args:
        status: text of /proc/self/status, read by default.
        uid_map: text of /proc/self/uid_map, read by default.
    """
    try:
        status = status or Path("/proc/self/status").read_text()
        uid_map = uid_map or Path("/proc/self/uid_map").read_text()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    effective = int(fields["CapEff"], 16)
    root = fields["Uid"].split()[1] == "0"
    # Lines of user_namespaces(7): first id inside, first outside, how many.
    spans = [tuple(map(int, line.split())) for line in uid_map.splitlines()]
    mapped = any(first <= ID < first + count for first, _, count in spans)
    return ID if root and mapped and all(effective >> bit & 1 for bit in _NEEDED) else None


def become(own_id: int) -> tuple[str, ...]:
    """Return the command that becomes what follows it, under an id and without capabilities; of util-linux. Pure."""
    one = str(own_id)
    return (
        "/usr/bin/setpriv",
        *("--reuid", one, "--regid", one, "--clear-groups"),
        *("--inh-caps", "-all", "--ambient-caps", "-all", "--bounding-set", "-all"),
        "--",
    )


def give(launch: Launch, own_id: int) -> None:
    """Let a program's folder, with what was written into it, belong to an id; done once.

    Raises:
        OSError: we may not.
    """
    if launch.folder.stat().st_uid != own_id:
        for folder, folders, names in os.walk(launch.folder):
            for name in (*folders, *names):
                os.chown(Path(folder, name), own_id, own_id, follow_symlinks=False)
        os.chown(launch.folder, own_id, own_id, follow_symlinks=False)
    # What it prints goes there, and it may open that anew, as /dev/stdout.
    os.close(open_regular(launch.output, os.O_WRONLY | os.O_CREAT))
    os.chown(launch.output, own_id, own_id, follow_symlinks=False)
