"""A run of a peer: heard, sampled, and ended whatever happens. A script stands in for Java."""

import os
import shlex
import time
from pathlib import Path

import psutil
import pytest

from bench.crosscheck.jvm import argument_file, run_peer
from bench.crosscheck.peer import PeerError
from bench.crosscheck.perftest import PerfTest
from bench.units import NS_PER_S
from tests.crosschecks import IdleBroker, job

LINE = (
    "id: t, time {0}.000 s, sent: 5 msg/s, received: 5 msg/s, min/median/75th/95th/99th consumer latency: 1/2/3/4/5 µs"
)


class Quick(PerfTest):
    """PerfTest that is done at once."""

    def seconds(self, measure_s: int, warm_up_s: int) -> int:  # noqa: ARG002  (the contract's signature)
        """Return no time at all."""
        return 0


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to write a script to, found as `java`."""
    script = tmp_path / "bin" / "java"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return script


def write(java: Path, *commands: str) -> None:
    """Have `java` run shell commands."""
    java.write_text("#!/bin/sh\n" + "\n".join(commands) + "\n")


def test_lines_come_with_their_times_and_arguments_with_no_trace(java: Path, tmp_path: Path) -> None:
    """Interval lines are read as they come; the password is in no argument, and in the file that Java reads."""
    report = tmp_path / "report"
    write(
        java,
        f'cat "$(echo "$1" | cut -c2-)" > {shlex.quote(str(tmp_path / "read"))}',
        f"tr '\\0' ' ' < /proc/$$/cmdline > {shlex.quote(str(tmp_path / 'shown'))}",
        f"echo '{LINE.format(4)}'; sleep 0.3; echo '{LINE.format(8)}'; printf report > report",
    )
    seen: list[bool] = []
    ran = run_peer(Quick(), Path("/there"), job(report=str(report)), IdleBroker(), seen.append)
    (first_ns, _), (second_ns, _) = ran.said.lines
    assert 0.2 * NS_PER_S < second_ns - first_ns < 5 * NS_PER_S
    assert ran.said.report == "report"
    assert "pass%20word" in (tmp_path / "read").read_text()
    assert "pass" not in (tmp_path / "shown").read_text()
    assert (seen[0], seen[-1]) == (False, True)
    # The last look may find it ended already.
    assert max(sample.client_rss for sample in ran.samples) > 0
    assert abs(ran.said.epoch_ns + time.monotonic_ns() - time.time_ns()) < NS_PER_S


def test_a_failure_quotes_what_it_said(java: Path, tmp_path: Path) -> None:
    """Exit code and last lines."""
    write(java, "echo no such broker >&2; exit 3")
    with pytest.raises(PeerError, match=r"(?s)ended with exit code 3.*no such broker"):
        run_peer(Quick(), Path("/there"), job(report=str(tmp_path / "r")), IdleBroker())


def test_a_broker_that_fails_ends_the_run(java: Path, tmp_path: Path) -> None:
    """The peer is not waited for, and is gone."""
    write(java, f"echo $$ > {shlex.quote(str(tmp_path / 'pid'))}; exec sleep 60")
    broker = IdleBroker()

    def fail(_measuring: bool) -> None:  # noqa: FBT001
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            broker.said = "it froze"

    with pytest.raises(PeerError, match="the broker failed under PerfTest: it froze"):
        run_peer(Quick(), Path("/there"), job(report=str(tmp_path / "r")), broker, fail)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_an_interrupt_leaves_no_process(java: Path, tmp_path: Path) -> None:
    """Ctrl-C ends the peer at once."""
    write(java, f"echo $$ > {shlex.quote(str(tmp_path / 'pid'))}; exec sleep 60")

    def interrupt(_measuring: bool) -> None:  # noqa: FBT001
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_peer(Quick(), Path("/there"), job(report=str(tmp_path / "r")), IdleBroker(), interrupt)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_peer_that_does_not_end_is_ended(java: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for start and end is bounded."""
    monkeypatch.setattr("bench.crosscheck.jvm._START_AND_END_S", 0.3)
    write(java, "exec sleep 60")
    with pytest.raises(PeerError, match="did not end within"):
        run_peer(Quick(), Path("/there"), job(report=str(tmp_path / "r")), IdleBroker())


def test_arguments_are_quoted_for_the_launcher() -> None:
    """An empty word, a blank, a quote and a backslash survive."""
    assert argument_file(("", "a b", 'c"', "d\\")) == '""\n"a b"\n"c\\""\n"d\\\\"\n'
