"""`--pin auto`, on hosts given as data."""

import pytest
import typer

from bench.cli.pinning import pinned_cpus, pinning
from bench.host.cores import Cpu
from bench.scenario.loading import load_scenario


def _host(monkeypatch: pytest.MonkeyPatch, cpus: int, ours: int) -> None:
    """Have a host of so many CPUs without threads, of which the first are ours."""
    every = tuple(range(cpus))
    monkeypatch.setattr("bench.cli.pinning.read_cpus", lambda: tuple(Cpu(n, (n,), every) for n in every))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(ours)))


def test_brokers_take_turns_on_the_same_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has as many of them as it asks for; the overrides make a sound scenario."""
    _host(monkeypatch, 6, 4)
    asked = ["brokers.1.cpus=1"]
    overrides = pinning(load_scenario("rabbitmq-vs-qpid", asked).scenario)
    assert overrides == ["brokers.0.cpus=[2, 3]", "brokers.1.cpus=[3]", "plan.client_cpus=[0, 1]"]
    scenario = load_scenario("rabbitmq-vs-qpid", [*asked, *overrides]).scenario
    assert pinned_cpus(scenario) == {0, 1, 2, 3}
    assert scenario.plan.client_cpus == (0, 1)


@pytest.mark.parametrize(
    ("scenario", "changes", "ours", "words"),
    [
        ("rabbitmq-vs-qpid", [], 2, "2 CPUs can be used here, and 4 are needed"),
        ("rabbitmq-vs-qpid", ["brokers.0.cpus=[1]"], 4, "names CPUs already"),
        ("rabbitmq-vs-qpid", ["brokers.0.cpus=3"], 4, "lower `cpus` of the brokers"),
        ("smoke", [], 4, "no broker of this scenario is started by us"),
    ],
)
def test_what_cannot_be_split_is_one_refusal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
    changes: list[str],
    ours: int,
    words: str,
) -> None:
    """With exit code 2."""
    _host(monkeypatch, 8, ours)
    with pytest.raises(typer.Exit) as left:
        pinning(load_scenario(scenario, changes).scenario)
    assert left.value.exit_code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("error: --pin auto: ")
    assert words in told
