"""The command line: exit codes, one message a fault, no traceback, the report's path last."""

import errno
import json
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bench.cli import crosscheck_work, run_work
from bench.cli.console import fail
from bench.cli.main import app
from bench.drivers.registry import registry
from bench.record import hlog
from bench.results import archive
from bench.results.archive import read
from bench.run import memory_trial
from bench.run.conductor import RunEnd
from brokers.credentials import ALLOWED
from brokers.places.ports import free_ports
from reports import compose
from tests.bench.drivers.fake_package import install, on_path
from tests.judged import BusyPort
from tests.reports.synthetic import build


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Bench":
    """The command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Bench()


class Bench:
    """Calls the command as a user would."""

    def __call__(self, *words: str) -> Result:
        """Run it; anything but a deliberate exit is a failure of the test."""
        result = CliRunner().invoke(app, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def refused(self, code: int, *words: str) -> str:
        """Run it, expecting an exit code and a message; return the message as one line."""
        result = self(*words)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return " ".join(result.output.split())


@pytest.mark.compiled
def test_smoke_from_file_to_report(bench: Bench) -> None:
    """The smoke scenario ends in 0, prints the report's path last and leaves a readable folder."""
    result = bench("run", "smoke", "--seed", "5")
    assert result.exit_code == 0, result.output
    page = Path(result.stdout.strip().splitlines()[-1])
    summary = json.loads(page.with_name("summary.json").read_text())
    assert [answer["sentence"] in result.stdout for answer in summary["answers"]] == [True] * len(summary["answers"])
    assert "p99.9 ms" in result.stdout
    assert page.name == "report.html"
    assert page.read_text().startswith("<!DOCTYPE html>")
    run = read(Path("results/latest"))
    assert len(run.trials) == len(run.record.plan) == 4
    assert run.record.command == "bench run smoke --seed 5"
    assert json.loads(Path("results/latest/summary.json").read_text())
    assert bench("report", "results/latest", "--md", "again.md").exit_code == 0
    assert Path("again.md").read_text() == Path("results/latest/report.md").read_text()


@pytest.mark.compiled
def test_the_same_seed_gives_the_same_numbers(bench: Bench) -> None:
    """On the memory driver, the command that a report names repeats it to the last bucket."""
    for name in ("a", "b"):
        assert bench("run", "smoke", "--seed", "7", "--out", name).exit_code == 0
    first, second = read(Path("a")), read(Path("b"))
    assert [t.record.latency for t in first.trials] == [t.record.latency for t in second.trials]


@pytest.mark.compiled
def test_invalid_trials_are_said_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number, each reason with its trials and advice, exit code 3; the report opens with them, too."""
    monkeypatch.setattr(memory_trial, "MemoryPort", BusyPort)
    words = bench.refused(3, "run", "smoke", "--seed", "5", "--set", "workloads.0.load.rate=1000")
    run = read(Path("results/latest"))
    invalid = [trial.record.index for trial in run.trials if not trial.record.valid]
    assert f"invalid: {len(invalid)} of 4 trials are invalid and left out of every comparison" in words
    listed = ", ".join(str(index + 1) for index in invalid)
    assert f"invalid: send-lag (trial{'s' if len(invalid) > 1 else ''} {listed}): p99 of our own lateness" in words
    assert words.index("invalid: ") < words.index("4 of 4 trials in")
    assert "to repeat them: bench run --resume" in words
    summary = json.loads(Path("results/latest/summary.json").read_text())
    assert summary["caveats"][0].startswith(f"Left out: {len(invalid)} of 4 finished trials; ")


def test_former_names_of_drivers_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """By verbs that run a scenario as by those that take a driver's name, once, with the name of today."""
    told = "warning: driver 'pika' is called 'pika-codec' now; the old name still works"
    for module in (run_work, crosscheck_work):
        monkeypatch.setattr(module, "host_facts", lambda *_: fail(4, "far enough"))
        monkeypatch.setattr(module, "ensure_images", lambda _: fail(4, "far enough"))
    for words in (("run", "rabbitmq-vs-qpid", "--driver", "pika"), ("crosscheck", "crosscheck", "--driver", "pika")):
        assert bench.refused(4, *words).count(told) == 1, words


def test_what_can_be_set_is_listed(bench: Bench) -> None:
    """With overrides applied, running nothing; a faulty one is told."""
    listed = bench("run", "smoke", "--list-set", "--set", "workloads.steady.size=1KiB")
    assert listed.exit_code == 0
    assert "workloads.steady.size=1KiB  (size, ≥ 12, ≤ 67,108,864)" in listed.stdout.splitlines()
    assert "brokers.stalling.stalls.0.length=500ms  (duration)" in listed.stdout.splitlines()
    assert "is no size" in bench.refused(2, "run", "smoke", "--list-set", "--set", "workloads.steady.size=x")
    assert "name one scenario" in bench.refused(2, "run", "--list-set")
    assert "--list-set: cannot be used with --resume" in bench.refused(2, "run", "--list-set", "--resume", "r")
    assert not Path("results").exists()


def test_the_schema_can_be_written_beside_a_scenario(bench: Bench) -> None:
    """As it is printed; where it cannot be, that is said."""
    assert bench("schema", "--out", "busbench.schema.json").exit_code == 0
    assert Path("busbench.schema.json").read_text() == bench("schema").stdout
    assert "cannot be written" in bench.refused(4, "schema", "--out", "none/s.json")


def test_a_results_folder_has_no_line_for_editors(bench: Bench) -> None:
    """The schema that it would name lies beside the scenario that was given."""
    assert bench("run", "smoke", "--seed", "1", "--no-report", "--set", "workloads.0.duration=1s").exit_code == 0
    assert "#:schema" not in Path("results/latest/scenario.toml").read_text()


def test_usage_faults(bench: Bench, tmp_path: Path) -> None:
    """Whatever is wrong with the words or the file: exit code 2, the field, what is allowed."""
    assert "no such field: did you mean 'size'?" in bench.refused(2, "run", "smoke", "--set", "workloads.0.sise=1")
    assert "is no shipped scenario" in bench.refused(2, "run", "smokee")
    assert "cannot be read" in bench.refused(2, "run", "./none.toml")
    assert "name one scenario" in bench.refused(2, "run")
    assert "No such option" in bench.refused(2, "run", "smoke", "--fast")
    assert "no results folder" in bench.refused(2, "report", str(tmp_path))
    assert "no results folder" in bench.refused(2, "run", "--resume", str(tmp_path))
    assert "--set: cannot be used with --resume" in bench.refused(2, "run", "--resume", "x", "--set", "a=1")
    assert "choose one of current, stable" in bench.refused(2, "image", "show", "unheard-of")
    assert "brokers.0.image" in bench.refused(2, "run", "rabbitmq-vs-qpid", "--set", "brokers.0.image=old")
    assert "no broker we can start" in bench.refused(2, "broker", "start", "kafka")
    (tmp_path / "taken").mkdir()
    assert "exists already" in bench.refused(2, "run", "smoke", "--out", "taken")


def test_all_faults_of_a_scenario_come_at_once(bench: Bench) -> None:
    """Three faults, three lines."""
    text = bench.refused(
        2, "run", "smoke", "--set", "workloads.0.size=1", "--set", "plan.repetitions=0", "--set", "targets.0.broker=x"
    )
    assert text.count("error:") == 3


def test_the_plan_is_shown_and_nothing_is_run(bench: Bench) -> None:
    """`--plan` prints every trial with minutes and disk, and makes no folder."""
    result = bench("run", "rabbitmq-vs-qpid", "--quick", "--plan")
    assert result.exit_code == 0
    assert "32 trials, about" in result.stdout
    assert not Path("results").exists()


def test_lists(bench: Bench) -> None:
    """Scenarios, drivers, brokers and the schema are printed."""
    assert "rabbitmq-vs-qpid" in bench("scenarios").stdout
    assert "amqp10" in bench("drivers").stdout
    assert "qpid-broker-j" in bench("broker", "list").stdout
    assert json.loads(bench("schema").stdout)["title"] == "Scenario"


def test_drivers_tell_their_packages_and_what_was_left_out(bench: Bench, tmp_path: Path) -> None:
    """Client and package of each; a broken package is a warning on the side, and the list is whole."""
    whole = bench("drivers").stdout
    assert f"pika-codec  amqp091  pika {version('pika')}  (package busbench " in whole
    install(tmp_path / "site", "other", {"lame": "no_such_module:DRIVER"})
    with on_path(tmp_path / "site"):
        result = bench("drivers")
    assert result.exit_code == 0
    assert result.stdout == whole
    assert result.stderr.startswith("warning: package other 1.0: driver 'lame' is left out: no_such_module:DRIVER ")


@pytest.mark.compiled
def test_a_run_goes_on_only_with_its_drivers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that is gone since the run began is told before anything starts."""
    assert bench("run", "smoke", "--out", "run").exit_code == 0
    monkeypatch.delitem(registry().installed, "memory")
    assert "'memory' is no driver: choose " in bench.refused(4, "run", "--resume", "run")


def test_an_external_broker_that_is_not_there(bench: Bench) -> None:
    """Nobody at the address: exit code 4, the address and what to check, and no other trial is tried for long."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = bench.refused(4, "run", "own-broker", "--set", f"brokers.mine.external.port={port}")
    assert f"127.0.0.1:{port}" in text
    assert "--resume" in text


def test_a_secret_is_read_where_the_command_line_allows_it_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that names another variable is refused before anything is sent, with the option that allows it."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret")
    monkeypatch.setenv(ALLOWED, "")  # what the option sets is taken back after the test
    [port] = free_ports(("amqp",)).values()
    words = ["run", "own-broker", "--set", f"brokers.mine.external.port={port}"]
    words += ["--set", "brokers.mine.external.password_env=AWS_SECRET_ACCESS_KEY"]
    said = bench.refused(2, *words)
    assert said.count("brokers.0.external.password_env = 'AWS_SECRET_ACCESS_KEY'") == 1
    assert said.endswith("or allow it by --credentials-from AWS_SECRET_ACCESS_KEY")
    assert "aws-secret" not in said
    # Allowed, the next thing that is wrong is told: nobody listens there.
    assert "cannot be reached" in bench.refused(4, *words, "--credentials-from", "AWS_SECRET_ACCESS_KEY")


def test_a_password_in_clear_text_is_warned_of(bench: Bench) -> None:
    """To another host than this one, once a broker, before anything is sent."""
    words = ("run", "own-broker", "--set", "brokers.mine.external.host=broker.invalid")
    said = bench.refused(4, *words)
    assert said.count("the password for broker 'mine' goes to broker.invalid in clear text: add `tls = true`") == 1
    assert "clear text" not in bench.refused(4, *words, "--set", "brokers.mine.external.tls=true")


@pytest.mark.parametrize("outcome", ["stalled", "broker-failed", "completed"])
def test_a_broker_that_stopped_answering_ends_a_run_in_4(outcome: str, tmp_path: Path) -> None:
    """As one that died: its trial has no result that counts, and the run can be finished."""
    folder = build(
        tmp_path / "run",
        repetitions=1,
        seconds=1,
        closed_loop=False,
        change=lambda trial: trial | {"outcome": outcome} if trial["index"] == 1 else trial,
    )
    finished = read(folder)
    assert run_work._exit_code(RunEnd((), interrupted=False), finished) == (0 if outcome == "completed" else 4)
    assert [left.index for left in finished.left()] == ([] if outcome == "completed" else [1])


def test_a_results_folder_that_cannot_be_written(bench: Bench, tmp_path: Path) -> None:
    """A file where a folder should be: exit code 2, said at once."""
    (tmp_path / "file").write_text("")
    assert "cannot be made" in bench.refused(2, "run", "smoke", "--out", "file/run")


@pytest.mark.compiled
def test_a_full_disk_keeps_what_is_finished(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for the third trial: exit code 4, the way on, two trials kept; and then it goes on."""
    write, left = hlog.write, [2]

    def fill(path: Path, *rest: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, *rest)

    with monkeypatch.context() as full:
        full.setattr(hlog, "write", fill)
        text = bench.refused(4, "run", "smoke", "--out", "run")
    assert "No space left on device" in text
    assert "bench run --resume run" in text
    assert len(read(Path("run")).trials) == 2
    assert bench("run", "--resume", "run").exit_code == 0
    assert len(read(Path("run")).trials) == 4


@pytest.mark.compiled
def test_no_room_for_the_report_keeps_the_results(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be written is told with the command that draws it later."""

    def fill(_: Path, __: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(compose, "write_whole", fill)
        text = bench.refused(4, "run", "smoke", "--out", "run")
    assert "bench report run" in text
    assert bench("report", "run").exit_code == 0


def test_no_room_to_begin_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be begun is not left behind half made."""

    def fill(_: Path, __: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "write_whole", fill)
    assert "make room" in bench.refused(2, "run", "smoke", "--out", "run")
    assert not Path("run").exists()


CROSSCHECK = Path(__file__).parents[3] / "bench/scenarios/crosscheck.toml"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["smoke"], "nothing to crosscheck: targets.0.protocol = 'memory'"),
        (["crosscheck", "--driver", "nobody"], "'nobody' is no driver"),
        (["crosscheck", "--driver", "memory"], "'memory' speaks memory"),
        (["crosscheck", "--set", "workloads.0.confirm_window=-1"], "workloads.0.confirm_window"),
        (["crosscheck", "--set", "brokers.0.image=nothing"], "there is no recipe 'nothing'"),
        (["crosscheck", "--json", "nowhere/found.json"], "there is no folder nowhere"),
        (["crosscheck", "--pairs", "0"], "--pairs"),
    ],
)
def test_a_crosscheck_that_cannot_be(bench: Bench, words: list[str], said: str) -> None:
    """Usage faults end in 2 before anything is fetched or started."""
    assert said in bench.refused(2, "crosscheck", *words)


def test_a_capture_wants_a_fixed_rate(bench: Bench, tmp_path: Path) -> None:
    """A scenario of closed loops alone has nothing to capture."""
    text = CROSSCHECK.read_text()
    begin, end = text.index('[[workloads]]\nname = "fixed"'), text.index('[[workloads]]\nname = "window"')
    (tmp_path / "loops.toml").write_text(text[:begin] + text[end:])
    assert "and none is left" in bench.refused(2, "crosscheck", "loops.toml", "--capture")


def test_a_crosscheck_without_java(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One message with what to install, exit code 4; what a peer cannot do was told before."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = bench.refused(4, "crosscheck", "crosscheck", "--set", "workloads.0.ack_batch=64")
    assert "PerfTest needs java and mvn: apt-get install default-jdk-headless maven" in text
    assert "left out: rabbitmq-10: workloads.0.ack_batch = 64: Artemis perf acknowledges one by one" in text


def test_a_capture_without_tcpdump(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Said before anything is fetched or started, exit code 4."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "needs tcpdump: apt-get install tcpdump" in bench.refused(4, "crosscheck", "crosscheck", "--capture")
