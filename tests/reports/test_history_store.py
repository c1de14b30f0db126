"""The store: runs of one second, files of other versions, and those with a fault, which are left out by name."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.errors import ReportError
from reports.history import commands
from reports.history.commit import MeasuredCommit
from reports.history.series import COLUMNS, FILE
from reports.history.store import Store
from tests.reports.history_stores import stored


def run(store: Store, **fields: Any) -> pd.DataFrame:
    """Return rows of the first run of a store with other fields."""
    rows = store.read().rows
    return rows[rows[FILE] == rows[FILE].min()].assign(**fields)[list(COLUMNS)]


def test_two_hosts_may_begin_a_run_in_one_second(tmp_path: Path) -> None:
    """One name and one seed, and yet two runs: other trials, or another class of hosts; the same one is added once."""
    store = stored(tmp_path, [2.0])
    assert not store.add(run(store))
    assert not store.add(run(store, commit="another", value=3e6))
    assert store.add(run(store, trial_utc="2026-01-01T00:00:00.000417+00:00"))
    assert store.add(run(store, host_class="two"))
    assert not store.add(run(store, host_class="two"))
    assert len(list((tmp_path / "runs").iterdir())) == 3
    alike, other = sorted(commands.watch(store).series, key=lambda one: -len(one.series.values))
    assert (len(alike.series.values), len(other.series.values)) == (2, 1)


def test_a_run_that_was_finished_later_is_the_same(tmp_path: Path) -> None:
    """A trial that both have tells."""
    store = stored(tmp_path, [2.0])
    whole = run(store)
    (more := whole.tail(1).copy()).loc[:, ["trial", "trial_utc"]] = [3, "2026-01-01T00:10:00+00:00"]
    assert not store.add(pd.concat([whole, more], ignore_index=True))
    assert not store.add(whole.tail(1))


def test_a_store_of_version_1_is_read(tmp_path: Path) -> None:
    """Its runs are of the main branch, in the order of measurement, and are not added a second time."""
    store = stored(tmp_path, [2.0, 2.1, 2.2])
    new = ["trial_utc", *(name for name in MeasuredCommit("").columns() if name != "commit")]
    for file in (tmp_path / "runs").iterdir():
        frame = pd.read_parquet(file)
        frame.assign(store_version=1).drop(columns=new).to_parquet(file)
    rows = store.read().rows
    assert set(rows["branch"]) == set(rows["main"]) == {""}
    assert not store.add(run(store, store_version=2, trial_utc="2026-01-01T00:00:00+00:00"))
    assert store.add(
        run(store, store_version=2, run_id="newer", time_utc="2026-02-01T00:00:00+00:00", branch="main", main="main")
    )
    [one] = commands.watch(store).series
    assert one.series.run_ids == ("run-000", "run-001", "run-002", "newer")


FAULTS = [
    ({"time_utc": "2026-01-01T00:00:00"}, "its time_utc '2026-01-01T00:00:00' does not say how far it is from UTC"),
    ({"time_utc": "yesterday"}, "its time_utc 'yesterday' is no time of ISO 8601 from 1970 to 2199"),
    ({"time_utc": "9999-12-31T23:59:59+00:00"}, "is no time of ISO 8601 from 1970 to 2199"),
    ({"time_utc": ""}, "its time_utc '' is no time"),
    ({"committed_utc": "2026-13-01T00:00:00+00:00"}, "its committed_utc '2026-13-01T00:00:00+00:00' is no time"),
    ({"value": float("nan")}, "its column value holds something else than positive numbers"),
    ({"value": float("inf")}, "its column value holds something else than positive numbers"),
    ({"value": "2"}, "its column value holds something else than positive numbers"),
    ({"position": "first"}, "its column position holds something else than whole numbers"),
    ({"commit": None}, "its column commit holds something else than text"),
    ({"branch": 7}, "its column branch holds something else than text"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=[next(iter(fault)) for fault, _ in FAULTS])
def test_one_fault_costs_one_run(tmp_path: Path, fault: dict[str, Any], said: str) -> None:
    """It is refused when it is added; where it is there already it is left out by its name, and others are read."""
    store = stored(tmp_path, [2.0, 2.1])
    bad = run(store, run_id="bad", **fault)
    with pytest.raises(ReportError, match="run bad is not added: ") as refused:
        store.add(bad)
    assert said in str(refused.value)
    bad.to_parquet(tmp_path / "runs" / "bad.parquet")
    watched = commands.watch(store)
    [skipped] = watched.skipped
    assert skipped.startswith("runs/bad.parquet is left out: ")
    assert said in skipped
    assert watched.series[0].series.run_ids == ("run-000", "run-001")


@pytest.mark.compiled
def test_the_page_names_what_is_left_out(tmp_path: Path) -> None:
    """As the terminal does."""
    store = stored(tmp_path, [2.0])
    (tmp_path / "runs" / "bad.parquet").write_bytes(b"no parquet")
    commands.draw(commands.watch(store), html=tmp_path / "h.html")
    assert "runs/bad.parquet is left out" in (tmp_path / "h.html").read_text()


def test_other_files_with_a_fault_are_left_out_too(tmp_path: Path) -> None:
    """One that is no table, one of a newer version, one that lacks a column, and judgements of any form."""
    store = stored(tmp_path, [2.0])
    (tmp_path / "runs" / "a.parquet").write_bytes(b"no parquet")
    pd.DataFrame({"store_version": [99]}).to_parquet(tmp_path / "runs" / "b.parquet")
    run(store).drop(columns="host_class").to_parquet(tmp_path / "runs" / "c.parquet")
    for folder in ("confirmed", "accepted"):
        (tmp_path / folder).mkdir()
        pd.DataFrame({"series": [1]}).to_parquet(tmp_path / folder / "d.parquet")
    skipped = commands.watch(store).skipped
    assert [one.partition(" ")[0] for one in skipped] == [
        "runs/a.parquet", "runs/b.parquet", "runs/c.parquet", "confirmed/d.parquet", "accepted/d.parquet",
    ]  # fmt: skip
    assert (
        "it has store_version 99, and the newest that this busbench reads is 2: install a newer busbench" in skipped[1]
    )
    assert skipped[2].endswith("it has no column host_class")
    for file in (tmp_path / "runs").glob("run*"):
        file.unlink()
    with pytest.raises(ReportError, match=r"holds no run that can be read: runs/a.parquet .* \(and 2 more\)"):
        store.read()


def test_a_file_with_a_fault_stands_in_nobodys_way(tmp_path: Path) -> None:
    """A run is added though a damaged file, or one without what names a run, has its name."""
    store = stored(tmp_path, [2.0])
    rows = run(store)
    [file] = (tmp_path / "runs").iterdir()
    file.rename(file.with_name("run-000-7-damaged.parquet")).write_bytes(b"no parquet")
    pd.DataFrame({"value": [1.0]}).to_parquet(tmp_path / "runs" / "run-000-7-other.parquet")
    assert store.add(rows)
    assert len(store.read().skipped) == 2


def test_times_of_other_offsets_are_kept_in_utc(tmp_path: Path) -> None:
    """So that their order is that of their instants."""
    store = stored(tmp_path, [2.0])
    assert store.add(run(store, run_id="later", time_utc="2026-01-01T01:00:00+02:00"))
    [one] = commands.watch(store).series
    assert one.series.run_ids == ("later", "run-000")
