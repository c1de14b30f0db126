"""What this machine has and lacks for a run: one check a thing, each with how to get it.

Looks, and starts nothing that stays. Printing is the business of `bench.cli.doctor`;
installing that of `make setup`. Brokers and images are not touched.
"""

import importlib
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.host.cache import cache_root
from bench.units import size_words
from brokers.places import sandbox

PYTHON_AT_LEAST = (3, 11)
DISK_AT_LEAST = 2 * 1024**3
"""Bytes: an image, what it is built from, and results."""
FILES_AT_LEAST = 1024
"""Open files: a worker holds one a connection and raises its limit to the hard one; a broker gets the soft one."""
RANKING_CPUS = 4
"""Fewer CPUs than this are shared by broker and client: a report then ranks nothing by throughput."""
TIMEOUT_S = 20

PROTON_PACKAGES = "gcc libc6-dev pkg-config python3-dev libssl-dev libsasl2-dev libsasl2-modules"
"""What pip builds Qpid Proton with, as there are no wheels of it, and its logins by password; Debian's names."""
_OFFER = b"AMQP\3\1\0\0\0\0\0\x15\2\1\0\0\0\x53\x40\xc0\x08\1\xa3\5PLAIN"
"""A server's header of SASL and its list of mechanisms, PLAIN (AMQP 1.0, part 5, 5.3.1 to 5.3.3.1)."""

_IMAGE = "building the image"
_SANDBOX = "brokers that the suite starts itself (not for `external` ones)"


@dataclass(frozen=True)
class Check:
    """What was found of one thing.

    Attributes:
        name: of the thing.
        ok: nothing needs to be done about it.
        found: what was found, with its version or amount.
        needed_for: what does not work without it.
        how_to_get: the next step.
    """

    name: str
    ok: bool
    found: str
    needed_for: str
    how_to_get: str


def examine() -> list[Check]:
    """Return every check of this machine, in the order in which a run needs the things."""
    checks = [
        check_python(sys.version_info[:3]),
        check_proton(importlib.import_module),
        _tool("mmdebstrap", _IMAGE, "mmdebstrap debian-archive-keyring"),
        _tool("mvn", f"{_IMAGE} (fetches brokers that Debian does not have)", "maven"),
        check_java(),
    ]
    if os.geteuid() != 0:
        checks.append(_tool("newuidmap", f"{_IMAGE} without being root", "uidmap"))
    return [
        *checks,
        check_sandbox(),
        _tool("tcpdump", "bench crosscheck --capture", "tcpdump"),
        _tool("strace", "durability classes by evidence instead of by settings", "strace"),
        check_disk(cache_root()),
        check_control_group(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")),
        check_cpus(len(os.sched_getaffinity(0))),
        check_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE)),
    ]


def check_python(version: tuple[int, ...]) -> Check:
    """Check a version of Python."""
    least = ".".join(map(str, PYTHON_AT_LEAST))
    return Check(
        "Python",
        ok=version >= PYTHON_AT_LEAST,
        found=f"{'.'.join(map(str, version))} ({platform.python_implementation()})",
        needed_for="everything",
        how_to_get=f"install Python {least} or newer; in a checkout then: make setup PYTHON=/path/to/it",
    )


def check_proton(load: Callable[[str], Any]) -> Check:
    """Check that Proton is there with TLS, extended SASL and logins by password; `load` imports a module by name."""
    rebuild = (
        "; then, in a checkout, remove .venv and run make setup, elsewhere:"
        " pip install --force-reinstall --no-deps --no-cache-dir python-qpid-proton"
    )
    lacking = []
    try:
        proton = load("proton")
        found = "with TLS and extended SASL"
        lacking += [] if proton.SSL.present() else ["TLS"]
        lacking += [] if proton.SASL.extended() else ["extended SASL"]
    except (ImportError, AttributeError) as error:
        lacking, found = ["everything"], f"cannot be imported: {error}"
    else:
        if lacking:
            found = f"built without {' and '.join(lacking)}"
        elif not answers_plain(proton):
            # Mechanisms are plug-ins of Cyrus SASL, looked for at run time.
            lacking, found, rebuild = ["PLAIN"], f"{found}, but without the SASL mechanism PLAIN", ""
    return Check(
        "Qpid Proton",
        ok=not lacking,
        found=found,
        needed_for="AMQP 1.0 (drivers proton-engine, proton-blocking)",
        how_to_get=f"it is built from source: apt-get install {PROTON_PACKAGES}{rebuild}"
        if rebuild
        else "apt-get install libsasl2-modules",
    )


def answers_plain(proton: Any) -> bool:
    """Return whether Proton logs in where a server offers PLAIN; nothing is connected."""
    connection, transport = proton.Connection(), proton.Transport()
    connection.user, connection.password = "user", "password"
    transport.sasl().allow_insecure_mechs = True
    transport.bind(connection)
    transport.push(_OFFER)
    waiting = transport.pending()
    return waiting > 0 and b"PLAIN" in transport.peek(waiting)


def check_java() -> Check:
    """Check that a Java runs, and say which; Maven takes the one of JAVA_HOME, or else that on PATH."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    worked, said = _try([java, "-version"]) if java else (False, "no `java` on PATH")
    return Check(
        "JDK",
        ok=worked,
        found=said.splitlines()[0] if said else "says nothing",
        needed_for=f"{_IMAGE} (Maven runs on it), bench crosscheck",
        how_to_get=_apt("default-jdk-headless"),
    )


def check_sandbox() -> Check:
    """Check bubblewrap by starting a sandbox with process ids of its own."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Check("bubblewrap", ok=False, found="not on PATH", needed_for=_SANDBOX, how_to_get=_apt("bubblewrap"))
    reason = sandbox.refusal(bwrap)
    return Check(
        "bubblewrap",
        ok=reason is None,
        found="a sandbox was started" if reason is None else f"no sandbox starts: {reason}",
        needed_for=_SANDBOX,
        how_to_get=sandbox.remedy(),
    )


def check_disk(folder: Path) -> Check:
    """Check that a folder, or the nearest one above it that exists, can be written and has room."""
    there = folder
    while not there.exists():
        there = there.parent
    free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
    return Check(
        "cache folder",
        ok=free >= DISK_AT_LEAST and writable,
        found=f"{folder}: {size_words(free)} free" + ("" if writable else f", but {there} cannot be written"),
        needed_for=f"images and compiled code ({size_words(DISK_AT_LEAST)})",
        how_to_get="make room, or set XDG_CACHE_HOME to a folder with room that you may write",
    )


def check_control_group(own: Path, hierarchy: Path) -> Check:
    """Tell whether memory caps can be imposed by control group; it is no fault where they cannot.

    Args:
        own: a file like /proc/self/cgroup, see cgroups(7).
        hierarchy: where control groups are mounted.
    """
    writable = _memory_group(own, hierarchy)
    return Check(
        "control groups",
        ok=True,
        found=f"memory can be capped below {writable}"
        if writable
        else "none can be written: the brokers' own limits are used instead, and the report says so",
        needed_for="a memory cap of the same kind on every broker",
        how_to_get="run as root, or in a session whose control group is delegated (systemd-run --user --scope)",
    )


def _memory_group(own: Path, hierarchy: Path) -> Path | None:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            group = hierarchy / "memory" / path.lstrip("/")
            # In a container the path is that of the host, and the mount is our own part of it.
            for folder in (group, hierarchy / "memory"):
                if os.access(folder, os.W_OK):
                    return folder
        elif number == "0":
            group = hierarchy / path.lstrip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(hierarchy) and _passes_memory_on(folder):
                    return folder
    return None


def _passes_memory_on(folder: Path) -> bool:
    """Return whether groups with a memory cap can be made in a v2 group, and processes moved into them."""
    try:
        enabled = (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
    return "memory" in enabled and os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def check_cpus(count: int) -> Check:
    """Tell how many CPUs there are; few are no fault, but limit what a report concludes."""
    few = f"; below {RANKING_CPUS} broker and client share them, and nothing is ranked by throughput"
    return Check(
        "CPUs",
        ok=True,
        found=f"{count} that we may use{few if count < RANKING_CPUS else ''}",
        needed_for="broker and client on CPUs of their own",
        how_to_get="a machine with more CPUs",
    )


def check_open_files(soft: int, hard: int) -> Check:
    """Check the limits of open files: workers raise theirs to the hard one, brokers start with the soft one."""
    short = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY and limit < FILES_AT_LEAST]
    workers, brokers = ("any number" if limit == resource.RLIM_INFINITY else f"{limit}" for limit in (hard, soft))
    root = "as root, raise the hard limit (nofile in /etc/security/limits.conf, or LimitNOFILE of the service); then "
    return Check(
        "open files",
        ok=not short,
        found=f"{workers} for a worker (hard limit), {brokers} for a broker that we start (soft limit)",
        needed_for="brokers and many connections",
        how_to_get=f"{root if hard in short else ''}ulimit -n {FILES_AT_LEAST} in the shell that runs bench",
    )


def _tool(name: str, needed_for: str, packages: str) -> Check:
    path = shutil.which(name)
    return Check(name, path is not None, path or "not on PATH", needed_for, _apt(packages))


def _apt(packages: str) -> str:
    return f"apt-get install {packages}, or, in a checkout: make setup"


def _try(command: list[str]) -> tuple[bool, str]:
    """Run a command; return whether it ended well and what it said on standard error."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, done.stderr.strip()
