"""Makes stores of runs with known figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.history.commit import MeasuredCommit
from reports.history.series import COLUMNS, STORE_VERSION
from reports.history.store import Store


def stored(folder: Path, values: list[float], **fields: Any) -> Store:
    """Return a store with one run for each value: a p99 response in ms, three trials each, twice a day.

    A field that is a function is asked for the value of each run.
    """
    store = Store(folder)
    rng = np.random.default_rng(3)
    for place, value in enumerate(values):
        when = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=12 * place)).isoformat()
        told = {name: field(place) if callable(field) else field for name, field in fields.items()}
        common = MeasuredCommit(f"{place:04d}abcd").columns() | {
            "store_version": STORE_VERSION,
            "run_id": f"run-{place:03d}",
            "seed": 7,
            "scenario": "nightly",
            "mode": "full",
            "target": "rabbitmq-091",
            "workload": "steady",
            "load": "00000000",
            "metric": "p99 response",
            "host_class": "one",
            "time_utc": when,
            "trial_utc": when,
        }
        trials = [
            common | {"trial": k, "repetition": k, "value": value * 1e6 * rng.lognormal(0, 0.01)} | told
            for k in range(3)
        ]
        assert store.add(pd.DataFrame(trials, columns=list(COLUMNS)))
    return store
