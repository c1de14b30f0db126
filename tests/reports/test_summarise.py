"""From tables to what a report says: words gathered, differences marked, circumstances told."""

from typing import Any

import pytest

from reports.export.markdown import to_markdown
from reports.format import milliseconds, number
from reports.model import not_enough, spread
from reports.summarise import summarise
from reports.summary import Summary
from tests.reports.in_memory import made_summary, made_tables

SHARED = {"code": "shared-cores", "hard": False, "text": "Broker and clients share CPUs."}


def test_options_of_a_driver_are_told() -> None:
    """A row that was made with options of its driver says so; the others have nothing to say."""

    def reattached(run: dict[str, Any]) -> dict[str, Any]:
        run["scenario"]["targets"][3] |= {"driver": "wire10", "options": {"reattach": "15000"}}
        return run

    summary = made_summary(repetitions=1, closed_loop=False, change_run=reattached)
    assert "driver wire10 with reattach = 15000" in summary.cell("broker-j-10", "steady").remarks
    assert not any("driver" in remark for remark in summary.cell("rabbitmq-10", "steady").remarks)


def test_a_spread_is_the_median_and_range_of_trials() -> None:
    """Percentiles are never averaged: the middle trial stands, unknown ones are left out."""
    found = spread([3.0, None, 1.0, 10.0, float("nan")])
    assert (found.median, found.low, found.high, found.n) == (3.0, 1.0, 10.0, 3)
    assert found.estimate == pytest.approx(30 ** (1 / 3))


def test_a_spread_without_bound_says_so() -> None:
    """One of three without bound keeps the median; two of three lose it, with the reason."""
    assert spread([1.0, 2.0, float("inf")]).median == 2.0
    assert spread([1.0, 2.0, float("inf")]).high is None
    lost = spread([1.0, float("inf"), float("inf")])
    assert lost.median is None
    assert lost.why == "never came in 2 of 3 trials"


def test_a_row_of_overloaded_trials_has_words_in_place_of_latencies() -> None:
    """In its cells, its sentence and its remarks; the achieved rate is shown, and other rows are as ever."""

    def overload(trial: dict[str, Any]) -> dict[str, Any]:
        if trial["target"] != "broker-j-10":
            return trial
        return trial | {"outcome": "overloaded", "reason": "the backlog grew by 590 msg/s", "backlog_growth": 590.0}

    summary = made_summary(repetitions=3, closed_loop=False, change=overload)
    words = "overloaded: backlog grew by 590 msg/s"
    cell = summary.cell("broker-j-10", "steady")
    assert {spread.why for spread in cell.latency_ns.values()} == {words}
    assert all(spread.median is None for spread in cell.latency_ns.values())
    assert cell.achieved_rate.median is not None
    assert f"{words} in 3 of 3 trials" in cell.remarks
    assert f"without bound ({words})" in summary.answers[0].sentence
    assert words in to_markdown(summary)
    assert summary.cell("broker-j-091", "steady").latency_ns["p50"].median is not None


def test_invalid_trials_are_the_first_caveat(quick_summary: Summary) -> None:
    """Before anything else; the reason stands with the answer, once, and the row says how far off the trial was."""
    assert quick_summary.caveats[0] == "Left out: 1 of 59 finished trials; the reasons stand with each answer."
    [answer] = [one for one in quick_summary.answers if any("Left out" in line for line in one.trust.lines)]
    [line] = [line for line in answer.trust.lines if "Left out" in line]
    assert line == "Left out: our client was late (send-lag, 2.4 ms) in 1 trial."
    [cell] = [cell for cell in quick_summary.cells if cell.left_out_over_used is not None]
    assert any(f"is {number(cell.left_out_over_used)} times that of those used" in remark for remark in cell.remarks)


def test_quantiles_beyond_what_was_dropped_print_as_lower_bounds() -> None:
    """2 % dropped: p90 is a figure, p99 is at least the maximum, which takes no part in a verdict."""

    def drop(trial: dict[str, Any]) -> dict[str, Any]:
        lost = trial["offered"] // 49
        return trial | {"offered": trial["offered"] + lost, "dropped": lost}

    data = made_tables(repetitions=1, closed_loop=False, change=drop)
    summary = summarise(data)
    for cell in summary.cells:
        highest = cell.latency_ns["max"].centre
        assert cell.latency_ns["p90"].centre is not None
        assert cell.latency_ns["p99"].centre is None
        assert cell.latency_ns["p99"].why == f"≥ {milliseconds(highest)} ms: messages of that rank were dropped"
        assert any("dropped, as there was no room" in remark for remark in cell.remarks)
    assert (data.latency.loc[data.latency["tag"] == "response", "never"] == 0).all()
    markdown = to_markdown(summary)
    assert "| ≥ " in markdown
    assert "≥" not in to_markdown(made_summary(repetitions=1, closed_loop=False))


def test_a_missing_percentile_says_how_much_longer_it_takes() -> None:
    """5,000 messages in 5 s: p99.9 needs 10,000, which is 5 s more."""
    assert "10,000 messages a trial needed, 5 s more" in not_enough("p99.9", 5_000, 5)


def test_the_same_word_of_many_rows_stands_once() -> None:
    """A remark that every trial shares makes one line, not one a row."""

    def share(trial: dict[str, Any]) -> dict[str, Any]:
        return trial | {"health": [SHARED]}

    summary = made_summary(repetitions=1, cpus=2, closed_loop=False, change=share)
    assert len(summary.notes) == 1
    assert (summary.notes[0].target, len(summary.notes[0].trials)) == (None, 8)
    assert any("This host has 2 CPUs" in caveat for caveat in summary.caveats)


def test_settings_that_differ_are_marked(quick_summary: Summary) -> None:
    """Asked 2 and reported 4 is marked, and so is a setting in which brokers differ; equal ones are not."""
    rows = {row.key: row for row in quick_summary.settings}
    assert rows["cpus"].unlike
    assert [value.differs for value in rows["cpus"].values] == [False, True]
    assert not rows["memory cap"].unlike


def test_settings_in_which_rows_differ_say_whether_they_are_meant(quick_summary: Summary) -> None:
    """Protocols are what targets are for; CPUs of two products are not, and come first; what is equal is in no row."""
    rows = {row.key: row for row in quick_summary.differing}
    assert rows["protocol"].intended
    assert rows["protocol"].workloads[:2] == ("steady", "durable")
    assert rows["protocol"].values["broker-j-10"] == "amqp10"
    assert [row.intended for row in rows.values()] == sorted(row.intended for row in rows.values())
    assert "size" not in rows


def test_rows_keep_the_order_of_the_scenario(quick_summary: Summary) -> None:
    """Tables do not rank: targets stand as the scenario lists them, whatever the run's order was."""
    order = [target.name for target in quick_summary.targets]
    assert [cell.target for cell in quick_summary.cells][:4] == order
    assert [row.target for row in quick_summary.ledger][:4] == order


def test_unknown_cpu_is_left_out_of_the_median(quick_summary: Summary) -> None:
    """One of three trials without CPU: the row has two, and no zero."""
    found = quick_summary.cell("broker-j-091", "steady").broker_cpu_us
    assert found.n == 2
    assert found.low is not None
    assert found.low > 100


def test_a_protocol_with_a_client_of_its_own_is_said_not_to_be_judged_alone(quick_summary: Summary) -> None:
    """Both drivers are named; where one driver serves every target there is nothing to say."""
    said = [line for line in quick_summary.not_shown if line.startswith("Protocol or client")]
    assert len(said) == 1
    assert "(AMQP 0-9-1 by pika-codec and AMQP 1.0 by proton-engine)" in said[0]


def test_crosses_are_explained_where_there_are_any(quick_summary: Summary) -> None:
    """Only the deciding figure of a question that left a trial out has the key."""
    titles = {each.question: each.title for each in quick_summary.captions if each.kind == "decision"}
    left_out = {row.workload for row in quick_summary.left_out}
    assert left_out
    assert {name for name, title in titles.items() if title.endswith("× = left out")} == left_out


def test_the_number_of_comparisons_stands_beside_their_intervals(full_summary: Summary, quick_summary: Summary) -> None:
    """A quick run compares nothing and says nothing of it."""
    words = f"Over all {len(full_summary.comparisons)} comparisons"
    assert any(caveat.startswith(words) for caveat in full_summary.caveats)
    assert not any("comparisons" in caveat for caveat in quick_summary.caveats)
