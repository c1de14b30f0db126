"""Which hosts are alike enough for their figures to stand in one history. Pure.

Figures of two machines differ by more than any change that one looks for. Stored figures
are therefore compared only with figures of the same class: processor, their number,
memory, kernel, kind of machine and clock source, as `run.json` has them. Names of hosts do not matter,
so that the machines of a pool count as one.
"""

import math
import re
from collections.abc import Mapping

UNKNOWN = "unknown"
USUAL_CLOCK = "tsc"
"""The clock source that goes without saying."""


def host_class(host: Mapping[str, str]) -> str:
    """Return the class of a host, as text for people, such as `Xeon 2.5GHz × 8, 16 GiB, Linux 6, kvm`.

    Args:
        host: facts as `RunRecord.host` keeps them; what is missing reads `unknown`.
    """
    cpu = " ".join(host.get("cpu", UNKNOWN).split())
    parts = (
        f"{cpu} × {host.get('cpus', UNKNOWN)}",
        _memory(host.get("memory", "")),
        _kernel(host.get("kernel", "")),
        host.get("virtualisation", UNKNOWN),
    )
    clock = host.get("clock source", USUAL_CLOCK)
    return ", ".join([*parts, *([f"clock {clock}"] if clock not in {USUAL_CLOCK, UNKNOWN} else [])])


def _memory(text: str) -> str:
    """Return the nearest power of two, as firmware and guests keep some of it for themselves."""
    found = re.match(r"([\d.]+) GiB", text)
    size = float(found[1]) if found else 0.0
    return f"{2.0 ** round(math.log2(size)):g} GiB" if size > 0 else f"{UNKNOWN} memory"


def _kernel(text: str) -> str:
    """Return name and major version: `Linux 6`."""
    found = re.match(r"(?:(\w+) )?(\d+)", text)
    return " ".join(part for part in found.groups() if part) if found else f"{UNKNOWN} kernel"
