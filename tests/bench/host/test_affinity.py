"""What a thread is kept to, and what is read back of its children."""

import os
import subprocess

from bench.host.affinity import cpus_of, on_cpus


def test_children_inherit_the_cpus_of_their_thread() -> None:
    """Before their first instruction; afterwards the thread has all of its own again."""
    before = os.sched_getaffinity(0)
    one = max(before)
    with on_cpus((one,)):
        child = subprocess.Popen(["sleep", "60"])
    try:
        assert cpus_of([child.pid]) == (one,)
        assert cpus_of([child.pid, os.getpid()]) == tuple(sorted(before))
    finally:
        child.kill()
        child.wait()
    assert os.sched_getaffinity(0) == before
    assert cpus_of([child.pid]) == ()


def test_nothing_is_changed_where_none_are_named() -> None:
    """A plan without CPUs."""
    before = os.sched_getaffinity(0)
    with on_cpus(()):
        assert os.sched_getaffinity(0) == before
