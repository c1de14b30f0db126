"""`bench doctor --ceiling`: what it prints and keeps, and with which exit code it ends."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.ceiling.measure import WAYS, PeerFailed
from bench.ceiling.stored import Ceiling, Way, read
from bench.cli.main import app
from bench.drivers.registry import Installed


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where figures are kept; measuring is made up, and driver pika fails."""
    kept = tmp_path / "ceilings.json"

    def measured(installed: Installed, seconds: float) -> Ceiling:
        if installed.member.name == "pika-codec":
            raise PeerFailed("pika (send): it fell over")
        ways = tuple(Way(side=side, settled=done, rate=seconds * 1e6, cpu_us=0.25) for side, done in WAYS)
        return Ceiling(
            driver=installed.member.name, version="1", host="here", measured_utc="", size=100, ways=ways
        )  # fmt: skip

    monkeypatch.setattr("bench.ceiling.measure.measure", measured)
    monkeypatch.setattr("bench.ceiling.stored.kept_file", lambda: kept)
    return kept


def run(*words: str) -> Result:
    """Call the command as a user would; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, ["doctor", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_what_was_measured_is_printed_and_kept(file: Path) -> None:
    """Exit code 0, a row a driver, its figures in the file."""
    result = run("--ceiling", "--driver", "wire10", "--driver", "proton-engine", "--seconds", "3")
    assert result.exit_code == 0, result.output
    assert "3,000,000" in result.output
    assert "0.25 µs CPU" in " ".join(result.output.split())
    assert sorted(read(file)) == ["proton-engine", "wire10"]


def test_without_names_every_driver_is_measured_and_a_failure_is_told(file: Path) -> None:
    """Exit code 4; the others are measured all the same."""
    result = run("--ceiling")
    assert result.exit_code == 4, result.output
    assert "pika (send): it fell over" in result.output
    assert {"wire091", "wire10", "proton-engine"} <= set(read(file))
    assert not {"pika-codec", "memory"} & set(read(file))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--ceiling", "--driver", "nothing"), "'nothing' is no driver"),
        (("--ceiling", "--driver", "memory"), "has no ceiling"),
        (("--driver", "wire10"), "goes with --ceiling only"),
    ],
)
def test_what_cannot_be_measured_is_refused(file: Path, words: tuple[str, ...], says: str) -> None:
    """Exit code 2, before anything is measured."""
    result = run(*words)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
    assert not file.exists()


def test_a_former_name_is_told(file: Path) -> None:
    """With that of today; what it names is measured."""
    assert "driver 'proton' is called 'proton-engine' now" in run("--ceiling", "--driver", "proton").output
    assert len(read(file)) == 1
