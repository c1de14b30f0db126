"""What compiled code adds to a worker's start: with a warm cache, and with none.

python -m tests.evidence.starts --json FILE
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.ceiling.measure import environment

_CODE = """
import sys, time
from bench.host.clock import RealClock
from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane
from bench.drivers.registry import driver_named
from brokers.endpoint import Endpoint
name = sys.argv[1]
protocol = driver_named(name).protocol
begin = time.perf_counter()
from bench.record.account import warm_kernels
warm_kernels()
import importlib
module = importlib.import_module(f"bench.drivers.wire.{name}")
try:
    endpoint = Endpoint(protocol, "127.0.0.1", 1, "/", None, "", "")
    module.open_port(PortSpec(endpoint, (ProducerLane(0, "q"),), (), 100), RealClock())
except Exception:
    pass
print(time.perf_counter() - begin)
"""
_WARM = 5


def seconds(driver: str, cache: str | None = None) -> float:
    """Return what loading or compiling all kernels takes in a fresh process; nothing is connected to."""
    extra = {"XDG_CACHE_HOME": cache} if cache else {}
    done = subprocess.run(
        [sys.executable, "-c", _CODE, driver],
        capture_output=True,
        text=True,
        check=True,
        env=environment() | os.environ | extra,
    )
    return float(done.stdout)


def main() -> None:
    """Measure both compiled drivers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for driver in ("wire091", "wire10"):
        seconds(driver)
        rows.append({"what": f"{driver}, cache warm, s", "value": median(seconds(driver) for _ in range(_WARM))})
        with tempfile.TemporaryDirectory() as cache:
            rows.append({"what": f"{driver}, cache cold, s", "value": seconds(driver, cache)})
    given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
