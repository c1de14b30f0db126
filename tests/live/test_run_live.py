"""A whole run by the command, ended with violence at every stage, and finished all the same."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.results.archive import read
from bench.run.scratch_folder import scratch_root

OTHERS = ("qpid-broker-j", "artemis", "activemq-classic")
SCENARIO = """
name = "violence"
title = "Violence"
question = "Does a run survive?"
[[brokers]]
name = "rabbitmq"
kind = "rabbitmq"
[[targets]]
name = "r-091"
broker = "rabbitmq"
protocol = "amqp091"
driver = "pika-codec"
[[targets]]
name = "r-10"
broker = "rabbitmq"
protocol = "amqp10"
driver = "proton-engine"
[[workloads]]
name = "steady"
duration = "3s"
load = { kind = "rate", rate = 300 }
[plan]
repetitions = 1
restart = "run"
idle = false
warm_up = { at_least = "1s", at_most = "1s", settle = "1s" }
"""


@pytest.fixture
def folder(tmp_path: Path, image_root: Path) -> Iterator[Path]:  # noqa: ARG001  (the image must be there)
    """A folder with the scenario; what a failing test leaves is ended."""
    (tmp_path / "violence.toml").write_text(SCENARIO)
    yield tmp_path
    for process in psutil.Process().children(recursive=True):
        if "bench.cli" in " ".join(_words(process)):
            process.kill()


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start the command."""
    code = "from bench.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def in_mid_trial(command: subprocess.Popen[str]) -> list[psutil.Process]:
    """Wait until a trial has run for half a second; return every process of the run but the first."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert command.poll() is None, command.communicate()
        family = psutil.Process(command.pid).children(recursive=True)
        if sum("bench.run.worker" in " ".join(_words(process)) for process in family) == 2:
            time.sleep(0.5)
            return psutil.Process(command.pid).children(recursive=True)
        time.sleep(0.05)
    pytest.fail("no trial began within a minute")


def scratch_of(family: list[psutil.Process]) -> set[Path]:
    """Return the scratch folders of a run, as its brokers' command lines name them."""
    words = [word for process in family for word in _words(process) if word.startswith(f"{scratch_root()}/run-")]
    return {scratch_root() / Path(word).relative_to(scratch_root()).parts[0] for word in words}


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def gone(family: list[psutil.Process]) -> list[psutil.Process]:
    """Wait up to 10 s for every process to end; return those that did not."""
    return psutil.wait_procs(family, timeout=10)[1]


def test_a_run_survives_kill_and_interrupt(folder: Path) -> None:
    """SIGKILL in the first trial, Ctrl-C in the next attempt: nothing strays; `--resume` finishes all."""
    command = start(folder, "run", "violence.toml", "--out", "run", "--seed", "1")
    family = in_mid_trial(command)
    assert any("beam" in process.name() for process in family)
    folders = scratch_of(family)
    assert folders
    command.kill()
    command.communicate()
    assert gone(family) == []
    assert read(folder / "run").trials == ()

    command = start(folder, "run", "--resume", "run")
    family = in_mid_trial(command)
    folders |= scratch_of(family)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=60)
    assert command.returncode == 130, said
    assert "Traceback" not in said
    assert "bench run --resume run" in said
    assert gone(family) == []

    command = start(folder, "run", "--resume", "run")
    out, said = command.communicate(timeout=120)
    assert command.returncode in {0, 3}, said  # 3: this host may be too noisy for a valid trial
    run = read(folder / "run")
    assert [trial.record.index for trial in run.trials] == [0, 1]
    assert all(trial.record.ledger.balanced and trial.record.drained for trial in run.trials)
    assert all(trial.record.canary is not None for trial in run.trials)
    assert len(run.attempts) == 2
    assert out.strip().splitlines()[-1].endswith("report.html")
    assert not [folder for folder in folders if folder.exists()]


def keep(folder: Path, target: str, kind: str = "rabbitmq") -> None:
    """Leave one target in the scenario, on a broker of that kind."""
    head, *targets, rest = re.split(r"(?=\[\[(?:targets|workloads)\]\])", SCENARIO)
    kept = [one for one in targets if f'name = "{target}"' in one]
    (folder / "violence.toml").write_text("".join([head, *kept, rest]).replace('kind = "rabbitmq"', f'kind = "{kind}"'))


PASSWORDS = re.compile(rb"(?:default_pass = |guest = |guest: |\"password\": \")([0-9a-f]{32})")
"""As they stand in the files that a broker of ours reads."""
_CORE = re.compile(rb"Max core file size +(\S+)")


@pytest.mark.parametrize("kind", ["rabbitmq", *(pytest.param(k, marks=pytest.mark.soak) for k in OTHERS)])
def test_the_password_of_a_broker_is_nowhere_else(folder: Path, kind: str) -> None:
    """Not on a command line, in an environment, on the terminal, nor in the results and their report.

    A core file would hold it: none is written, where the user's own limit allows any.
    """
    keep(folder, "r-10", kind)
    if os.geteuid() == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    command = start(folder, "run", "violence.toml", "--out", "run")
    family = in_mid_trial(command)
    written = [path.read_bytes() for place in scratch_of(family) for path in place.rglob("*") if _is_config(path)]
    passwords = {found for content in written for found in PASSWORDS.findall(content)}
    assert len(passwords) == 1
    (password,) = passwords
    shown = [_proc(process.pid, name) for process in psutil.process_iter() for name in ("cmdline", "environ")]
    assert len(shown) > 10
    assert not [one for one in shown if password in one]
    limits = [_proc(pid, "limits") for pid in (command.pid, *(process.pid for process in family))]
    assert {found[1] for found in map(_CORE.search, filter(None, limits)) if found} == {b"0"}
    out, said = command.communicate(timeout=120)
    assert command.returncode in {0, 3}, said
    assert password.decode() not in out + said
    kept = [path for path in (folder / "run").rglob("*") if path.is_file()]
    assert {"report.html", "broker.log", "trial.json", "run.json"} <= {path.name for path in kept}
    assert not [path for path in kept if password in path.read_bytes()]


def _is_config(path: Path) -> bool:
    return path.suffix in {".conf", ".json", ".properties"} and path.is_file()


def _proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
