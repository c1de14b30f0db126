"""strace on a process of our own: exact counts, nothing left behind, and reasons where it cannot be had."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.run.fsync_count import Syncs, count_syncs
from bench.run.strace import NotTraced, files_open_for_synchronous_writing, traced

WRITER = """
import os, sys, threading
log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_DSYNC)
plain = os.open("plain", os.O_WRONLY | os.O_CREAT)
def work():
    for _ in range(7):
        os.write(plain, b"x")
        os.fdatasync(plain)
print("open", flush=True)
sys.stdin.readline()
for _ in range(5):
    os.write(log, b"x")
    os.fsync(plain)
thread = threading.Thread(target=work)
thread.start()
thread.join()
print("written", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that waits for a word, makes 5 fsyncs, 5 synchronous writes and 7 fdatasyncs, and waits again."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path, stdin=pipe, stdout=pipe, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is optional (bench doctor tells)")
def test_a_process_is_watched_while_it_runs(writer: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """Every call of every thread is counted, and the process runs on without strace."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    output = tmp_path / "said"
    with traced([writer.pid], output):
        known = files_open_for_synchronous_writing([writer.pid])
        begin = time.time()
        writer.stdin.write("go\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "written\n"
        end = time.time()
    assert [name.partition("<")[2] for name in known] == [f"{tmp_path}/log>"]
    assert count_syncs(output.read_text().splitlines(), known, begin, end) == Syncs(5, 7, 5)
    assert writer.poll() is None
    assert not [child for child in psutil.Process().children() if child.name() == "strace"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is optional (bench doctor tells)")
def test_a_process_that_may_not_be_watched(writer: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """One that is traced already: the reason in strace's words, and nothing left behind."""
    refused = pytest.raises(NotTraced, match=r"may not attach.*ptrace")
    with traced([writer.pid], tmp_path / "first"), refused, traced([writer.pid], tmp_path / "second"):
        pass
    assert not [child for child in psutil.Process().children() if child.name() == "strace"]


def test_without_strace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not on PATH: the way to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotTraced, match="apt-get install strace"), traced([1], tmp_path / "said"):
        pass


def test_files_of_a_process_that_is_gone_are_none() -> None:
    """It may end at any time; that is no fault."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert files_open_for_synchronous_writing([gone.pid]) == set()
