"""The codecs and their drivers do the same where the compiler is switched off: the tests around this one, once more.

numpy then checks each index, and Python each type, of what runs unchecked when compiled.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.drivers.wire.receive_loop import COMPILED

ROOT = Path(__file__).parents[3]
CODECS = ("tests/bench/wire", "tests/bench/drivers/wire/test_wire10.py")
DRIVERS = (
    "tests/bench/drivers/wire/test_port.py",
    "tests/bench/drivers/wire/test_wire091.py",
    "tests/bench/drivers/test_lanes_091.py",
    "tests/bench/drivers/test_lanes_10.py",
)
# This one; one that is long; and those that start processes of their own, with and without the compiler.
LEFT_OUT = (
    "tests/bench/wire/test_uncompiled.py",
    "tests/bench/wire/test_amqp10_proton.py::test_we_send_and_proton_receives",
    "tests/bench/wire/test_amqp10_fuzz.py::test_nothing_is_read_outside_of_the_buffer",
    "tests/bench/wire/test_amqp10_fuzz.py::test_it_is_the_same_without_the_compiler",
)
LIMIT_S = 120
"""Far beyond what it takes, so that a hang is seen."""


@pytest.mark.compiled
@pytest.mark.skipif(not COMPILED, reason="it is what runs now")
@pytest.mark.parametrize("chosen", [CODECS, pytest.param(DRIVERS, marks=pytest.mark.soak)], ids=["codecs", "drivers"])
def test_all_of_it_holds_without_the_compiler(chosen: tuple[str, ...]) -> None:
    """Few generated examples, always the same ones; what fails is shown."""
    quick = ["--hypothesis-profile=uncompiled", "-p", "no:cacheprovider", "-p", "no:randomly", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quick, *chosen, *(f"--deselect={one}" for one in LEFT_OUT)],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
