"""A results folder has one writer; what a conductor does in it is tested by whole runs."""

from pathlib import Path

import pytest

from bench.results.archive import ArchiveError
from bench.run.conductor import held


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    """A second one is told so, and writes nothing; afterwards the folder is free."""
    with held(tmp_path), pytest.raises(ArchiveError, match="is being written by another run"), held(tmp_path):
        pytest.fail("two at once")
    with held(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
