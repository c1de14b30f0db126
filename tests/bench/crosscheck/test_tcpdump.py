"""Captures by tcpdump: taken, refused, or ended, and never left running. A script stands in for tcpdump."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from bench.crosscheck.tcpdump import Sniffer, SniffError, check

TAKES = r"""
exec python3 -c '
import signal, sys, time
def stop(*_):
    sys.stdout.write("packets")
    sys.stderr.write("3 packets captured\n4 packets received by filter\n2 packets dropped by kernel\n")
    sys.exit(0)
signal.signal(signal.SIGINT, stop)
sys.stderr.write("tcpdump: listening on lo\n")
sys.stderr.flush()
time.sleep(60)'
"""


@pytest.fixture
def tcpdump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to write a script to, found as `tcpdump`."""
    script = tmp_path / "bin" / "tcpdump"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return script


def write(tcpdump: Path, commands: str) -> None:
    """Have `tcpdump` run shell commands."""
    tcpdump.write_text(f"#!/bin/sh\n{commands}\n")


def test_a_capture_and_what_it_missed(tcpdump: Path, tmp_path: Path) -> None:
    """Its bytes and the dropped packets come back; its file is gone afterwards."""
    write(tcpdump, TAKES)
    with Sniffer(5672, tmp_path) as sniffer:
        assert not sniffer.begun
        sniffer.begin()
        sniffer.await_begin()
        assert sniffer.begun
        assert sniffer.end() == (b"packets", 2)
    assert not (tmp_path / "capture.pcap").exists()


def test_it_is_bounded_and_sees_one_port(tcpdump: Path, tmp_path: Path) -> None:
    """Loopback, times in ns, a number of packets, the broker's port alone."""
    write(tcpdump, f'echo "$@" > {tmp_path}/words; {TAKES}')
    with Sniffer(5672, tmp_path) as sniffer:
        sniffer.begin()
        sniffer.await_begin()
    words = (tmp_path / "words").read_text()
    assert "--interface=lo --time-stamp-precision=nano" in words
    assert "-c 2000000" in words
    assert words.strip().endswith("tcp port 5672")


def test_without_the_right_the_message_says_how_to_get_it(tcpdump: Path, tmp_path: Path) -> None:
    """One message that quotes tcpdump."""
    write(tcpdump, "echo 'tcpdump: lo: no permission' >&2; exit 1")
    with pytest.raises(SniffError, match=r"run as root, or .*setcap.*tcpdump: lo: no permission"):
        check(tmp_path)


def test_a_capture_that_failed_later_is_told(tcpdump: Path, tmp_path: Path) -> None:
    """An exit code that is not 0 is no capture."""
    write(tcpdump, "trap 'exit 1' INT; echo listening on lo >&2; while true; do sleep 0.05; done")
    with Sniffer(5672, tmp_path) as sniffer:
        sniffer.begin()
        sniffer.await_begin()
        with pytest.raises(SniffError, match="cannot listen"):
            sniffer.end()


def test_a_missing_tcpdump_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SniffError, match="needs tcpdump: apt-get install tcpdump"):
        check(tmp_path)


def test_an_interrupt_ends_it(tcpdump: Path, tmp_path: Path) -> None:
    """Whatever leaves the block, no tcpdump stays."""
    write(tcpdump, f"trap '' INT; echo $$ > {tmp_path}/pid; echo listening on lo >&2; exec sleep 60")
    sniffer = Sniffer(5672, tmp_path)

    def interrupted() -> None:
        with sniffer:
            sniffer.begin()
            sniffer.await_begin()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
    assert sniffer._process is not None
    assert sniffer._process.returncode == -signal.SIGKILL
