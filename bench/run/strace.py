"""strace on processes that run already: attached by id, for a while, all their threads included.

What it says is read by `bench.run.fsync_count`. It slows down what it watches, so nothing that is
timed may happen meanwhile.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.run.fsync_count import CALLS, file_key, is_synchronous

ATTACH_TIMEOUT_S = 10.0
_DETACH_TIMEOUT_S = 10.0
_POLL_S = 0.02


class NotTraced(Exception):  # noqa: N818  (what came of it, not whose error)
    """These processes cannot be watched here; says why and what to do."""


@contextlib.contextmanager
def traced(pids: Sequence[int], output: Path) -> Iterator[None]:
    """Have strace write what these processes do into a file, until the block ends.

    Whatever ends the block, strace is gone afterwards and the processes run on.

    Raises:
        NotTraced: strace is missing or may not attach.
    """
    if shutil.which("strace") is None:
        message = "strace is not installed (apt-get install strace, or, in a checkout: make setup)"
        raise NotTraced(message)
    words = output.with_name(f"{output.name}.words")
    with words.open("wb") as said:
        process = subprocess.Popen(_command(pids, output), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        _await_attached(process, pids, words)
        yield
        process.send_signal(signal.SIGINT)  # strace lets go of everything and writes what it has
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_DETACH_TIMEOUT_S)
    finally:
        process.kill()  # the kernel lets go of what a tracer that died held
        process.wait()


def _command(pids: Sequence[int], output: Path) -> list[str]:
    attach = [word for pid in pids for word in ("-p", str(pid))]
    # A question mark: no fault where this architecture has no such call.
    calls = ",".join(f"?{call}" for call in CALLS)
    return [
        "strace",
        "-f",
        "-ttt",
        "-y",
        "-s",
        "0",
        "-e",
        f"trace={calls}",
        "-e",
        "signal=none",
        "-o",
        str(output),
        *attach,
    ]


def _await_attached(process: "subprocess.Popen[bytes]", pids: Sequence[int], words: Path) -> None:
    until = time.monotonic() + ATTACH_TIMEOUT_S
    left = set(pids)
    while left:
        said = words.read_text(errors="replace")
        left -= {int(found) for found in re.findall(r"Process (\d+) attached", said)}
        left = {pid for pid in left if Path(f"/proc/{pid}").exists()}
        if left and (process.poll() is not None or time.monotonic() > until or "attach:" in said):
            raise NotTraced(_refusal(said))
        if left:
            time.sleep(_POLL_S)
    if process.poll() is not None:
        raise NotTraced(_refusal(words.read_text(errors="replace")))


def _refusal(said: str) -> str:
    reason = next((line for line in said.splitlines() if "attached" not in line and line.strip()), "it says nothing")
    return f"strace may not attach to the broker (root may, or: sysctl kernel.yama.ptrace_scope=0): {reason.strip()}"


def files_open_for_synchronous_writing(pids: Sequence[int]) -> set[str]:
    """Return such files of these processes, as `file_key` names them; those that cannot be seen are left out."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for file in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if is_synchronous(_flags(Path(f"/proc/{pid}/fdinfo/{file.name}").read_text())):
                        found.add(file_key(int(file.name), str(file.readlink())))
    return found


def _flags(information: str) -> int:
    """Return the open flags in the text of a fdinfo file (proc(5)): a line `flags:` with an octal number."""
    for line in information.splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    return 0
