"""What is left when a run meets a fault: processes killed and stopped, full disks, little memory. Needs root.

    python -m tests.evidence.faults [--json FILE] [--only PATTERN] [--again] [--table]

Each case is one small run, a scripted trial and then one on RabbitMQ, into which a fault strikes. Afterwards: exit code
and words are those of the table, what was finished is readable, `--resume` goes on, and nothing strays. The script
lives in a mount namespace of its own, with its own /dev/shm, temporary folder and cache, and is the reaper of every
orphan: whatever is there afterwards was left by the case. Cases that are in the JSON file already are not done again;
`--only` takes those whose name has what the regular expression says. Ends in 1 where a case is not as it must be.
"""

import argparse
import contextlib
import ctypes
import datetime as dt
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.host.cache import cache_root
from bench.results import archive
from tests.evidence.faulted_run import BENCH, FILLER, SHARED_MEMORY, Case, Going, Missed, do

SLOW = ("consumer_rate=100", "prefetch=10", "ack_batch=1")
"""Of the second workload: its drain lasts some seconds."""
PORT = 19_464
"""Of metrics."""
SOMEBODY = 65_533
"""A user without rights."""
_PR_SET_CHILD_SUBREAPER = 36
_MOST_SAID = 200
"""Characters of a line in the table."""
_INSIDE = "--inside"


def hit(who: str, phase: str, number: int, on_s: float = 0.0) -> Callable[[Going], None]:
    """Return what sends a signal to a process in a phase; a stopped one goes on after `on_s`, where that is given."""

    def strike(run: Going) -> None:
        run.reach(phase)
        until = time.monotonic() + 10
        while (process := run.find(who)) is None:
            if time.monotonic() > until:
                message = f"there was no {who}"
                raise Missed(message)
            time.sleep(0.02)
        process.send_signal(number)
        if on_s:
            time.sleep(on_s)
            process.send_signal(signal.SIGCONT)

    return strike


def twice(run: Going) -> None:
    """Ctrl-C, and once more while the broker is stopped."""
    run.reach("measure")
    run.command.send_signal(signal.SIGINT)
    time.sleep(0.3)
    run.command.send_signal(signal.SIGINT)


def all_stopped(run: Going) -> None:
    """Stop every process but the conductor, then kill that one."""
    run.reach("measure")
    for process in run.family():
        process.send_signal(signal.SIGSTOP)
    run.command.kill()


def _meanwhile(run: Going, *words: str) -> tuple[int, str]:
    """Run another command in its folder and surroundings; return its exit code and words."""
    inherited = Path(f"/proc/{run.command.pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    environment = dict(os.fsdecode(one).split("=", 1) for one in inherited)
    done = subprocess.run(
        [*BENCH, *words], cwd=run.folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def second(run: Going) -> None:
    """Do the same run once more into another folder."""
    run.reach("start")
    code, words = _meanwhile(run, "run", "faults.toml", "--out", "other", "--no-report")
    if code not in (0, 3) or "Traceback" in words:
        message = f"the second run ended in {code}: {words[-300:]}"
        raise Missed(message)


def resumed_twice(run: Going) -> None:
    """Resume a run that has not ended."""
    run.reach("start")
    code, words = _meanwhile(run, "run", "--resume", "run", "--no-report")
    if code != 4 or "is being written by another run" not in words:
        message = f"the second run ended in {code}: {words[-300:]}"
        raise Missed(message)


def unmetered(run: archive.Run) -> list[str]:
    """Return a fault where pauses are told of a trial whose meter was gone."""
    pauses = run.trials[-1].record.pauses
    return [] if pauses is None or pauses.lost else ["pauses are told although their meter was gone"]


def fill(where: str, phase: str) -> Callable[[Going], None]:
    """Return what fills the file system that holds a folder of the case."""

    def strike(run: Going) -> None:
        run.reach(phase)
        with contextlib.suppress(OSError), (run.folder / where / FILLER).open("wb") as file:
            while True:
                file.write(b"\0" * 65_536)
                file.flush()

    return strike


def deaf(run: Going) -> None:
    """Close the terminal: nobody reads what it prints any more."""
    run.reach("measure")
    for pipe in (run.command.stdout, run.command.stderr):
        if pipe is not None:
            pipe.close()


@contextlib.contextmanager
def small(folder: Path, where: str, size: str) -> Iterator[tuple[str, ...]]:
    """Mount a small file system at a folder of the case."""
    place = folder / where
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield ()
    finally:
        # What is to be looked at afterwards stays.
        kept = folder / f"{where.replace('/', '-')}-kept"
        shutil.copytree(place, kept, ignore=shutil.ignore_patterns(FILLER), symlinks=True)
        subprocess.run(["umount", place], check=True)
        shutil.copytree(kept, place, dirs_exist_ok=True, symlinks=True)


@contextlib.contextmanager
def read_only(folder: Path, where: str) -> Iterator[tuple[str, ...]]:
    """Make a folder of the case read-only, for root as well."""
    place = folder / where
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--rbind", place, place], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
    try:
        yield ()
    finally:
        subprocess.run(["umount", "--recursive", place], check=True)


@contextlib.contextmanager
def grouped(_folder: Path, memory: str) -> Iterator[tuple[str, ...]]:
    """Let the run be in a control group of little memory."""
    group = Path("/sys/fs/cgroup/memory") / f"faults-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(memory)
        yield ("/bin/sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh")
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                for inner in group.iterdir():
                    if inner.is_dir():
                        inner.rmdir()
                group.rmdir()
                break
            time.sleep(0.1)


def before(*words: str) -> Callable[[Path], AbstractContextManager[tuple[str, ...]]]:
    """Return surroundings that are a command before the command."""
    return lambda _folder: contextlib.nullcontext(words)


@contextlib.contextmanager
def somebody(folder: Path) -> Iterator[tuple[str, ...]]:
    """Be a user without rights, who owns the case's folder and cache."""
    subprocess.run(["chown", "--recursive", "--no-dereference", f"{SOMEBODY}:{SOMEBODY}", folder], check=False)
    yield ("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "--bounding-set=-all", "--")


@contextlib.contextmanager
def somebody_without_namespaces(folder: Path) -> Iterator[tuple[str, ...]]:
    """As `somebody`, where no user namespace may be made."""
    # A limit of user namespaces holds in the namespace in which it is set, and below.
    with somebody(folder) as words:
        keeper = subprocess.Popen(["unshare", "-U", "sleep", "600"], start_new_session=True)
        enter = ("nsenter", f"--target={keeper.pid}", "--user", "--setuid=0", "--setgid=0", "--")
        try:
            own = Path("/proc/self/ns/user").readlink()
            while Path(f"/proc/{keeper.pid}/ns/user").readlink() == own:
                time.sleep(0.01)
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{keeper.pid}/{name}").write_text("0 0 65536")
            limit = "echo 0 > /proc/sys/user/max_user_namespaces"
            subprocess.run([*enter, "sh", "-c", limit], check=True)
            yield (*enter, *words)
        finally:
            keeper.kill()
            keeper.wait()


@contextlib.contextmanager
def without(folder: Path, *programs: str) -> Iterator[tuple[str, ...]]:
    """Let no program of these names be found."""
    links = folder / "bin"
    links.mkdir()
    for part in os.environ["PATH"].split(os.pathsep):
        for program in Path(part).iterdir() if Path(part).is_dir() else ():
            if program.name not in programs and not (links / program.name).is_symlink():
                (links / program.name).symlink_to(program)
    yield ("/usr/bin/env", f"PATH={links}")


@contextlib.contextmanager
def taken(_folder: Path) -> Iterator[tuple[str, ...]]:
    """Listen where the run wants to."""
    with socket.create_server(("127.0.0.1", PORT)):
        yield ()


def cases() -> Iterator[Case]:
    """Yield every case."""
    kill, stop = signal.SIGKILL, signal.SIGSTOP
    slow = tuple(word for one in SLOW for word in ("--set", f"workloads.second.{one}"))
    plain = ("--no-report",)

    def options(phase: str) -> tuple[str, ...]:
        return (*plain, *slow) if phase == "drain" else plain

    for phase in ("start", "workers", "warm-up", "measure", "drain", "report"):
        given = () if phase == "report" else options(phase)
        yield Case(
            f"SIGKILL of the conductor, {phase}", hit("conductor", phase, kill), (-9,), within_s=10, options=given,
            finished=2 if phase == "report" else 1, resumed=phase == "measure",
        )  # fmt: skip
    for phase in ("start", "measure", "report"):
        given = () if phase == "report" else plain
        yield Case(
            f"SIGSTOP of the conductor for 15 s, {phase}", hit("conductor", phase, stop, 15), (0, 3, 4), options=given
        )
    yield Case("SIGSTOP of all others, then SIGKILL of the conductor", all_stopped, (-9,), within_s=10)
    yield Case("a second run meanwhile", second, within_s=60, finished=2)
    yield Case("the same folder is resumed meanwhile", resumed_twice, within_s=60, finished=2)
    said = {"producer": "producer-0", "consumer": "consumer-0"}
    for who in ("producer", "consumer"):
        for phase in ("warm-up", "measure", "drain"):
            yield Case(
                f"SIGKILL of a {who}, {phase}", hit(who, phase, kill), (4,), rf"{said[who]} was killed by SIGKILL",
                options=options(phase), finished=2, resumed=phase == "measure",
            )  # fmt: skip
            yield Case(
                f"SIGSTOP of a {who}, {phase}", hit(who, phase, stop), (4,), r"sign of life|did not leave|stalled",
                options=options(phase), finished=2, resumed=phase == "warm-up",
            )  # fmt: skip
    yield Case(
        "SIGSTOP of a consumer, workers", hit("consumer", "workers", stop), (4,), r"not ready within", within_s=100,
        finished=2,
    )  # fmt: skip
    for phase in ("start", "warm-up", "measure", "drain"):
        # What was seen before the drain holds.
        check = (lambda _: []) if phase == "drain" else unmetered
        yield Case(
            f"SIGKILL of the pause meter, {phase}", hit("pause meter", phase, kill), (0, 3), options=options(phase),
            finished=2, check=check,
        )  # fmt: skip
        yield Case(
            f"SIGSTOP of the pause meter, {phase}", hit("pause meter", phase, stop), (0, 3), options=options(phase),
            finished=2, within_s=70, resumed=phase == "measure", check=check,
        )  # fmt: skip
    for who in ("broker", "bwrap"):
        # A start that fails is tried once more; the second succeeds.
        yield Case(
            f"SIGKILL of {who}, start", hit(who, "start", kill), (0, 3), r"trying once more", finished=2, within_s=90
        )
        for phase in ("warm-up", "measure", "drain"):
            yield Case(
                f"SIGKILL of {who}, {phase}", hit(who, phase, kill), (4,), r"ended by signal 9|exit code",
                options=options(phase), finished=2, resumed=phase == "measure",
            )  # fmt: skip
    for phase in ("warm-up", "measure", "drain"):
        yield Case(
            f"SIGSTOP of broker, {phase}", hit("broker", phase, stop), (4,), r"stalled", within_s=60,
            options=(*options(phase), "--set", "plan.drain=8s"), finished=2, resumed=phase == "measure",
        )  # fmt: skip
    yield Case(
        "SIGSTOP of broker, start", hit("broker", "start", stop), (0, 3), r"trying once more", within_s=150, finished=2
    )
    yield Case("SIGSTOP of bwrap, measure", hit("bwrap", "measure", stop), (0, 3), finished=2, within_s=60)
    for phase in ("start", "measure"):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            yield Case(
                f"{number.name}, {phase}", hit("conductor", phase, number), (130,), r"bench run --resume", within_s=20
            )
    yield Case("SIGINT twice, measure", twice, (130,), r"bench run --resume", within_s=20, resumed=True)
    yield Case(
        "SIGINT, report", hit("conductor", "report", signal.SIGINT), (130,), r"interrupted", options=(), finished=2
    )
    yield Case("nobody reads standard output and error", deaf, finished=2, read=False)
    yield Case(
        "disk full at --out", fill("out", "measure"), (4,), r"cannot be written .*No space left.*--resume",
        around=lambda folder: small(folder, "out", "24m"), options=(*plain, "--out", "out/run"), resumed=True,
    )  # fmt: skip
    yield Case(
        "disk full at --out, report", fill("out", "report"), (4,), r"No space left",
        around=lambda folder: small(folder, "out", "24m"), options=("--out", "out/run"), finished=2,
    )  # fmt: skip
    durable = ("--set", "workloads.second.durable=true")
    yield Case(
        "disk full at the broker's data", fill(".cache/busbench/runs", "measure"), (0, 3, 4),
        r"alarm|No space left|enospc|stalled|had no room",
        around=lambda folder: small(folder, ".cache/busbench/runs", "128m"),
        options=(*plain, *durable), finished=1, within_s=90,
    )  # fmt: skip
    yield Case(
        "disk full before the run, at the cache", None, (4,), r"No space left|free",
        around=lambda folder: small(folder, ".cache/busbench/runs", "16k"), finished=1,
    )  # fmt: skip
    yield Case(
        "--out on a read-only file system", None, (2,), r"cannot be made \(Read-only file system\)",
        around=lambda folder: read_only(folder, "out"), options=(*plain, "--out", "out/run"), finished=0,
        resumable=False,
    )  # fmt: skip
    yield Case(
        "XDG_CACHE_HOME on a read-only file system", None, (4,), r"Read-only file system",
        around=lambda folder: read_only(folder, ".cache"), finished=0, resumable=False,
    )  # fmt: skip
    yield Case("XDG_CACHE_HOME relative", None, (0, 3), environment={"XDG_CACHE_HOME": "cache"}, finished=2)
    yield Case("HOME unset", None, (0, 3), environment={"HOME": None}, finished=2)
    yield Case(
        "HOME and XDG_CACHE_HOME unset, a user without an entry", None, (4,), r"XDG_CACHE_HOME", around=somebody,
        environment={"HOME": None, "XDG_CACHE_HOME": None}, finished=0, resumable=False,
    )  # fmt: skip
    yield Case("RLIMIT_AS of 1 GiB", None, (0, 3, 4), r"", around=before("prlimit", "--as=1073741824"), finished=0)
    yield Case(
        "RLIMIT_AS of 256 MiB", None, (4,), r"memory", around=before("prlimit", "--as=268435456"), finished=0,
        resumable=False,
    )  # fmt: skip
    yield Case(
        "memory cgroup of 300 MiB", None, (0, 3, 4, -9, 137), around=lambda folder: grouped(folder, "300M"), finished=0,
        resumable=False,
    )  # fmt: skip
    yield Case("ulimit -n 64", None, (0, 3, 4), around=before("prlimit", "--nofile=64"), finished=1)
    yield Case(
        "ulimit -n 16", None, (4,), r"Too many open files|spawn_init: 24",
        around=before("prlimit", "--nofile=16"), finished=0, resumable=False,
    )  # fmt: skip
    yield Case(
        "no bwrap", None, (4,), r"bwrap is not installed", around=lambda folder: without(folder, "bwrap"), finished=0,
        resumable=False,
    )  # fmt: skip
    yield Case("no java", None, (0, 3), around=lambda folder: without(folder, "java"), finished=2)
    yield Case("a user without rights", None, (0, 3), around=somebody, finished=2, own_image=True)
    yield Case(
        "a user without rights or user namespaces", None, (4,), r"namespace", around=somebody_without_namespaces,
        finished=0, resumable=False, own_image=True,
    )  # fmt: skip
    yield Case(
        "a taken port for --metrics",
        None,
        (2, 4),
        r"in use",
        around=taken,
        options=(*plain, "--metrics", str(PORT)),
        finished=0,
        resumable=False,
    )


def _inside(given: argparse.Namespace) -> int:
    """Do every case, as the reaper of orphans, in a mount namespace of its own."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    cache = cache_root()
    for place in (SHARED_MEMORY, Path("/run")):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", place], check=True)
    done = _done(given.json)
    wrong = 0
    for case in cases():
        if given.only and not re.search(given.only, case.name):
            continue
        if case.name in done and not given.again:
            continue
        seen = do(case, cache / "images", cache / "kernels")
        _keep(given.json, seen)
        wrong += bool(seen["faults"])
        print(
            f"{'FAULT' if seen['faults'] else 'right':5} {seen['whole_s']:6.1f} s  {case.name}: {seen['code']}",
            *seen["faults"],
            sep="\n        ",
            flush=True,
        )
    return wrong


def _done(file: Path) -> dict[str, dict[str, Any]]:
    return json.loads(file.read_text()) if file.exists() else {}


def _keep(file: Path, seen: dict[str, Any]) -> None:
    """Write one case; others may do so at the same time."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = _done(file)
        done[seen["case"]] = seen | {"on": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"}
        part = file.with_suffix(".part")
        part.write_text(json.dumps(done, indent=1))
        part.replace(file)


def table(done: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of all cases as Markdown."""
    lines = [
        "| fault | exit code | ended after | what was said | `--resume` | right |",
        "|---|---|---|---|---|---|",
    ]
    for case in cases():
        if (seen := done.get(case.name)) is None:
            continue
        said = _telling(seen["said"], case.words).replace("|", "\\|")
        right = "no: " + "; ".join(seen["faults"]).replace("|", "\\|")[:200] if seen["faults"] else "yes"
        resumed = {"can": "can go on", "": "nothing was begun"}.get(seen["resumed"], "did all that was left")
        lines.append(
            f"| {case.name} | {seen['code']} | {seen['ended_s']:.0f} s | {said or '—'} | {resumed} | {right} |"
        )
    return "\n".join(lines) + "\n"


def _telling(said: str, words: str) -> str:
    """Return the line that says what a case must say, else its first error; not what the host does to figures."""
    lines = said.splitlines()
    wanted = [line for line in lines if words and re.search(words, line)]
    found = (wanted or [line for line in lines if line.startswith(("error:", "interrupted"))] or [""])[0]
    found = re.sub(r"^trial 2 of 2 .*INVALID  ", "", found).partition("  A fixed computation")[0]
    found = re.sub(r"/run/faults-\w+/", "", found).replace("\\n ", "").strip()
    return f"{found[:_MOST_SAID]}…" if len(found) > _MOST_SAID else found


def main() -> None:
    """Do the cases that are left, then print how many were wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("results/faults.json"))
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true", help="print what is in the JSON file as Markdown")
    parser.add_argument(_INSIDE, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.json = given.json.absolute()
    given.json.parent.mkdir(parents=True, exist_ok=True)
    if given.table:
        sys.stdout.write(table(_done(given.json)))
        return
    if not given.inside:
        os.execvp(  # noqa: S606  (no shell is wanted)
            "unshare",
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "--",
                sys.executable,
                "-m",
                "tests.evidence.faults",
                *sys.argv[1:],
                _INSIDE,
            ],
        )
    sys.exit(_inside(given) > 0)


if __name__ == "__main__":
    main()
