"""On which file system data lie."""

from pathlib import Path

from brokers.places.data_disk import data_words, file_system


def test_a_folder_that_is_not_there_yet_is_on_its_parents_disk(tmp_path: Path) -> None:
    """As a broker's folder before its start."""
    kind = file_system(tmp_path)
    assert file_system(tmp_path / "not" / "there") == kind != "unknown"
    assert data_words(tmp_path).startswith(f"{kind}, mounted ")


def test_memory_is_a_file_system_too() -> None:
    """/proc is mounted wherever tests run."""
    assert file_system(Path("/proc/self")) == "proc"
