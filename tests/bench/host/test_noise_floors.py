"""Kept noise floors: one a class of hosts, the newest; a damaged file is none."""

from pathlib import Path

from bench.host.noise_floors import floor_of, keep
from bench.results.records import NoiseFloor


def test_floors_are_kept_by_class_of_hosts(tmp_path: Path) -> None:
    """What is kept is found again for its class alone, and a newer one takes its place."""
    file = tmp_path / "cache" / "floors.json"
    assert floor_of("one", file) is None
    old = NoiseFloor(run_id="old", measured_utc="", host_class="one", pairs=20, effects={"p99 response": 0.07})
    keep(old, file)
    keep(old.model_copy(update={"host_class": "two"}), file)
    keep(old.model_copy(update={"run_id": "new"}), file)
    found = floor_of("one", file)
    assert found is not None
    assert found.run_id == "new"
    assert floor_of("two", file) == old.model_copy(update={"host_class": "two"})
    file.write_text("[]")
    assert floor_of("one", file) is None
