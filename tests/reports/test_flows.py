"""Several flows of a trial in reports: each is a row of its own, background is apart, and no two have one name."""

from typing import Any

import pytest

from bench.scenario.scenario import Scenario
from reports.errors import ReportError
from reports.export.markdown import to_markdown
from reports.gate.pairs import Side
from reports.history.series import rows as history_rows
from reports.questions import questions
from reports.summarise import summarise
from tests.reports.in_memory import made_tables
from tests.reports.synthetic import scenario

_OF_A_FLOW = ("offered", "sent", "received", "achieved_rate", "latency", "ledger", "little", "findings", "counters")


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


def test_flows_of_a_sweep_are_questions_of_their_own() -> None:
    """Each flow has its points; flows that differ in their rates alone are no curve."""

    def asked(made: Scenario) -> dict[str, int]:
        flows = [
            part.model_copy(update={"name": f"{workload.name}-{part.name}"})
            for workload in made.workloads
            for part in workload.parts()
        ]
        found = questions(made.model_copy(update={"workloads": tuple(flows)}))
        return {question.name: len(question.workloads) for question in found}

    three = [{"name": name, "load": {"kind": "rate", "rate": at}} for name, at in (("a", 10), ("b", 20), ("c", 30))]
    swept = scenario(sweep={"size": {"sweep": [100, 1000]}, "flows": three})
    assert asked(swept) == {"swept-a": 2, "swept-b": 2, "swept-c": 2}
    assert asked(scenario(sweep={"flows": three})) == {"swept-a": 1, "swept-b": 1, "swept-c": 1}
