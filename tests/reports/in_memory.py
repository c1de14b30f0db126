"""Tables of a made run without a file: what `load` returns for the folder that `build` would write.

`load` itself joins the tables; only its three looks at files, and what a histogram's text holds,
are answered from memory. That both
ways give the same is tested in `test_in_memory.py`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

import reports.dataset
import reports.undisturbed
from bench.record import payload
from bench.record.histogram import Int64
from bench.results.archive import Run, Trial
from bench.results.durability import DurabilityRecord, Probe
from reports.dataset import Dataset, load
from reports.pooling import Dimension
from reports.seconds import Logged
from reports.summarise import summarise
from reports.summary import Summary
from tests.reports.synthetic import Made, MadeTrial, make

_NOWHERE = Path("/nowhere")


Probes = Mapping[str, tuple[Probe, ...]]
"""Run id -> what was seen of its brokers' synchronous writes."""


@contextmanager
def served(*made: Made, probes: Probes | None = None) -> Iterator[list[Path]]:
    """Let `load` find runs where no files are; yields the folder of each."""
    runs = {_NOWHERE / f"{place}-{one.record.run_id}": one for place, one in enumerate(made)}
    known = {text: held for one in made for trial in one.trials for text, held in trial.drawn.buckets.items()}
    trials = {folder / trial.name: trial for folder, one in runs.items() for trial in one.trials}

    def opened(folder: Path) -> Run:
        one = runs[folder]
        stored = tuple(Trial(trial.record, folder / trial.name) for trial in one.trials)
        seen = (probes or {}).get(one.record.run_id)
        return Run(folder, one.record, stored, durability=None if seen is None else DurabilityRecord(probes=seen))

    def logged(stored: Trial) -> Logged:
        return dict(_of(stored).drawn.logged) if stored.record.latency else {}

    def ticks(stored: Trial) -> pd.DataFrame:
        return _of(stored).timeline

    def buckets(text: str) -> tuple[Int64, Int64]:
        return known[text] if text in known else payload.buckets(text)

    def _of(stored: Trial) -> MadeTrial:
        return trials[stored.folder]

    with (
        patch.multiple(reports.dataset, _open=opened, read_log=logged, _read_timeline=ticks),
        patch.multiple(reports.undisturbed, buckets=buckets),
    ):
        yield list(runs)


def tables(*made: Made, by: Dimension | None = None, probes: Probes | None = None) -> Dataset:
    """Return the tables of runs."""
    with served(*made, probes=probes) as folders:
        return load(*folders, by=by)


def made_tables(**asked: Any) -> Dataset:
    """Return the tables of a run that is asked for as of `make`."""
    return tables(make(**asked))


def made_summary(**asked: Any) -> Summary:
    """Return what a report says of a run that is asked for as of `make`."""
    return summarise(made_tables(**asked))
