"""Makes stores of runs with known figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.history.series import COLUMNS
from reports.history.store import Store


def stored(folder: Path, values: list[float], **fields: Any) -> Store:
    """Return a store with one run for each value: a p99 response in ms, three trials each, twice a day."""
    store = Store(folder)
    rng = np.random.default_rng(3)
    for place, value in enumerate(values):
        common = {
            "store_version": 1,
            "run_id": f"run-{place:03d}",
            "seed": 7,
            "scenario": "nightly",
            "mode": "full",
            "target": "rabbitmq-091",
            "workload": "steady",
            "load": "00000000",
            "metric": "p99 response",
            "host_class": "one",
            "commit": f"{place:04d}abcd",
            "time_utc": (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=12 * place)).isoformat(),
        }
        trials = [
            common | {"trial": k, "repetition": k, "value": value * 1e6 * rng.lognormal(0, 0.01)} | fields
            for k in range(3)
        ]
        assert store.add(pd.DataFrame(trials, columns=list(COLUMNS)))
    return store
