"""The evidence on reading a thousand trials, with few of them: it builds what it says, reads it and tells the time."""

import json
from pathlib import Path

from reports.dataset import load
from tests.evidence.records import folder_of, main


def test_copies_are_trials_of_their_own(tmp_path: Path) -> None:
    """Fifty trials under distinct numbers and repetitions, each whole and usable."""
    data = load(folder_of(tmp_path, 50, 1))
    assert sorted(data.trials["index"]) == list(range(50))
    assert not data.trials.duplicated(["target", "workload", "repetition"]).any()
    assert data.absent.empty
    assert data.trials["usable"].all()


def test_few_trials_are_read_in_no_time(tmp_path: Path) -> None:
    """The figures are written; a twenty-fifth of the trials takes less than the time for all."""
    assert main(["--trials", "40", "--seconds", "2", "--runs", "60", "--json", str(tmp_path / "found.json")]) == 0
    found = {row["what"]: row["value"] for row in json.loads((tmp_path / "found.json").read_text())}
    assert found["trials"] == 40
    assert 0 < found["both, s"] < 10
    assert found["changes proposed"] == 10
