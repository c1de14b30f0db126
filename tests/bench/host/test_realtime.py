"""A punctual worker, and an unhurried one: what they asked the kernel for is what the kernel says they have."""

import subprocess
import sys

import pytest

ASK = """
import ctypes, gc, os
from bench.host.realtime import be_unhurried, be_punctual
{}()
print(ctypes.CDLL(None).prctl(30, 0, 0, 0, 0), os.sched_getscheduler(0), gc.get_freeze_count() > 0)
"""  # 30 = PR_GET_TIMERSLACK


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies and timer slack are matters of Linux")
@pytest.mark.parametrize(
    ("how", "said"), [("be_punctual", ["1", "0", "True"]), ("be_unhurried", ["50000", "3", "True"])]
)
def test_the_kernel_does_as_asked(how: str, said: list[str]) -> None:
    """A punctual worker has a timer slack of 1 ns instead of 50 µs; an unhurried one is at SCHED_BATCH (3), not 0."""
    told = subprocess.run([sys.executable, "-c", ASK.format(how)], check=True, capture_output=True, text=True).stdout
    assert told.split() == said
