"""The place `sandbox`: the image's root file system, read-only, under bubblewrap.

The broker sees the image at `/`, its own folder at `/run/bench` and the host's network;
it has process ids of its own, so ending the namespace ends everything in it, and the
namespace ends with the process that started it, even when that one is killed. Of root's
rights it has none: see `brokers.places.identity`.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path, PurePosixPath
from typing import IO, ClassVar

import psutil

from brokers.places import identity, ports
from brokers.places.base import Caps, Launch, Running, StartingPlace
from brokers.places.process import END_TIMEOUT_S, HostProcess, below, newest_below

HOME = PurePosixPath("/run/bench")
_SWITCHES = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0", "AppArmor forbids them, as Ubuntu's does from 23.10 on"),
    ("kernel.unprivileged_userns_clone", "0", "1", "this kernel forbids them"),
    ("user.max_user_namespaces", "0", "10000", "this kernel allows none"),
)
"""Of the kernel: name, the value that forbids user namespaces and one that allows them, and who forbids then."""
_TRIAL_TIMEOUT_S = 10.0
INFO_FD = "{info_fd}"
"""Stands for the number of the pipe on which bubblewrap tells the id of its first process."""


def command(root: Path, launch: Launch, bwrap: str = "bwrap", own_id: int | None = None) -> tuple[str, ...]:
    """Return the bubblewrap command line of a launch. Pure.

    Args:
        root: root file system of the image.
        launch: what is started.
        bwrap: bubblewrap.
        own_id: user and group that the program runs under; None = the caller's.
    """
    # Bubblewrap changes the id only together with a user namespace, in which ours is still root's for this host.
    capabilities = ("--cap-drop", "ALL", *(() if own_id is None else identity.ADDED))
    become = () if own_id is None else identity.become(own_id)
    variables = [part for name, value in launch.environment.items() for part in ("--setenv", name, value)]
    # fmt: off
    return (
        bwrap,
        "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--info-fd", INFO_FD,
        *capabilities,
        "--ro-bind", str(root), "/",
        "--tmpfs", "/run", "--bind", str(launch.folder), str(HOME),
        "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp",  # noqa: S108  (the sandbox's own)
        "--chdir", str(HOME),
        "--clearenv", *variables,
        "--", *become, *launch.argv,
    )
    # fmt: on


def refusal(bwrap: str) -> str | None:
    """Return why bubblewrap starts no sandbox with process ids of its own here; None where it does."""
    trial = (bwrap, "--ro-bind", "/", "/", "--unshare-pid", "true")
    try:
        done = subprocess.run(
            trial, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRIAL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.decode(errors="replace").strip() or "it says nothing"


def remedy(switches: Path = Path("/proc/sys")) -> str:
    """Return what to do where `refusal` gives a reason: which switch of the kernel to set, where one forbids.

    Args:
        switches: where the kernel's parameters are.
    """
    for name, forbids, allows, words in _SWITCHES:
        with contextlib.suppress(OSError):
            if (switches / name.replace(".", "/")).read_text(encoding="utf-8").strip() == forbids:
                return f"allow user namespaces ({words}): sudo sysctl -w {name}={allows}, or run as root"
    return (
        "allow user namespaces (no switch of the kernel forbids them, so the rules of a container may: see docs/ci.md),"
        " run as root, or use a broker that you run (place = 'external')"
    )


class SandboxProcess(HostProcess):
    """A bubblewrap and the broker in it."""

    def _spawn(self, output: IO[bytes]) -> tuple["subprocess.Popen[bytes]", psutil.Process | None]:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as information:
            try:
                popen = subprocess.Popen(
                    [part.format(info_fd=writing) if part == INFO_FD else part for part in self._argv],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(writing,),
                    start_new_session=True,  # Ctrl-C is for us, not for the broker
                )
            finally:
                os.close(writing)
            return popen, _first(information.read())

    def _tree(self) -> list[psutil.Process]:
        """Return every process of the namespace but its first, which is bubblewrap's and ignores signals."""
        return [] if self._first is None else below(self._first)

    def signal(self, signum: int) -> None:
        """See `Running`; what goes on takes bubblewrap with it, which would not take note of an end while stopped."""
        super().signal(signum)
        if signum == signal.SIGCONT:
            self._go_on()

    def _go_on(self) -> None:
        for process in (self._first, self._popen):
            if process is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)

    def _kill(self) -> None:
        """End the namespace.

        The death of its first process ends every other, and it is complete only when they are
        gone (pid_namespaces(7)): waiting for that one is waiting for all.
        """
        if self._first is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._first.kill()
            self._go_on()
            if self._popen is not None:
                self._ended.wait(END_TIMEOUT_S)
            psutil.wait_procs([self._first], timeout=END_TIMEOUT_S)


def _first(information: bytes) -> psutil.Process | None:
    """Return the first process of the namespace, from what bubblewrap wrote; None where it failed."""
    with contextlib.suppress(ValueError, KeyError, psutil.NoSuchProcess):
        return psutil.Process(int(json.loads(information)["child-pid"]))
    return None


class Sandbox(StartingPlace):
    """Bubblewrap over one image."""

    name: ClassVar[str] = "sandbox"
    summary: ClassVar[str] = "started by us from the image, in a sandbox of bubblewrap on this host's network"
    from_image: ClassVar[bool] = True
    caveats: ClassVar[tuple[str, ...]] = (
        "A network: brokers and clients shared one machine and spoke over loopback.",
        "Clusters: each broker was a single node, so no replication and no failover.",
    )

    @classmethod
    def lacks(cls) -> str | None:
        """See `Place`."""
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            return "bwrap is not installed; it comes with the package bubblewrap (`bench doctor` tells more)"
        reason = refusal(bwrap)
        return None if reason is None else f"no sandbox starts ({reason}): {remedy()}"

    @property
    def _root(self) -> Path:
        if self.image_root is None:
            message = "a sandbox needs the root file system of an image"
            raise ValueError(message)
        return self.image_root

    def home(self, folder: Path) -> PurePosixPath:  # noqa: ARG002  (the same for each folder)
        """See `StartingPlace`."""
        return HOME

    def newest(self, pattern: str) -> PurePosixPath:
        """See `StartingPlace`."""
        return PurePosixPath("/") / newest_below(self._root, pattern).relative_to(self._root)

    def free_ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """See `StartingPlace`."""
        return ports.free_ports(names)

    def start(self, launch: Launch, caps: Caps | None) -> Running:
        """See `StartingPlace`."""
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise FileNotFoundError(self.lacks())
        own_id = identity.unprivileged()
        if own_id is not None:
            identity.give(launch, own_id)
        return SandboxProcess(command(self._root, launch, bwrap, own_id), launch, caps)
