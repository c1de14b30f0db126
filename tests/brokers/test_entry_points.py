"""Which packages declare drivers: from a checkout, from installed packages, from broken ones."""

import tomllib
from pathlib import Path

import pytest

from brokers import entry_points
from brokers.entry_points import Declared, declared
from tests.bench.drivers.fake_package import install

ROOT = Path(__file__).parents[2]


def test_ours_are_those_of_the_checkout() -> None:
    """In a checkout pyproject.toml counts, as an editable installation's own list is as old as itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["entry-points"]["busbench.drivers"]
    assert {"pika", "kombu", "proton", "memory"} <= set(lines)
    ours = [point for point in declared("busbench.drivers") if point.package == "busbench"]
    assert ours == [Declared(name, "busbench", project["version"], value) for name, value in lines.items()]


def test_an_installed_busbench_declares_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a checkout, what pip wrote down counts; a pyproject.toml of another project is none of ours."""
    install(tmp_path, "busbench", {"pika": "bench.drivers.pika:DRIVER"})
    monkeypatch.syspath_prepend(str(tmp_path))
    other = tmp_path / "pyproject.toml"
    other.write_text("[project]\nname = 'other'\n")
    for place in (tmp_path / "none.toml", other):
        monkeypatch.setattr(entry_points, "_PROJECT", place)
        assert declared("busbench.drivers")[0] == Declared("pika", "busbench", "1.0", "bench.drivers.pika:DRIVER")


def test_packages_are_found_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours come first; of two copies of a package on the path the first counts, however its name is written."""
    install(tmp_path / "far", "Busbench_Zed", {"zed": "zed:OLD"})
    install(tmp_path / "near", "busbench-zed", {"zed": "zed:DRIVER"})
    install(tmp_path / "near", "a-first", {"one": "one:DRIVER", "two": "one:OTHER"})
    install(tmp_path / "near", "unrelated", {})
    monkeypatch.syspath_prepend(str(tmp_path / "far"))
    monkeypatch.syspath_prepend(str(tmp_path / "near"))
    theirs = [
        (point.owner, point.name, point.value) for point in declared("busbench.drivers") if point.package != "busbench"
    ]
    assert theirs == [
        ("a-first 1.0", "one", "one:DRIVER"),
        ("a-first 1.0", "two", "one:OTHER"),
        ("busbench-zed 1.0", "zed", "zed:DRIVER"),
    ]


def test_a_file_that_cannot_be_read_is_that_packages_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without `=` is kept as a package without a place, and the others are found."""
    broken = install(tmp_path, "broken", {"b": "b:DRIVER"})
    (broken / "entry_points.txt").write_text("[busbench.drivers]\nnonsense\n")
    install(tmp_path, "sound", {"s": "s:DRIVER"})
    monkeypatch.syspath_prepend(str(tmp_path))
    theirs = [point for point in declared("busbench.drivers") if point.package != "busbench"]
    assert theirs == [Declared("busbench.drivers", "broken", "1.0", None), Declared("s", "sound", "1.0", "s:DRIVER")]
