"""One small run of two trials into which a fault strikes: its processes, its phases, what it leaves.

The process that uses this must be the reaper of orphans, in a mount namespace of its own (`tests.evidence.faults`).
"""

import contextlib
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.results import archive
from brokers.places.limits import PREFIX

SCENARIO = """
name = "faults"
title = "Faults"
question = "Is what was finished kept?"
[[brokers]]
name = "script"
kind = "memory"
[[brokers]]
name = "broker"
kind = "rabbitmq"
[[targets]]
name = "scripted"
broker = "script"
protocol = "memory"
driver = "memory"
[[targets]]
name = "target"
broker = "broker"
protocol = "amqp091"
driver = "wire091"
[[workloads]]
name = "first"
only = ["scripted"]
duration = "1s"
load = { kind = "rate", rate = 300 }
[[workloads]]
name = "second"
only = ["target"]
duration = "2s"
load = { kind = "rate", rate = 300, capacity = 20000 }
[plan]
repetitions = 1
restart = "run"
idle = false
extend = 1.0
drain = "3s"
warm_up = { at_least = "1s", at_most = "1s", settle = "1s" }
"""
BENCH = (sys.executable, "-m", "bench")
KILLED = (-9, 137)
"""Exit codes of a command that the kernel ended."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (that of our own mount namespace)
FILLER = "filler"
"""The file that makes a disk full."""
_WAIT_S = 90.0
"""Longest wait for a phase."""
_RESUME_S = 200.0
_END_S = 10.0
"""Longest time in which what is left behind may still end."""


@dataclass(frozen=True)
class Case:
    """A fault, and what must come of it.

    Attributes:
        name: what is done; the key in the JSON file.
        strike: does it to a run that goes on; None where the run begins in it.
        codes: exit codes that are right; -9 where the conductor itself is killed.
        words: what standard error must say, a regular expression; empty = nothing in particular.
        within_s: the run ends within this time after the fault.
        options: of `bench run`.
        environment: changes of it; None takes a variable away.
        around: makes the surroundings; yields what stands before the command.
        finished: trials that must be readable at least.
        resumed: whether `--resume` does the rest (else what it would do is asked of the folder).
        resumable: whether there is a folder to resume.
        read: whether what it prints is read.
        own_image: whether it needs an image whose files may be given away.
        check: returns what is wrong in its results.
    """

    name: str
    strike: Callable[["Going"], None] | None = None
    codes: tuple[int, ...] = (0, 3)
    words: str = ""
    within_s: float = 40.0
    options: tuple[str, ...] = ("--no-report",)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    around: Callable[[Path], AbstractContextManager[tuple[str, ...]]] | None = None
    finished: int = 1
    resumed: bool = False
    resumable: bool = True
    read: bool = True
    own_image: bool = False
    check: Callable[[archive.Run], list[str]] = lambda _: []


class Going:
    """A run that goes on, and its processes by what they do."""

    def __init__(self, command: "subprocess.Popen[bytes]", folder: Path, out: Path) -> None:
        """Look at a command that runs in a folder and writes into a results folder."""
        self.command, self.folder, self.out = command, folder, out

    def family(self) -> list[psutil.Process]:
        """Return every process that it started, and those that they did."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.command.pid).children(recursive=True)
        return []

    def find(self, who: str) -> psutil.Process | None:
        """Return one of its processes; None where it is not there."""
        if who == "conductor":
            return psutil.Process(self.command.pid)
        sandboxes = []
        for process in self.family():
            with contextlib.suppress(psutil.Error, OSError):
                words = " ".join(process.cmdline())
                printed = Path(f"/proc/{process.pid}/fd/1").readlink().name
                if who == "bwrap" and process.name() == "bwrap" and "rabbitmq-server" in words:
                    sandboxes.append(process)
                if (
                    (who == "pause meter" and "bench.pauses.meter" in words)
                    or (who in ("producer", "consumer") and "bench.run.worker" in words and printed.startswith(who))
                    or (who == "broker" and process.name() == "beam.smp")
                ):
                    return process
        return sandboxes[0] if sandboxes else None

    def board(self) -> tuple[int, int, int, int] | None:
        """Return start, end, stop and begin of the measured part, from the board of the trial under way."""
        with contextlib.suppress(OSError, ValueError):
            for link in Path(f"/proc/{self.command.pid}/fd").iterdir():
                if "memfd:busbench-board" in str(link.readlink()):
                    descriptor = os.open(link, os.O_RDONLY)
                    try:
                        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as memory:
                            cells = np.frombuffer(memory[:32], np.int64)
                            start, end, stop, measured = map(int, cells)
                            return start, end, stop, measured
                    finally:
                        os.close(descriptor)
        return None

    def phase(self) -> str:
        """Return where it is.

        `begin`, `start` (of the broker), `workers` (theirs), `warm-up`, `measure`, `drain`, `stop` or `report`.
        """
        board, now = self.board(), time.monotonic_ns()
        if board is None:
            if any(self.out.glob("trials/001-*/trial.json")):
                return "report" if self.find("broker") is None else "stop"
            return "start" if self.find("broker") is not None else "begin"
        start, end, stop, measured = board
        if not start:
            return "workers"
        if stop or now >= end:
            return "drain"
        return "measure" if measured and now >= measured else "warm-up"

    def reach(self, phase: str) -> None:
        """Wait until it is there."""
        until = time.monotonic() + _WAIT_S
        while (at := self.phase()) != phase:
            if self.command.poll() is not None or time.monotonic() > until:
                message = f"it was in {at}, not in {phase}"
                raise Missed(message)
            time.sleep(0.05)


class Missed(Exception):  # noqa: N818  (what happened)
    """The phase in which a fault was to strike did not come."""


# What is left.


@dataclass(frozen=True)
class Surroundings:
    """What there is besides processes: mounts, control groups of brokers, named network namespaces, files."""

    mounts: AbstractSet[str]
    groups: AbstractSet[str]
    networks: AbstractSet[str]
    files: AbstractSet[str]

    @classmethod
    def look(cls, folder: Path) -> "Surroundings":
        """See what there is for a run in a folder; the mounts are those of our own namespace."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        groups = {str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{PREFIX}*") if path.is_dir()}
        networks = Path("/run/netns")
        named = {str(path) for path in networks.iterdir()} if networks.is_dir() else set()
        places = (SHARED_MEMORY, folder / "tmp", folder / ".cache/busbench/runs")
        files = {str(path) for place in places if place.is_dir() for path in place.iterdir() if path.name != FILLER}
        return cls({" ".join(line.split()[3:5]) for line in lines}, groups, named, files)

    def new(self, before: "Surroundings", conductors: AbstractSet[int]) -> list[str]:
        """Return what was not there before; of control groups those that bear the id of one of these processes."""
        groups = {
            path for path in self.groups - before.groups if int(re.findall(r"\d+", Path(path).name)[0]) in conductors
        }
        others = (self.mounts - before.mounts, self.networks - before.networks, self.files - before.files)
        return sorted(groups.union(*others))


def strays(known: AbstractSet[int]) -> list[str]:
    """Reap what ended, end what did not within 10 s, and return it; processes that were known before are left alone."""
    until = time.monotonic() + _END_S
    while True:
        for process in psutil.Process().children():
            if process.pid not in known:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
        left = [one for one in psutil.Process().children(recursive=True) if one.pid not in known]
        if not left or time.monotonic() > until:
            break
        time.sleep(0.05)
    found = []
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(f"{process.pid} {process.name()} {process.status()}")
            process.kill()
    return found


# A case.


@dataclass
class Ended:
    """What came of a case."""

    code: int
    said: str
    took_s: float
    faults: list[str]


class OutputReader:
    """Reads what a command prints on both channels, so that it never waits for us."""

    def __init__(self, command: "subprocess.Popen[bytes]") -> None:
        """Begin."""
        self._parts: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._read, args=(pipe,), daemon=True) for pipe in (command.stdout, command.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, pipe: Any) -> None:
        with contextlib.suppress(OSError, ValueError):
            while part := os.read(pipe.fileno(), 65_536):
                self._parts.append(part)

    def text(self) -> str:
        """Return what was printed; an orphan that holds a channel is not waited for."""
        for thread in self._threads:
            thread.join(5)
        return b"".join(self._parts).decode(errors="replace")


def do(case: Case, images: Path, kernels: Path) -> dict[str, Any]:
    """Do one case in a folder and cache of its own; return what was seen."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", dir="/run", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tmp").mkdir()
        (folder / "faults.toml").write_text(SCENARIO)
        cache = folder / ".cache/busbench"
        (cache / "runs").mkdir(parents=True)
        shutil.copytree(kernels, cache / "kernels", symlinks=True)
        roots = []
        for image in images.iterdir():
            if (image / "image.json").is_file():
                root = cache / "images" / image.name / "root"
                root.mkdir(parents=True)
                for file in image.glob("*.json"):
                    shutil.copy(file, root.parent)
                if case.own_image:
                    subprocess.run(["cp", "-a", f"{image}/root/.", root], check=True)
                    continue
                # Read-only: whatever happens here, the user's image stays as it is.
                subprocess.run(["mount", "-o", "bind,ro", image / "root", root], check=True)
                roots.append(root)
        try:
            found = _Attempt(case, folder).do()
        finally:
            for root in roots:
                subprocess.run(["umount", "--lazy", root], check=True)
    return {"case": case.name} | found | {"whole_s": round(time.monotonic() - begun, 1)}


class _Attempt:
    """A case in its folder."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        named = "--out" in case.options
        self.out = Path(case.options[case.options.index("--out") + 1]) if named else Path("run")
        self.options = case.options if named else (*case.options, "--out", "run")
        self.usual = dict(os.environ) | {
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(Path.cwd()),
        }
        self.conductors: set[int] = set()

    def do(self) -> dict[str, Any]:
        """Do it, and look at what is left, at once and after `--resume`."""
        case = self.case
        first = Surroundings.look(self.folder)
        with case.around(self.folder) if case.around else contextlib.nullcontext(()) as words:
            around = Surroundings.look(self.folder)
            known = {process.pid for process in psutil.Process().children(recursive=True)}
            seen = self._run(tuple(words))
            seen.faults += [f"left: {one}" for one in strays(known)]
            soon = Surroundings.look(self.folder).new(around, self.conductors)
            if case.resumable or case.finished:
                seen.faults += _readable(self.folder / self.out, case.finished, case.check)
        if case.resumable:
            seen.faults += self._resume()
        last = Surroundings.look(self.folder).new(first, self.conductors)
        # A conductor that is killed leaves its folder and control groups to the next run.
        killed = seen.code in KILLED
        if soon and not killed:
            seen.faults.append(f"left: {', '.join(soon)}")
        if last and (case.resumed or not killed):
            seen.faults.append(f"left after --resume: {', '.join(last)}")
        return {
            "code": seen.code,
            "ended_s": round(seen.took_s, 1),
            "said": seen.said[-3000:],
            "resumed": "" if not case.resumable else "all that was left" if case.resumed else "can",
            "faults": seen.faults,
        }

    def _run(self, words: tuple[str, ...]) -> Ended:
        case, faults = self.case, []
        environment = {
            name: value for name, value in (self.usual | dict(case.environment)).items() if value is not None
        }
        with subprocess.Popen(
            [*words, *BENCH, "run", "faults.toml", "--seed", "1", *self.options],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as command:
            self.conductors.add(command.pid)
            reading = OutputReader(command) if case.read else None
            struck = time.monotonic()
            if case.strike is not None:
                try:
                    case.strike(Going(command, self.folder, self.folder / self.out))
                except Missed as missed:
                    faults.append(str(missed))
                struck = time.monotonic()
            limit = _WAIT_S if case.strike is None else case.within_s
            try:
                command.wait(limit)
            except subprocess.TimeoutExpired:
                faults.append(f"it had not ended {limit:.0f} s later")
            finally:
                command.kill()
                command.wait()
            took = time.monotonic() - struck
            said = reading.text() if reading is not None else ""
        if command.returncode not in case.codes:
            faults.append(f"exit code {command.returncode}")
        if "Traceback" in said:
            faults.append("a traceback")
        if case.words and not re.search(case.words, said, re.DOTALL):
            faults.append(f"its words lack {case.words!r}")
        return Ended(command.returncode, said, took, faults)

    def _resume(self) -> list[str]:
        if not self.case.resumed:
            return []  # that its plan and its finished trials can be read was seen
        with subprocess.Popen(
            [*BENCH, "run", "--resume", str(self.out), "--no-report"],
            cwd=self.folder,
            env=self.usual,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            self.conductors.add(command.pid)
            _, said = command.communicate(timeout=_RESUME_S)
        faults = [f"left by --resume: {one}" for one in strays(set())]
        if command.returncode not in (0, 3):
            faults.append(f"--resume ended in {command.returncode}: {said[-300:]}")
        return faults + _readable(self.folder / self.out, 2)


def _readable(place: Path, wanted: int, check: Callable[[archive.Run], list[str]] = lambda _: []) -> list[str]:
    try:
        run = archive.read(place)
    except archive.ArchiveError as error:
        return [str(error)]
    few = [] if len(run.trials) >= wanted else [f"{len(run.trials)} finished trials, not {wanted}"]
    return [*run.unreadable.values(), *few, *check(run)]
