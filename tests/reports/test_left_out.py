"""Trials that do not count: reasons once, with counts and ranges; what they measured, where there is nothing else."""

from typing import Any

import pytest

from reports.export.markdown import to_markdown
from reports.export.terminal import to_terminal
from reports.format import merged, milliseconds, quantities
from reports.page.page import render_page
from reports.summary import Summary
from tests.reports.in_memory import made_summary


def stolen(trial: dict[str, Any]) -> dict[str, Any]:
    """Make every trial invalid, each by another share."""
    share = 1.2 + trial["index"] % 5
    text = f"The hypervisor took {share:.1f} % of the CPU time: run on a quieter host."
    return trial | {"health": [{"code": "steal", "hard": True, "text": text}]}


@pytest.fixture(scope="module")
def nothing_usable() -> Summary:
    """Return what is said of a run none of whose trials counts."""
    return made_summary(repetitions=2, closed_loop=False, change=stolen)


def test_reasons_stand_once_with_counts_and_range(nothing_usable: Summary) -> None:
    """Not a line a trial: how many trials, and from where to where the figure went."""
    for answer in nothing_usable.answers:
        [line] = [line for line in answer.trust.lines if line.startswith("Left out")]
        assert line == "Left out: the hypervisor took CPU time (steal, 1.2 to 5.2 %) in 8 trials."
        assert not any("no warning" in line for line in answer.trust.lines)


def test_a_run_with_nothing_usable_says_why_and_what_to_do_next(nothing_usable: Summary) -> None:
    """The headline, the reason with its advice, where the figures are, and the next step."""
    for answer in nothing_usable.answers:
        assert (answer.kind, answer.headline) == ("no result", "No result")
        assert answer.effect.startswith("None of 8 finished trials can be used. The hypervisor took 1.2 to 5.2 % of")
        assert "run on a quieter host" in answer.effect
        assert "shown in grey and decides nothing" in answer.effect
        assert "repeat them by bench run --resume FOLDER" in answer.effect
        assert answer.winner is None


def test_what_was_measured_is_shown_and_marked(nothing_usable: Summary) -> None:
    """In every form: the figures of trials that do not count, said to be such."""
    cell = nothing_usable.cells[0]
    assert cell.n == 0
    assert cell.latency_ns["p99"].centre is None
    assert cell.uncounted is not None
    assert cell.uncounted.trials == 2
    p99 = milliseconds(cell.shown.latency_ns["p99"].centre)
    page = render_page(nothing_usable, [])
    assert page.count(' uncounted"') == len(nothing_usable.cells)
    assert p99 in page
    assert "left out" in to_markdown(nothing_usable)
    [first, *_] = to_terminal(nothing_usable)
    assert [row[-1] for row in first.rows[1:]] == ["left out"] * 4
    assert p99 in first.rows[1]


def test_only_the_deciding_figure_is_drawn(nothing_usable: Summary) -> None:
    """Crosses are something to see; lines and bars of nothing are not."""
    assert {caption.kind for caption in nothing_usable.captions} == {"decision"}
    assert nothing_usable.traces == ()
    assert nothing_usable.comparisons == ()


def test_texts_that_differ_in_numbers_become_one() -> None:
    """Numbers of names stay; where words differ, the first is taken."""
    assert merged(["p99 is 1.5 ms of 20 ms.", "p99 is 0.9 ms of 20 ms."]) == "p99 is 0.9 to 1.5 ms of 20 ms."
    assert merged(["took 9,500 msg/s", "took 12,000 msg/s"]) == "took 9,500 to 12,000 msg/s"
    assert merged(["one way", "another way"]) == "one way"
    assert merged(["AMQP 0-9-1 failed"] * 3) == "AMQP 0-9-1 failed"
    assert quantities(["p99 of lateness is 2.4 ms", "p99 of lateness is 1.1 ms"]) == "1.1 to 2.4 ms"
    assert quantities(["took 2.4 ms", "took 5 %"]) == ""
    assert quantities(["it failed"]) == ""


def reasons_of(**changes: Any) -> list[str]:
    """Return what the first answer says of a run all of whose trials are changed so."""
    summary = made_summary(repetitions=2, closed_loop=False, change=lambda trial: trial | changes)
    return [line for line in summary.answers[0].trust.lines if line.startswith("Left out")]


def test_how_a_trial_ended_outweighs_its_host() -> None:
    """A dead broker is told, whatever the hypervisor took; no number of its words is taken for an amount."""
    steal = {"code": "steal", "hard": True, "text": "The hypervisor took 1.5 % of the CPU time: run on a quieter host."}
    ended = {"outcome": "broker-failed", "reason": "it was ended by SIGKILL after 11 s"}
    assert reasons_of(**ended, health=[steal]) == ["Left out: broker-failed in 8 trials."]


def test_the_length_of_a_trial_is_no_amount() -> None:
    """A note whose first number is something else gives no range."""
    text = "The host was away for so long that 6.5 of 20 s can be used: choose a quieter host or hour."
    away = {"code": "host-away", "hard": True, "text": text}
    assert reasons_of(health=[away]) == ["Left out: the host was away for too long (host-away) in 8 trials."]


def test_left_out_rows_of_an_overloaded_broker_say_so() -> None:
    """Not that messages never came: the trial ended before they could."""

    def overloaded(trial: dict[str, Any]) -> dict[str, Any]:
        return stolen(trial) | {"outcome": "overloaded", "reason": "backlog passed 100 messages", "drained": False}

    summary = made_summary(repetitions=1, closed_loop=False, change=overloaded)
    for cell in summary.cells:
        assert cell.uncounted is not None
        assert cell.uncounted.latency_ns["p99"].why.startswith("overloaded")
