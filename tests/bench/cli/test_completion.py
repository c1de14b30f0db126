"""The shell completes verbs, options and what stands for something: scenarios, drivers, brokers, results folders."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench.cli import completion
from bench.cli.main import VERBS
from tests.bench.cli.test_help import HEAVY, loaded

SHIPPED = {path.stem for path in (Path(completion.__file__).parents[1] / "scenarios").glob("*.toml")}
BENCH = Path(sys.executable).with_name("bench")

OFFERED = {
    "bench ": set(VERBS),
    "bench se": {"search"},
    "bench run --no-r": {"--no-report"},
    "bench run ": SHIPPED | {"mine.toml"},
    "bench search rabbit": {"rabbitmq-vs-qpid"},
    "bench run ./mi": set(),  # bash completes files
    "bench run smoke --driver wire": {"wire091", "wire10"},
    "bench load amqp://h --kind ra": {"rabbitmq"},
    "bench broker start q": {"qpid-broker-j"},
    "bench image show st": {"stable"},
    "bench report ": {"results/smoke-1", "results/smoke-2"},
    "bench run --resume results/smoke-1": {"results/smoke-1"},
    "bench compare --by r": {"run"},
}
"""What the tab key offers at the end of a line; where it is nothing, bash completes names of files."""


def in_bash(lines: Iterable[str], folder: Path) -> list[set[str]]:
    """Press the tab key at the end of each line: bash sources our script and calls what that one registers."""
    script = [
        f"export PATH={shlex.quote(str(BENCH.parent))}:$PATH",
        "source <(_BENCH_COMPLETE=source_bash bench)",
        "called=$(complete -p bench | sed 's/.*-F \\([^ ]*\\) bench/\\1/')",
    ]
    for line in lines:
        words = line.split(" ")
        script += [
            f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}; $called bench",
            "echo ${COMPREPLY[@]}",
        ]
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not done.stderr
    return [set(said.split()) for said in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two runs, one folder that is none, a scenario of one's own and a file that is none."""
    for name in ("smoke-1", "smoke-2"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "run.json").touch()
    (tmp_path / "results" / "notes").mkdir()
    (tmp_path / "mine.toml").write_text("[[targets]]\n")
    (tmp_path / "other.toml").write_text("[tool]\n")
    return tmp_path


def test_bash_is_offered_what_fits(folder: Path) -> None:
    """Through the very script that `bench --install-completion` installs."""
    assert dict(zip(OFFERED, in_bash(OFFERED, folder), strict=True)) == OFFERED


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(shell: str) -> None:
    """They ask by other variables."""
    asked = {"_TYPER_COMPLETE_ARGS": "bench run smo", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    said, _ = loaded(_BENCH_COMPLETE=f"complete_{shell}", **asked)
    assert "smoke" in said
    assert "noise-floor" not in said


@pytest.mark.parametrize(
    "line",
    ["bench run ", "bench run --", "bench run smoke --driver ", "bench gate "],
)
def test_completion_loads_nothing_heavy(line: str) -> None:
    """A key was pressed, and somebody waits."""
    words = line.split(" ")
    said, modules = loaded(_BENCH_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert said
    assert not modules & {*HEAVY, "numpy"}


def test_the_newest_run_stands_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those beside what was typed come before those of `results`."""
    monkeypatch.chdir(folder)
    os.utime(folder / "results" / "smoke-2", ns=(1, 1))
    assert completion.results_folders("") == ["results/smoke-1", "results/smoke-2"]
    (folder / "kept" / "run").mkdir(parents=True)
    (folder / "kept" / "run" / "run.json").touch()
    assert completion.results_folders("kept/")[0] == "kept/run"


def test_only_the_command_itself_installs_completion() -> None:
    """A verb of several words would install what nobody calls."""
    for words in ([], ["image"], ["broker"]):
        said, _ = loaded(*words, "--help")
        assert ("--install-completion" in said) is (not words)
