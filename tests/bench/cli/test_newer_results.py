"""Results by a newer busbench: every verb that reads a folder refuses it in one line, whichever file is newer."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from bench.cli.main import app
from bench.results.archive import read
from bench.results.durability import DurabilityRecord
from bench.results.records import SCHEMA_VERSION
from reports.dataset import load
from reports.history.series import rows
from reports.history.store import Store
from tests.reports.synthetic import search_text

pytestmark = pytest.mark.compiled

VERBS = {
    "report": ("report", "NEWER"),
    "report of several": ("report", "OLD", "NEWER", "--md", "out.md"),
    "compare": ("compare", "NEWER"),
    "compare by run": ("compare", "OLD", "NEWER", "--by", "run"),
    "gate": ("gate", "OLD", "NEWER"),
    "gate judged again": ("gate", "NEWER"),
    "history add": ("history", "add", "NEWER", "--commit", "abc"),
    "history confirm": ("history", "confirm", "SERIES", "smoke", "--by", "NEWER", "--store", "STORE"),
    "run --resume": ("run", "--resume", "NEWER"),
    "run --resume --plan": ("run", "--resume", "NEWER", "--plan"),
}
NEXT = "and the newest that this busbench reads is {}: install a newer busbench"
FILES = ("run.json", "trials/*/trial.json", "search.json", "durability.json")


def bench(*words: str) -> Result:
    """Run the command; anything but a deliberate exit is a failure of the test."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `old`, and a history store that holds it."""
    folder = tmp_path_factory.mktemp("newer")
    assert bench("run", "smoke", "--seed", "5", "--out", str(folder / "old")).exit_code == 0
    assert Store(folder / "store").add(rows(load(folder / "old"), "abc"))
    (folder / "old" / "search.json").write_text(search_text())
    (folder / "old" / "durability.json").write_text(DurabilityRecord(probes=()).model_dump_json())
    return folder


@pytest.fixture
def old(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The finished run, seen from an empty folder."""
    monkeypatch.chdir(tmp_path)
    return made / "old"


def newer(old: Path, pattern: str) -> tuple[Path, Path]:
    """Copy a run with one file of a newer schema, which has a field that is not known; return both."""
    folder = Path(shutil.copytree(old, "newer"))
    file = max(folder.glob(pattern))
    record = json.loads(file.read_text()) | {"schema_version": 99, "of_tomorrow": True}
    file.write_text(json.dumps(record))
    return folder, file


@pytest.mark.parametrize("pattern", FILES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_newer_file_is_refused(verb: str, pattern: str, old: Path) -> None:
    """One line with the file, both versions and the next step; exit code 2; nothing is written."""
    folder, file = newer(old, pattern)
    there = sorted(Path().rglob("*"))
    store = old.parent / "store"
    series = bench("history", "show", "--store", str(store)).output.split(maxsplit=1)[0]
    run_id = read(old).record.run_id
    stand_ins = {"OLD": str(old), "NEWER": str(folder), "STORE": str(store), "SERIES": series, "smoke": run_id}
    words = [stand_ins.get(word, word) if word != "run" else word for word in VERBS[verb]]
    result = bench(*words)
    assert result.exit_code == 2, result.output
    newest = SCHEMA_VERSION if file.name in {"run.json", "trial.json"} else 1
    assert result.output.splitlines() == [f"error: {file} has schema_version 99, {NEXT.format(newest)}"]
    assert sorted(Path().rglob("*")) == there


def test_a_newer_run_in_a_store_is_left_out_by_name(made: Path, tmp_path: Path) -> None:
    """Others are read, even where it lacks columns of today; a store of such runs alone is refused."""
    store = Path(shutil.copytree(made / "store", tmp_path / "store"))
    file = store / "runs" / "tomorrow-1.parquet"
    pd.DataFrame({"store_version": [99], "figure": [1.0]}).to_parquet(file)
    said = f"runs/{file.name} is left out: it has store_version 99, {NEXT.format(2)}"
    for verb in ("show", "check"):
        result = bench("history", verb, "--store", str(store))
        assert "calm, steady: p99 response" in result.output
        assert f"warning: {said}" in result.output.splitlines()
    for other in store.glob("runs/smoke*"):
        other.unlink()
    result = bench("history", "check", "--store", str(store))
    assert result.exit_code == 2
    assert result.output.splitlines() == [f"error: --store {store} holds no run that can be read: {said}"]
