"""Several flows of a trial in reports: each is a row of its own, background is apart, and no two have one name."""

from typing import Any

import pytest

from bench.scenario.loading import load_text
from reports.errors import ReportError
from reports.export.markdown import to_markdown
from reports.flows import flows_of, place, trial_of
from reports.gate.pairs import Side
from reports.history.series import rows as history_rows
from reports.questions import questions
from reports.summarise import summarise
from reports.swept import point_words
from tests.reports.in_memory import made_tables

_OF_A_FLOW = ("offered", "sent", "received", "achieved_rate", "latency", "ledger", "little", "findings", "counters")

SCENARIO = """
name = "s"
title = "S"
question = "?"
plan.restart = "run"
brokers = [{ name = "r", kind = "rabbitmq" }]
targets = [{ name = "r", broker = "r", protocol = "amqp091", driver = "wire091" }]

[[workloads]]
name = "w"
load = { kind = "rate", rate = 100 }
flows = [
    { name = "calls", pattern = "rpc" },
    { name = "orders", size = { sweep = [100, "1KiB"] } },
]
"""


def _with_flows(*names: str) -> Any:
    def change_run(run: dict[str, Any]) -> dict[str, Any]:
        run["scenario"]["workloads"][0]["flows"] = [
            {"name": name} | ({"background": True} if name == "noise" else {}) for name in names
        ]
        return run

    return change_run


def _both(trial: dict[str, Any]) -> dict[str, Any]:
    if trial["workload"] == "steady":
        own = {name: trial[name] for name in _OF_A_FLOW} | {"name": "noise", "background": True}
        own["ledger"] = own["ledger"] | {"late": 3}
        trial |= {"flow": "work", "flows": [own]}
    return trial


def test_background_is_apart() -> None:
    """It has a row and a table of its own, and no answer, gate or history; a trial of two flows counts once."""
    data = made_tables(
        repetitions=2, seconds=2, closed_loop=False, change_run=_with_flows("work", "noise"), change=_both
    )
    summary = summarise(data)
    assert [answer.question for answer in summary.answers] == ["steady-work", "durable"]
    assert summary.cell("rabbitmq-091", "steady-noise").background
    assert not summary.cell("rabbitmq-091", "steady-work").background
    assert (summary.trials_finished, summary.trials_usable, summary.trials_planned) == (16, 16, 16)
    assert not any(caption.question == "steady-noise" for caption in summary.captions)
    text = to_markdown(summary)
    assert "Background traffic" in text
    assert "6 calls timed out" in text
    assert "steady-noise" not in {workload for _, workload in Side(data).rows()}
    assert "steady-noise" not in set(history_rows(data, "one")["workload"])
    assert {row.workload for row in summary.costs} == {"steady", "durable"}


def test_two_flows_of_one_name_are_refused() -> None:
    """A flow that reports would call as another workload is called is a fault, not a mixture."""

    def change_run(run: dict[str, Any]) -> dict[str, Any]:
        run["scenario"]["workloads"][1]["name"] = "steady-work"
        for line in run["plan"]:
            line["workload"] = line["workload"].replace("durable", "steady-work")
        return _with_flows("work", "noise")(run)  # type: ignore[no-any-return]

    with pytest.raises(ReportError, match="steady-work is the name of two"):
        made_tables(repetitions=1, seconds=2, closed_loop=False, change_run=change_run, change=_both)


def test_a_sweep_of_flows_is_a_question_for_each_flow() -> None:
    """What is swept is called as the flow has it; of another flow, by its name. Limits know what the scenario has."""
    scenario = load_text(SCENARIO, "s").scenario
    flows = tuple(flow for workload in scenario.workloads for flow in flows_of(workload))
    asked = questions(scenario.model_copy(update={"workloads": flows}))
    assert [(one.name, [point_words(each.at) for each in one.workloads]) for one in asked] == [
        ("w-calls", ["orders size 100 B", "orders size 1 KiB"]),
        ("w-orders", ["size 100 B", "size 1 KiB"]),
    ]
    assert {flow.given_name for flow in flows} == {"w"}


def test_the_rows_of_a_trial_are_one_trial() -> None:
    """Whatever flow a row is about."""
    assert {trial_of(place(7, flow)) for flow in range(3)} == {7}
    assert trial_of(8) == 8
