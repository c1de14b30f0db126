"""What /proc tells: parsed as proc(5) says, and true of real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brokers.places.sampling import (
    PAGE_BYTES,
    TICKS_PER_S,
    ProcessFiles,
    Switches,
    allocated_bytes,
    descendants,
    parse_io,
    parse_stat,
    parse_switches,
)

FIELDS = " ".join(str(number) for number in range(3, 53))


def test_a_name_may_hold_anything() -> None:
    """Fields are counted from the last bracket: utime to cstime are 14 to 17, threads 20, RSS 24."""
    cpu_s, rss, threads = parse_stat(f"77 (a) b (c 9) {FIELDS}".encode())
    assert cpu_s == (14 + 15 + 16 + 17) / TICKS_PER_S
    assert (rss, threads) == (24 * PAGE_BYTES, 20)


def test_disk_is_what_reached_block_devices() -> None:
    """Not what was read and written, which is sockets and the page cache too."""
    text = b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n"
    assert parse_io(text) == (5, 6)


def test_switches_are_the_last_lines_of_a_status() -> None:
    """Both kinds, in their order."""
    text = b"Name:\tx\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n"
    assert parse_switches(text) == (150, 545)


def test_a_real_process_is_read_and_its_successor_is_not() -> None:
    """Its threads and memory while it lives; an error once it is gone, whoever has its id then."""
    # The first to read a file in a day writes the time of that, which counts as written by it.
    subprocess.run(["cat"], stdin=subprocess.DEVNULL, check=True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        process.stdout.read(1)
        files = ProcessFiles(process.pid)
        found = files.read()
        assert (found.threads, found.disk_written) == (1, 0)
        assert 100_000 < found.rss < 50_000_000
        process.kill()
        process.wait()
        with pytest.raises(OSError):  # noqa: PT011  (which one is the kernel's business)
            files.read()
        files.close()


def test_children_of_children_are_found() -> None:
    """And nobody else."""
    code = "import subprocess, sys; subprocess.run(['sleep', '30']) if len(sys.argv) < 2 else None"
    child = f"import subprocess, sys; print(1, flush=True); subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        found: tuple[int, ...] = ()
        while len(found) < 2:
            found = descendants([process.pid])
        assert process.pid not in found
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in found}
        started = Path(sys.executable)
        assert names <= {"sleep", started.name[:15], started.resolve().name[:15]}
        for pid in found:  # parents first: without its child one would end, and its id be free, before it is killed
            os.kill(pid, 9)
    assert descendants([process.pid]) == ()


def test_switches_of_an_ended_process_stay_counted() -> None:
    """A process that slept 20 times has waited 20 times, also once it is gone."""
    code = "import time\nfor _ in range(20): time.sleep(0.001)\nprint(1, flush=True)\ninput()\n"
    switches = Switches()
    assert switches.read(()) == (0, 0)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        voluntary, involuntary = switches.read((process.pid,))
        assert 20 <= voluntary < 200
        process.communicate(b"\n")
        assert switches.read((process.pid,)) == (voluntary, involuntary)


def test_a_folder_is_as_large_as_its_blocks(tmp_path: Path) -> None:
    """Whole trees; a hole takes nothing, a link what it takes itself, a folder that is gone nothing."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "full").write_bytes(b"x" * 100_000)
    os.truncate(tmp_path / "below" / "full", 10_000_000)
    (tmp_path / "link").symlink_to(tmp_path / "below")
    with (tmp_path / "below" / "full").open("rb+") as file:
        os.fsync(file.fileno())
    assert 100_000 <= allocated_bytes(tmp_path) < 150_000
    assert allocated_bytes(tmp_path / "none") == 0
