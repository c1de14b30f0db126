"""`bench doctor --noise`: the words, the JSON and the exit code, on hosts that are made up."""

import json
import os

import pytest
from typer.testing import CliRunner, Result

from bench.ceiling.host_noise import HostNoise
from bench.ceiling.measure import PeerFailed
from bench.cli import noise
from bench.cli.main import app
from bench.stats.resolution import Resolution


def host(p50: float, p99: float, rate: float, bias: float = 0.0) -> HostNoise:
    """Return a host whose alike pairs differ by these shares."""
    spreads = {"p50": p50, "p99": p99, "achieved_rate": rate}
    return HostNoise(
        {metric: Resolution(20, one, 1.3 * one, bias, 0.01 / 3) for metric, one in spreads.items()},
        speed=0.004,
        waited=0.02,
        figures={"p50": 120_000, "p99": 900_000, "achieved_rate": 30_000},
    )


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> "On":
    """The command on a host that is made up."""
    monkeypatch.setattr(noise, "_pauses", lambda: "this host was not away in 5 s")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    return On(monkeypatch)


class On:
    """Calls the command as a user would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep what changes the host."""
        self._monkeypatch = monkeypatch

    def __call__(self, found: HostNoise, *words: str) -> Result:
        """Run it; anything but a deliberate exit is a failure of the test."""

        def seen(progress: object) -> HostNoise:
            assert callable(progress)
            progress(0)
            return found

        self._monkeypatch.setattr(noise, "look_at_noise", seen)
        result = CliRunner().invoke(app, ["doctor", "--noise", *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result


def test_a_quiet_host_decides_what_the_budget_asks(on: On) -> None:
    """Exit code 0; the last line says which changes are decided, and that smaller ones are not."""
    result = on(host(0.01, 0.02, 0.01))
    assert result.exit_code == 0, result.output
    last = result.stdout.strip().splitlines()[-1]
    assert last == (
        "With 10 pairs this host decides a change of p50 by 2.6 % or more, p99 by 5.2 % or more and achieved_rate by"
        " 2.6 % or more; nothing smaller."
    )
    assert "steady" in result.stdout
    assert "too noisy" not in result.output


def test_a_noisy_host_ends_in_3_and_says_what_would_do(on: On) -> None:
    """Named are the metric, the change, and the pairs that would decide it, or that none would."""
    result = on(host(0.01, 0.05, 0.6))
    assert result.exit_code == 3
    words = " ".join(result.output.split())
    assert "too noisy: p99: a change of 10 % needs 15 pairs here (--pairs 15)" in words
    assert "too noisy: achieved_rate: a change of 5 % takes more than 100 pairs" in words
    assert "too noisy: p50" not in words
    assert on(host(0.01, 0.05, 0.01), "--pairs", "15").exit_code == 0


def test_throughput_counts_only_where_a_gate_decides_by_it(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two CPUs its noise is shown; it promises nothing, and fails nothing."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    result = on(host(0.01, 0.02, 0.6))
    assert result.exit_code == 0, result.output
    assert "achieved_rate does not count here" in result.stdout
    assert (
        result.stdout.strip()
        .splitlines()[-1]
        .endswith("p50 by 2.6 % or more and p99 by 5.2 % or more; nothing smaller.")
    )
    found = json.loads(on(host(0.01, 0.02, 0.6), "--json").stdout)
    assert [line["gated"] for line in found["lines"]] == [True, True, False]


@pytest.mark.parametrize("effect", ["20%", "20 %", "0.2"])
def test_one_effect_for_all(on: On, effect: str) -> None:
    """It takes the place of the budget's, and may be written as people do."""
    assert on(host(0.05, 0.05, 0.05), "--effect", effect).exit_code == 0
    assert on(host(0.05, 0.05, 0.05)).exit_code == 3


def test_json_has_what_the_words_have(on: On) -> None:
    """And nothing else is on standard output."""
    found = json.loads(on(host(0.01, 0.05, 0.01, bias=0.01), "--json").stdout)
    assert found["decides"] is False
    assert {line["metric"]: line["enough"] for line in found["lines"]} == {
        "p50": True,
        "p99": False,
        "achieved_rate": True,
    }
    assert found["sentence"].startswith("With 10 pairs this host decides")
    assert found["lines"][0]["bias"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--noise", "--effect", "five"), "--effect 'five' is no share: write 5% or 0.05"),
        (("--noise", "--effect", "5"), "is no share"),
        (("--effect", "5%"), "go with --noise only"),
        (("--noise", "--ceiling"), "ask for one"),
    ],
)
def test_what_cannot_be_asked_is_refused(words: tuple[str, ...], says: str) -> None:
    """Exit code 2, before anything is measured."""
    result = CliRunner().invoke(app, ["doctor", *words])
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


def test_a_loop_that_fails_is_told(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, in a line."""
    on(host(0.01, 0.01, 0.01))

    def fails(_: object) -> HostNoise:
        raise PeerFailed("the relay did not start")

    monkeypatch.setattr(noise, "look_at_noise", fails)
    result = CliRunner().invoke(app, ["doctor", "--noise"])
    assert result.exit_code == 4
    assert "error: the relay did not start" in result.output
