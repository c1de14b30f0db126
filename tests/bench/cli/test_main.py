"""The command as a process: what ends it from outside, and what its machine refuses, is one line and an exit code."""

import errno
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
import typer

from bench.cli.console import LastingConsole

# `bench.cli.main` is the function, too.
command = importlib.import_module("bench.cli.main")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The handlers of the test's own process come back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def ends(monkeypatch: pytest.MonkeyPatch, app: Callable[[], object]) -> int | str | None:
    """Return the exit code of a command that does this."""
    monkeypatch.setattr(command, "app", app)
    with pytest.raises(SystemExit) as left:
        command.main()
    return left.value.code


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory ran out"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "refused: No space left on device (/x/y)"),
        (OSError("Could not load libx.so"), "refused: Could not load libx.so"),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, words: str
) -> None:
    """Exit code 4, no traceback."""

    def app() -> NoReturn:
        raise error

    assert ends(monkeypatch, app) == 4
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert words in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_130_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """Typer turns the interrupt into a silent exit; a second signal does not cut short what cleans up."""
    signal.signal(number, signal.default_int_handler)  # nohup, under which tests may run, ignores one
    cleaned = []

    def verb() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleaned.append(True)

    app = typer.Typer(add_completion=False)
    app.command()(verb)
    monkeypatch.setattr(sys, "argv", ["bench"])
    assert ends(monkeypatch, app) == 130
    assert capsys.readouterr().err.split() == ["interrupted"]
    assert cleaned


def test_nohup_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hang-up that was ignored when we were started stays so."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ends(monkeypatch, lambda: sys.exit(7)) == 7
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


def test_a_terminal_that_is_gone_ends_nothing() -> None:
    """What is printed then goes nowhere, and the work goes on."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        terminal = LastingConsole(file=file)
        terminal.print("once")
        terminal.print("twice")
        assert terminal.quiet
        file.write("and what others write there")
