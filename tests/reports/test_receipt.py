"""When messages count as received: told in the report, and latencies are not compared where it differs."""

from dataclasses import replace
from typing import Any

from bench.results.comparability import receipt
from reports.comparison import by_run, by_target
from reports.dataset import Dataset
from reports.gate.budget import read_budget
from reports.gate.judge import judge_stored
from reports.gate.pairs import Side, check
from reports.history.series import METRICS, load_digest, rows
from reports.summarise import summarise
from tests.reports.in_memory import made_tables


def by_kernel(trial: dict[str, Any]) -> dict[str, Any]:
    """Have a trial's messages received when the kernel had them."""
    return trial | {"latency": trial["latency"] | {"receive_lag": trial["latency"]["service"]}}


def of_rabbitmq(trial: dict[str, Any]) -> dict[str, Any]:
    """Have those of RabbitMQ's targets received so, and the others when read."""
    return by_kernel(trial) if trial["target"].startswith("rabbitmq") else trial


def in_part(trial: dict[str, Any]) -> dict[str, Any]:
    """Have half of them received so."""
    told = by_kernel(trial)
    lag = told["latency"]["receive_lag"]
    return told | {"latency": told["latency"] | {"receive_lag": lag | {"count": lag["count"] // 2}}}


def trials(data: Dataset) -> list[Any]:
    """Return the trials of a run."""
    return list(data.records.values())


def test_a_row_says_when_its_messages_were_received() -> None:
    """By all of its valid trials: all in one way, or in part."""
    kernel, read, both = (made_tables(mode="full", change=change) for change in (by_kernel, dict, in_part))
    assert receipt(trials(kernel)) == "when the kernel had them"
    assert receipt(trials(read)) == "when they were read"
    partly = "in part when the kernel had them, else when they were read"
    assert receipt(trials(both)) == receipt([*trials(kernel), *trials(read)]) == partly
    assert receipt([]) is None


def test_the_report_tells_it_with_our_own_lateness() -> None:
    """A line of trust for each answer."""
    lines = [" ".join(answer.trust.lines) for answer in summarise(made_tables(mode="full", change=by_kernel)).answers]
    assert all(
        "received when the kernel had them; p99 of the time from then to our reading is" in each for each in lines
    )
    lines = [" ".join(answer.trust.lines) for answer in summarise(made_tables(mode="full")).answers]
    assert all("Messages count as received when they were read." in each for each in lines)


def test_latencies_of_unlike_receipt_are_not_compared() -> None:
    """Rows of the two brokers have no verdict on latency; those of one broker, and throughput, are judged as ever."""
    told = "latencies are not compared: messages of one count as received"
    for line in by_target(made_tables(mode="full", repetitions=10, change=of_rabbitmq)).lines:
        unlike = line.first.split("-")[0] != line.second.split("-")[0]
        assert (told in line.why) is (unlike and line.metric == "p99 response")
    assert not any(
        told in line.why for line in by_target(made_tables(mode="full", repetitions=10, change=by_kernel)).lines
    )
    answers = summarise(made_tables(mode="full", repetitions=10, change=of_rabbitmq)).answers
    assert [told in answer.sentence for answer in answers] == [True, True, False]


def test_an_older_run_is_not_compared_in_latency_with_one_that_knows_more() -> None:
    """Of two stored runs, and by a gate."""
    old, new = made_tables(mode="full"), made_tables(mode="full", change=by_kernel)
    latencies = [line for line in by_run(old, new).lines if line.metric == "p99 response"]
    assert latencies
    assert all(line.verdict == "undecided" and "latencies are not compared" in line.why for line in latencies)


def test_a_gate_shows_such_latencies_and_decides_by_the_rest() -> None:
    """One row that knows more now is no reason to judge nothing."""
    old, new = (made_tables(mode="full", repetitions=10, change=change) for change in (dict, of_rabbitmq))
    found = judge_stored(old, new, read_budget(None), None, ("old", "new"))
    why = "messages of the two sides count as received at different instants"
    assert any(why in remark for remark in found.remarks)
    latencies = [line for line in found.lines if line.metric == "p50"]
    assert {line.target.split("-")[0] for line in latencies if line.verdict == "told"} == {"rabbitmq"}
    assert {line.target.split("-")[0] for line in latencies if line.verdict != "told"} == {"broker"}


def test_how_it_was_asked_for_is_no_difference_of_load() -> None:
    """A run by the read is as one by an older version, to a gate, a comparison and a history."""
    by_read = made_tables(mode="full", change=dict)
    workloads = tuple(one.model_copy(update={"received_at": "read"}) for one in by_read.scenario.workloads)
    asked = by_read.scenario.model_copy(update={"workloads": workloads})
    assert [load_digest(one) for one in asked.workloads] == [load_digest(one) for one in by_read.scenario.workloads]
    run = by_read.runs[0].model_copy(update={"scenario": asked})
    later = replace(by_read, runs=(run,), scenario=asked)
    assert check(Side(by_read), Side(later)) == ()
    assert not by_run(by_read, later).refused


def test_a_history_keeps_them_as_series_of_their_own() -> None:
    """A change of the instrument is no change of the broker."""
    kept = set(rows(made_tables(mode="full", change=by_kernel), "c0ffee")["metric"])
    assert "p99 response by the kernel" in kept
    assert "p99 response" not in kept
    assert kept <= METRICS.keys()
