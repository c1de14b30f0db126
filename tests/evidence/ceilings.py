"""The ceilings of all drivers as a file: what `bench doctor --ceiling` prints.

python -m tests.evidence.ceilings --json FILE
"""

import argparse
import json
import sys
from pathlib import Path

from bench.ceiling.measure import PeerFailed, measure
from bench.drivers.registry import registry


def main() -> None:
    """Measure every driver that runs in a worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for one in registry().installed.values():
        if one.member.inline or one.member.lacks():
            continue
        sys.stderr.write(f"  {one.member.name}\n")
        try:
            ways = measure(one, 3.0).ways
        except PeerFailed as error:
            sys.stderr.write(f"  not measured: {error}\n")
            continue
        for way in ways:
            settled = {"send": ", confirmed", "receive": ", acknowledged"}[way.side] if way.settled else ""
            name = f"{one.member.name}: {way.side}{settled}"
            rows += [
                {"what": f"{name}, msg/s", "value": round(way.rate)},
                {"what": f"{name}, CPU µs a message", "value": way.cpu_us},
            ]
    given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
