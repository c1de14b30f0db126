"""The makers of runs: what is made in memory is what is read from the folder of the same run."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hdrh.histogram import HdrHistogram

from reports.dataset import Dataset, load
from tests.reports.in_memory import tables
from tests.reports.synthetic import build, filled, make, quirks


def assert_same(found: Dataset, expected: Dataset) -> None:
    """Compare every table and every other part of two sets of tables."""
    for field in fields(Dataset):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(other, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other)
        else:
            assert one == other, field.name


def test_tables_made_are_tables_read(quick_folder: Path) -> None:
    """Every table, with all the faults of the quick run."""
    assert_same(tables(make(change=quirks)), load(quick_folder))


@pytest.mark.compiled
def test_two_runs_made_side_by_side_are_two_runs_read(tmp_path: Path) -> None:
    """Rows are named by run in both."""
    asked = {"repetitions": 1, "seconds": 1, "closed_loop": False}
    folders = [build(tmp_path / name, run_id=name, **asked) for name in ("one", "two")]
    made = [make(run_id=name, **asked) for name in ("one", "two")]
    assert_same(tables(*made, by="run"), load(*folders, by="run"))


def test_what_is_drawn_once_is_the_same_again(tmp_path: Path) -> None:
    """The second folder of the same run is that of the first, byte for byte."""
    one, other = (build(tmp_path / name, repetitions=1, seconds=1) for name in ("one", "other"))
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) == 1 + 3 * 20
    assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def test_a_histogram_is_filled_as_by_the_package() -> None:
    """Value by value, from 1 ns to 1 h, at the edges of buckets too."""
    edges = [2**power + step for power in range(1, 41) for step in (-1, 0, 1)]
    values = np.array([1, 2, 3, *edges, 3_600_000_000_000], np.int64)
    expected = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in values.tolist():
        expected.record_value(value)
    found = filled(values)
    assert found.encode() == expected.encode()
    assert found.get_max_value() == expected.get_max_value()
