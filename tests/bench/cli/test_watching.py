"""`--watch` and `--metrics` on real runs, against the relay: drawn in a pseudo-terminal, scraped while it lasts."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.metrics_core import Metric

from bench.ceiling.measure import relay
from bench.results import archive
from tests.bench.cli.test_cli import Bench
from tests.bench.cli.test_exporter import scrape, value

RATE = 2_000
WITHIN_S = 120.0
"""Longest wait for anything: a bound, not an expectation."""
SEQUENCE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a relay listens."""
    with relay() as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Bench()


class Terminal:
    """A command in a pseudo-terminal of 100 columns and 30 lines, and all that it writes there."""

    def __init__(self, folder: Path, *words: str) -> None:
        """Start `bench`."""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self._told, self._ended = b"", False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._ours, 1 << 16)
            except OSError:  # the last who could write has gone
                part = b""
            with self._news:
                self._told += part
                self._ended = not part
                self._news.notify_all()
            if not part:
                return

    @property
    def told(self) -> str:
        """All that was written so far."""
        return self._told.decode(errors="replace")

    def await_(self, pattern: str) -> re.Match[str]:
        """Return the first match of what is written, once it is."""
        with self._news:
            self._news.wait_for(lambda: self._ended or re.search(pattern, self.told), WITHIN_S)
        found = re.search(pattern, self.told)
        assert found, self.told[-3_000:]
        return found

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        try:
            return self.process.wait(WITHIN_S)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            os.close(self._ours)


def screen(told: str) -> list[str]:
    """Return what stands on a terminal without a lower edge after all of this was written."""
    lines, row, column = [""], 0, 0
    for part in SEQUENCE.finditer(told):
        text, codes, kind = part[0], part[1], part[2]
        if kind == "A":
            row = max(0, row - int(codes or 1))
        elif kind == "K":
            assert codes == "2"
            lines[row] = ""
        elif text == "\r":
            column = 0
        elif text == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif kind is None:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
        else:
            assert kind in {"m", "h", "l"}, part
    return lines


def drawn_and_gone(told: str) -> list[str]:
    """Return what is left of a run that was drawn: nothing of the view, and the cursor is shown."""
    drawn, left = re.sub(r"\x1b\[[0-9;]*m", "", told), screen(told)
    assert re.search(r"\[(warm-up|measure)\] >", drawn)
    assert re.search(r"received +[0-9,]+ msg/s +[▁▂▃▄▅▆▇]+  [0-9,.]+", drawn)
    assert re.search(r"p99 +[0-9.]+ ms +[·▁▂▃▄▅▆▇]+  [0-9,.]+", drawn)
    assert "host away in the last 10 s" in drawn
    view = ("warm-up", "msg/s   ", "lowest – highest", "host away", "preparing", "…")
    assert [one for one in left if any(word in one for word in view)] == []
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")
    return left


class Scraped(NamedTuple):
    """What was seen until a trial was finished.

    Attributes:
        first: families of the first scrape, `last`: of the last one.
        measured: when, and how many messages of a measured part were received by then.
    """

    first: dict[str, Metric]
    last: dict[str, Metric]
    measured: list[tuple[float, float]]


def scraped(terminal: Terminal, url: str) -> Scraped:
    """Scrape ten times a second until a trial is finished."""
    until_s, measured, first = time.monotonic() + WITHIN_S, [], scrape(url)
    while True:
        assert time.monotonic() < until_s, terminal.told[-3_000:]
        now_s, found = time.monotonic(), scrape(url)
        received = found["busbench_received_messages"].samples
        measured += [(now_s, one.value) for one in received if one.labels["phase"] == "measure"]
        if found["busbench_finished_trials"].samples:
            return Scraped(first, found, measured)
        time.sleep(0.1)


@pytest.mark.compiled
@pytest.mark.parametrize("ended_by", ["Ctrl-C", pytest.param("itself", marks=pytest.mark.soak)])
def test_a_run_is_drawn_and_scraped(ended_by: str, port: int, tmp_path: Path) -> None:
    """Counters grow with the load and end at the ledger's numbers; nothing of the view is left on the terminal."""
    uris = (f"amqp://127.0.0.1:{port}", f"amqp://localhost:{port}")
    words = ("--rate", str(RATE), "--duration", "2s", "--warm-up", "1s", "--out", "run", "--no-report", "--seed", "1")
    terminal = Terminal(tmp_path, "load", *uris, *words, "--watch", "--metrics", "0")
    try:
        url = terminal.await_(r"metrics: (http://127\.0\.0\.1:[0-9]+/metrics)")[1]
        found = scraped(terminal, url)
        if ended_by == "Ctrl-C":
            terminal.process.send_signal(signal.SIGINT)
    finally:
        code = terminal.end()
    assert code in ({130} if ended_by == "Ctrl-C" else {0, 3}), terminal.told  # 3: the host was busy
    left = drawn_and_gone(terminal.told)
    assert any(re.match(r"trial 1 of 2  \S+ · load  [0-9,]+ msg/s  p50 ", one) for one in left)
    record = archive.read(tmp_path / "run").trials[0].record
    cell = {"target": record.target, "workload": "load"}
    assert value(found.first, "planned_trials") in {0, 2}
    assert value(found.last, "finished_trials", valid=str(record.valid).lower(), **cell) == 1
    assert record.ledger.received > record.received >= 2 * RATE
    assert value(found.last, "received_messages", **cell) == record.ledger.received
    assert value(found.last, "sent_messages", **cell) == record.ledger.sent
    assert value(found.last, "settled_messages", **cell) == record.ledger.confirmed
    assert value(found.last, "received_messages", phase="measure", **cell) == pytest.approx(record.received, rel=0.3)
    assert value(found.last, "client_cpu_seconds", **cell) > 0.01
    growing = [one for one in found.measured if one[1] < found.measured[-1][1]]
    (first_s, first), (last_s, last) = growing[0], growing[-1]
    assert (last - first) / (last_s - first_s) == pytest.approx(record.achieved_rate, rel=0.5)


VERBS = (("run", "smoke"), ("load", "amqp://127.0.0.1:1"), ("search", "smoke"))
SLIPS = [
    *((verb, ("--metrics", "here"), "--metrics 'here' is no address: write HOST:PORT") for verb in VERBS),
    *((verb, ("--metrics", "192.0.2.1:0"), "--metrics 192.0.2.1:0: Cannot assign requested address") for verb in VERBS),
    *((verb, ("--watch", "--quiet"), "--quiet prints the answer alone: leave out --watch") for verb in VERBS[:2]),
]


@pytest.mark.parametrize(("verb", "words", "said"), SLIPS)
def test_slips_cost_nothing(bench: Bench, verb: tuple[str, ...], words: tuple[str, ...], said: str) -> None:
    """One message, exit code 2, and nothing was made."""
    told = bench.refused(2, *verb, *words)
    assert said in told
    assert told.count("error: ") == 1
    assert not Path("results").exists()


def test_without_the_extra(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where prometheus-client is not installed it is said how to get it."""
    monkeypatch.delitem(sys.modules, "bench.cli.exporter", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    told = bench.refused(2, "run", "smoke", "--metrics", "9464")
    assert told == "error: --metrics needs prometheus-client: pip install 'prometheus-client>=0.20'"


def test_without_a_terminal(bench: Bench) -> None:
    """One line says that the view is left out, and the run goes on as without it."""
    told = " ".join(bench("run", "smoke", "--plan", "--watch").stderr.split())
    assert told == "--watch: standard error is no terminal that can be drawn on, so one line a trial it is"
