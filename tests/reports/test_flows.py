"""Flows as workloads of their own: names, what is swept, and one question for each flow of a sweep."""

from bench.scenario.loading import load_text
from reports.flows import flows_of, place, trial_of
from reports.questions import questions
from reports.swept import point_words

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
    { name = "calls", pattern = "rpc", background = true },
    { name = "orders", size = { sweep = [100, "1KiB"] } },
]
"""


def test_a_sweep_of_flows_is_a_question_for_each_flow() -> None:
    """What is swept is called as the flow has it; of another flow, by its name. Limits know what the scenario has."""
    scenario = load_text(SCENARIO, "s").scenario
    flows = tuple(flow for workload in scenario.workloads for flow in flows_of(workload))
    asked = questions(scenario.model_copy(update={"workloads": flows}))
    assert [(one.name, [point_words(each.at) for each in one.workloads]) for one in asked] == [
        ("w-orders", ["size 100 B", "size 1 KiB"]),
        ("w-calls", ["orders size 100 B", "orders size 1 KiB"]),
    ]
    assert {flow.given_name for flow in flows} == {"w"}


def test_the_rows_of_a_trial_are_one_trial() -> None:
    """Whatever flow a row is about."""
    assert {trial_of(place(7, flow)) for flow in range(3)} == {7}
    assert trial_of(8) == 8
