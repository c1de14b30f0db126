"""Words of strace to counts: recorded lines, torn calls, and calls that never ended."""

import os
from collections.abc import Sequence

import pytest

from bench.run.fsync_count import O_DSYNC, Syncs, count_syncs, file_key, is_synchronous

QUORUM = """\
21045 1764028000.100001 write(52</run/bench/data/wal/0000000000000002.wal>, ""..., 1186) = 1186
21045 1764028000.100301 fdatasync(52</run/bench/data/wal/0000000000000002.wal>) = 0
21041 1764028000.100411 writev(40<socket:[812]>, [{iov_base=""..., iov_len=21}], 1) = 21
"""
DERBY = """\
9120 1764028000.200001 openat(AT_FDCWD</run/bench>, ""..., O_RDWR|O_CREAT|O_DSYNC, 0666) = 71</run/bench/work/log1.dat>
9122 1764028000.200101 write(71</run/bench/work/log1.dat>, ""..., 1320) = 1320
9122 1764028000.200501 write(71</run/bench/work/log1.dat>, ""..., 1320) = 1320
9122 1764028000.200901 fsync(72</run/bench/work/seg0/c3e0.dat>) = 0
"""
LOG = file_key(71, "/run/bench/work/log1.dat")


def counted(text: str | Sequence[str], open_files: Sequence[str] = (), span: tuple[float, float] = (0, 2e9)) -> Syncs:
    """Count over all of time, unless a span is given."""
    return count_syncs(text.splitlines() if isinstance(text, str) else text, open_files, *span)


def test_a_wal_that_is_synced_by_call() -> None:
    """A fdatasync counts; the write before it, to a file opened without O_DSYNC, and a socket do not."""
    assert counted(QUORUM) == Syncs(0, 1, 0)


def test_a_log_that_is_opened_for_synchronous_writing() -> None:
    """Each write to it counts, whether it was opened under trace or is known from before; the fsync is of another."""
    assert counted(DERBY) == Syncs(1, 0, 2)
    assert counted(DERBY.splitlines()[1:]) == Syncs(1, 0, 0)
    assert counted(DERBY.splitlines()[1:], [LOG]) == Syncs(1, 0, 2)


def test_a_number_that_is_opened_anew_is_another_file() -> None:
    """The same number and path, opened without O_DSYNC, is written without waiting for the disk."""
    again = '9120 1764028001.0 openat(AT_FDCWD</run/bench>, ""..., O_RDWR) = 71</run/bench/work/log1.dat>'
    lines = [*DERBY.splitlines(), again, DERBY.splitlines()[1]]
    assert counted(lines) == Syncs(1, 0, 2)


@pytest.mark.parametrize("flags", ["O_WRONLY|O_SYNC", "{flags=O_RDWR|O_DSYNC, mode=0, resolve=0}, 24"])
def test_every_way_to_open_is_known(flags: str) -> None:
    """O_SYNC is O_DSYNC and more; openat2 has its flags in a structure."""
    call = "openat2" if "{" in flags else "open"
    lines = [
        f'1 10.0 {call}(""..., {flags}) = 5</log>',
        '1 11.0 pwritev(5</log>, [{iov_base=""..., iov_len=8}], 1, 4096) = 8',
    ]
    assert counted(lines) == Syncs(0, 0, 1)


def test_a_write_may_be_synchronous_by_itself() -> None:
    """RWF_DSYNC and RWF_SYNC make one pwritev2 synchronous, other flags do not."""
    write = '1 10.0 pwritev2(5</log>, [{{iov_base=""..., iov_len=8}}], 1, 0, {}) = 8'
    flags = ("RWF_DSYNC", "RWF_SYNC|RWF_HIPRI", "RWF_HIPRI", "0")
    assert counted([write.format(flag) for flag in flags]) == Syncs(0, 0, 2)


def test_torn_calls_are_put_together() -> None:
    """Two threads in one call each: each counts once, at the time it began."""
    lines = [
        "7 10.0 fsync(5</a> <unfinished ...>",
        "8 10.1 fdatasync(6</b> <unfinished ...>",
        "7 20.2 <... fsync resumed>)            = 0",
        "8 20.3 <... fdatasync resumed>) = 0",
    ]
    assert counted(lines) == Syncs(1, 1, 0)
    assert counted(lines, span=(9, 11)) == Syncs(1, 1, 0)
    assert counted(lines, span=(19, 21)) == Syncs(0, 0, 0)


@pytest.mark.parametrize(
    "line",
    [
        "7 10.0 fsync(5</a>) = -1 EIO (Input/output error)",
        "7 10.0 fsync(5</a>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
        "7 10.0 fsync(5</a> <detached ...>",
        "7 10.0 fsync(5</a> <unfinished ...>",
        "7 10.0 <... fsync resumed> <unfinished ...>) = ?",
        "7 10.0 +++ exited with 0 +++",
        "7 10.0 --- SIGCHLD {si_signo=SIGCHLD} ---",
        "strace: Process 7 attached with 30 threads",
        "7 10.0 fsync(5</a>",
        "",
        "\ufffd\ufffd 10.0 fsync(5) = 0",
    ],
)
def test_what_never_came_to_a_good_end_counts_for_nothing(line: str) -> None:
    """Failed, cut short, or no call at all."""
    assert counted([line]) == Syncs(0, 0, 0)


def test_lines_of_a_terminal_and_paths_with_brackets() -> None:
    """`[pid 7]` stands for the number, and a path may hold a bracket where strace escapes it."""
    lines = ["[pid  7] 10.0 fsync(5</a\\76b>) = 0", '7 10.1 write(6</odd name (x) = 3>, ""..., 3) = 3']
    assert counted(lines, [file_key(6, "/odd name (x) = 3")]) == Syncs(1, 0, 1)


def test_the_flags_of_open_files() -> None:
    """The bit is that of this system, alone and within O_SYNC; O_APPEND is another."""
    assert os.O_DSYNC == O_DSYNC
    assert is_synchronous(os.O_DSYNC)
    assert is_synchronous(os.O_SYNC | os.O_RDWR)
    assert not is_synchronous(os.O_APPEND | os.O_RDWR)
