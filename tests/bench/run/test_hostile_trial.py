"""Trials on brokers that misbehave: each ends in bounded time under the right name, and those of others go on."""

import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from bench.results.archive import read
from bench.results.records import TrialOutcome, TrialRecord
from brokers.plain_text import is_plain
from tests.bench.drivers.hostile.peer091 import Hostile091

SCENARIO = """
name = "hostile"
title = "Brokers that misbehave"
question = "Do others go on?"
[plan]
repetitions = 1
restart = "run"
drain = "1s"
warm_up = {{ at_least = "1s", window = "1s", settle = "1s", at_most = "1s" }}
{brokers}
[[workloads]]
name = "steady"
duration = "2s"
load = {{ kind = "rate", rate = 100, stall_after = "2s" }}
"""
BROKER = """
[[brokers]]
name = "{name}"
kind = "amqp091"
external = {{ host = "127.0.0.1", port = {port} }}
[[targets]]
name = "{name}"
broker = "{name}"
protocol = "amqp091"
driver = "{driver}"
"""


def run(folder: Path, modes: list[str], driver: str) -> tuple[dict[str, TrialRecord], str]:
    """Run one trial on each of some brokers; return what came of it by mode, and what was printed."""
    peers = {mode: Hostile091(mode, workers_only=True) for mode in modes}
    try:
        brokers = "".join(
            BROKER.format(name=mode, port=peer.endpoint.port, driver=driver) for mode, peer in peers.items()
        )
        (folder / "hostile.toml").write_text(SCENARIO.format(brokers=brokers))
        words = ["run", str(folder / "hostile.toml"), "--out", str(folder / "run"), "--no-report"]
        result = CliRunner().invoke(app, words)
    finally:
        for peer in peers.values():
            peer.stop()
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    found = read(folder / "run")
    return {trial.record.target: trial.record for trial in found.trials}, result.output


@pytest.mark.compiled
def test_others_go_on(tmp_path: Path) -> None:
    """One confirms what was never sent, and stands still; the other is honest, and measured."""
    done, _ = run(tmp_path, ["lies-and-stalls", "honest"], "wire091")
    assert {mode: record.outcome for mode, record in done.items()} == {
        "lies-and-stalls": TrialOutcome.STALLED,
        "honest": TrialOutcome.COMPLETED,
    }
    assert re.search(r"nothing was received or confirmed for \d+\.\d s", done["lies-and-stalls"].reason)
    codes = {mode: {note.code for note in record.findings} for mode, record in done.items()}
    assert "protocol-violation" in codes["lies-and-stalls"]
    assert "protocol-violation" not in codes["honest"]
    assert done["honest"].ledger.balanced
    for record in done.values():
        assert is_plain(record.reason)
        assert not json.dumps(record.model_dump(mode="json"), ensure_ascii=False).count("\x1b")


@pytest.mark.soak
@pytest.mark.parametrize("driver", ["wire091", "pika-codec", "pika-select", "pika-blocking", "kombu"])
@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        ("stalls", TrialOutcome.STALLED),
        ("no-confirms", TrialOutcome.STALLED),
        ("heartbeats-without-end", TrialOutcome.STALLED),
        ("sequence-8-gib", TrialOutcome.STALLED),
        ("frame-of-4-gib", TrialOutcome.DISCONNECTED),
        ("channel-close", TrialOutcome.DISCONNECTED),
        ("connection-close", TrialOutcome.DISCONNECTED),
        ("declare-refused", TrialOutcome.DISCONNECTED),
        ("tag-repeats", TrialOutcome.COMPLETED),
        ("confirm-beyond", TrialOutcome.COMPLETED),
    ],
)
def test_each_driver_ends_its_trial_by_name(mode: str, outcome: TrialOutcome, driver: str, tmp_path: Path) -> None:
    """In bounded time, and the honest broker beside it is measured."""
    begun = time.monotonic()
    done, printed = run(tmp_path, [mode, "honest"], driver)
    assert time.monotonic() - begun < 60
    assert (done[mode].outcome, done["honest"].outcome) == (outcome, TrialOutcome.COMPLETED)
    assert "Traceback" not in printed
