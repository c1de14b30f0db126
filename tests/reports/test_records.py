"""The evidence on reading a thousand trials, with few of them: it builds what it says, reads it and tells the time."""

import json
from pathlib import Path

import pytest

from reports.dataset import load
from tests.evidence.records import folder_of, main, slowest


@pytest.mark.compiled
def test_copies_are_trials_of_their_own(tmp_path: Path) -> None:
    """Fifty trials under distinct numbers and repetitions, each whole and usable."""
    data = load(folder_of(tmp_path, 50, 1))
    assert sorted(data.trials["index"]) == list(range(50))
    assert not data.trials.duplicated(["target", "workload", "repetition"]).any()
    assert data.absent.empty
    assert data.trials["usable"].all()


@pytest.mark.compiled
def test_the_figures_are_written_and_add_up(tmp_path: Path) -> None:
    """Small numbers of trials and runs are read, judged and drawn; how long that takes is for the evidence to judge."""
    words = ["--trials", "40", "--seconds", "2", "--runs", "60", "--json", str(tmp_path / "found.json")]
    assert main([*words, "--limit", "inf"]) == 0
    found = {row["what"]: row["value"] for row in json.loads((tmp_path / "found.json").read_text())}
    assert found["trials"] == 40
    assert found["changes proposed"] == 10
    assert found["both, s"] > 0
    assert found["both, s"] == pytest.approx(found["reading, s"] + found["statistics and comparison, s"])
    assert found["history, both, s"] == pytest.approx(found["finding changes, s"] + found["drawing them, s"])


def test_the_slower_of_the_two_is_held_against_the_limit() -> None:
    """Reading and a history have one limit; the steps they consist of are not held against it."""
    rows: list[dict[str, str | float]] = [
        {"what": "both, s", "value": 2.0},
        {"what": "finding changes, s", "value": 4.0},
        {"what": "history, both, s", "value": 3.0},
    ]
    assert slowest(rows) == 3.0
