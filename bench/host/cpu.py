"""The name of this host's processor, for records that say where a figure was measured."""

import platform
from contextlib import suppress
from pathlib import Path


def cpu_model() -> str:
    """Return the processor's name, or its architecture where Linux gives none."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
