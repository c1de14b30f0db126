"""What brokers wrote reaches the terminal on one line, and moves no cursor: each way to it by itself."""

import io
from collections.abc import Callable

import pytest
import typer
from rich.console import Console

from bench.cli import console, progress
from bench.cli.progress import Progress
from bench.results.records import Note, TrialOutcome, TrialRecord
from tests.brokers.test_plain_text import EVIL, SHOWN
from tests.reports.synthetic import make


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return what was written on standard error, as bytes of a terminal would be."""
    terminal = Console(file=io.StringIO(), width=1_000, force_terminal=True, color_system=None, highlight=False)
    monkeypatch.setattr(console, "err", terminal)
    monkeypatch.setattr(progress, "err", terminal)

    def read() -> str:
        assert isinstance(terminal.file, io.StringIO)
        return terminal.file.getvalue()

    return read


def test_faults_are_one_line_each(said: Callable[[], str]) -> None:
    """Refusals before a run, with the words of a broker."""
    with pytest.raises(typer.Exit):
        console.fail(2, f"brokers.0 (mine): {EVIL}", "another")
    assert said() == f"error: brokers.0 (mine): {SHOWN}\nerror: another\n"


def test_quoted_output_keeps_its_lines(said: Callable[[], str]) -> None:
    """As of a build that failed: each line is shown by itself, set in, so that it looks like no message of ours."""
    console.tell("the build failed. It said:\n  no room\n  \x1b[2Jgone\nerror: not ours")
    assert said() == "error: the build failed. It said:\n  no room\n  \\x1b[2Jgone\\nerror: not ours\n"


def test_words_on_what_is_done_are_one_line(said: Callable[[], str]) -> None:
    """Why a broker did not start, for example."""
    Progress(1).say(EVIL)
    assert said() == f"  {SHOWN}\n"


def test_a_trial_that_ended_is_one_line(said: Callable[[], str]) -> None:
    """With the reason that a broker gave when it closed the channel, and doubts about the measurement."""
    [first, *_] = make(repetitions=1, seconds=1, closed_loop=False).trials
    # As it comes from a trial, before a record is read again.
    spoiled = first.record.model_copy(
        update={
            "outcome": TrialOutcome.DISCONNECTED,
            "reason": EVIL,
            "health": (Note.model_construct(code="x", hard=True, text=EVIL),),
        }
    )
    assert isinstance(spoiled, TrialRecord)
    shown = Progress(1)
    shown.end(spoiled)
    [line] = said().splitlines()
    assert line.count(SHOWN) == 2
    assert "\x1b" not in line
