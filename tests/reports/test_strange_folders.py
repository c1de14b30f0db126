"""Results folders, logs, scenarios and stores of strangers: one message and exit code 2, or a page, and no traceback.

`tests.evidence.fuzz_readers` makes the cases of the last test, and in `make soak` many more.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bench.cli.main import app
from tests.evidence import fuzz_readers
from tests.reports.synthetic import TARGETS, build

pytestmark = pytest.mark.compiled


def _is_wanted(trial: dict[str, Any]) -> dict[str, Any] | None:
    return trial if trial["workload"] == "steady" and trial["target"] == TARGETS[0] else None


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one finished trial."""
    return build(
        tmp_path_factory.mktemp("sound") / "run", repetitions=1, seconds=1, closed_loop=False, change=_is_wanted
    )


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoiled."""
    return shutil.copytree(sound, tmp_path / "run")


def report(folder: Path) -> Result:
    """Draw a folder; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, ["report", str(folder), "--html", str(folder.parent / "page.html")])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def _bytes(held: bytes) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(held) and None


def _with(**fields: Any) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        document = json.loads(file.read_text())
        file.write_text(json.dumps(document | fields).replace('"@1e999"', "1e999"))

    return change


def _with_target(**fields: Any) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        document = json.loads(file.read_text())
        document["scenario"]["targets"][0] |= fields
        file.write_text(json.dumps(document))

    return change


def _with_plan(**fields: Any) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        document = json.loads(file.read_text())
        document["plan"][0] |= fields
        file.write_text(json.dumps(document))

    return change


def _with_workloads_again(file: Path) -> None:
    document = json.loads(file.read_text())
    document["scenario"]["workloads"] *= 100
    file.write_text(json.dumps(document))


RUN, TRIAL, LOG, TIMELINE = "run.json", "trials/*/trial.json", "trials/*/latency.hlog", "trials/*/timeline.parquet"


@pytest.mark.parametrize(
    ("place", "spoil", "why"),
    [
        (RUN, _fifo, "it is no regular file"),
        (RUN, _link, "it is a symbolic link"),
        (RUN, _bytes(b"\xff\xfe{"), "is damaged ('utf-8' codec"),
        (RUN, _bytes(b"[" * 100_000), "it is nested too deeply"),
        (RUN, _bytes(b"[]"), "is damaged"),
        (RUN, _with(seed="@1e999"), "1e999 is no finite number"),
        (RUN, _with(seed=10**400), "is no integer of 64 bits"),
        (RUN, _with_target(label="x" * 81), "at most 80 characters"),
        (RUN, _with_target(label="a\x1b[2J"), "holds control characters"),
        (RUN, _with_plan(target="../../etc"), "pattern"),
        (RUN, _with_plan(target="another"), "not of the scenario"),
        (RUN, _with_target(broker="broker-k"), "is of broker broker-k, of which `products` says nothing"),
        (RUN, _with(products={}), "of which `products` says nothing"),
        (RUN, _with_workloads_again, "have one name"),
        (RUN, _with_plan(index=1), "two planned trials have one index"),
        (TRIAL, _fifo, "it is no regular file"),
        (TRIAL, _with(offered="@1e999"), "1e999 is no finite number"),
        (TRIAL, _with(index=7), "it is the record of another trial"),
        (LOG, _fifo, "it is no regular file"),
        (LOG, _link, "it is a symbolic link"),
        (LOG, _bytes(b"Tag=response,inf,1,1,HISTFAAA\n"), "is no second of a log"),
        (TIMELINE, _fifo, "it is no regular file"),
        (TIMELINE, _bytes(b"PAR1"), "timeline.parquet cannot be read"),
    ],
)
def test_a_folder_of_a_stranger_is_refused_in_one_line(
    folder: Path, place: str, spoil: Callable[[Path], None], why: str
) -> None:
    """With the file and what is wrong with it; nothing waits for a writer, and no link is followed."""
    for file in list(folder.glob(place)):
        spoil(file)
    result = report(folder)
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert why in line
    assert line.isprintable()


def test_a_folder_of_a_trial_that_is_a_link_is_not_followed(folder: Path) -> None:
    """It would lead out of the results."""
    for place in list((folder / "trials").iterdir()):
        place.rename(folder / place.name)
        place.symlink_to(folder / place.name)
    result = report(folder)
    assert result.exit_code == 2
    assert "it is a symbolic link, which is not followed" in result.stderr


def test_dollars_in_a_label_are_dollars(folder: Path) -> None:
    """And no formula."""
    _with_target(label="B $a_b_c$ \\frac")(folder / RUN)
    assert report(folder).exit_code == 0
    assert "B $a_b_c$ \\frac" in (folder.parent / "page.html").read_text()


@pytest.mark.parametrize(
    ("kind", "cases"), [("results", 15), ("log", 100), ("scenario", 100), ("history", 20), ("import", 40)]
)
def test_mutated_inputs_are_read_or_refused(kind: str, cases: int, tmp_path: Path) -> None:
    """The first cases of the fuzzing that `make soak` goes on with; none may warn or take 2 s of CPU time."""
    wrong = {}
    (tmp_path / "0").mkdir()
    fuzz_readers.case(kind, 0, tmp_path / "0")  # what is imported and compiled once is no case's
    for number in range(1, cases + 1):
        (tmp_path / str(number)).mkdir()
        if found := fuzz_readers.case(kind, number, tmp_path / str(number)):
            wrong[number] = found
    assert wrong == {}
