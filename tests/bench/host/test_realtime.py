"""A punctual worker: what it asked the kernel for is what the kernel says it has."""

import subprocess
import sys

import pytest

ASK = """
import ctypes, gc
from bench.host.realtime import be_realtime
be_realtime()
print(ctypes.CDLL(None).prctl(30, 0, 0, 0, 0), gc.get_freeze_count() > 0)  # 30 = PR_GET_TIMERSLACK
"""


@pytest.mark.skipif(sys.platform != "linux", reason="timer slack is a matter of Linux")
def test_sleeps_end_on_time() -> None:
    """The timer slack of a worker is 1 ns, where Linux grants 50 µs to a process that does not ask."""
    said = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["1", "True"]
