"""A run by count as rows of phases: what is filled and drained is two questions, what is not stays as it is."""

from pathlib import Path

from bench.results.archive import Run
from bench.scenario.loading import load_text
from reports.by_phase import by_phase
from reports.questions import questions
from tests.reports.synthetic import make

SCENARIO = """
name = "s"
title = "s"
question = "s"
brokers = [{ name = "m", kind = "memory" }]
targets = [{ name = "m", broker = "m", protocol = "memory", driver = "memory" }]

[[workloads]]
name = "w"
messages = 100
phases = "enqueue-dequeue"
size = { sweep = [100, 200] }
load = { kind = "in_flight", in_flight = 8 }

[[workloads]]
name = "plain"
load = { kind = "rate", rate = 10 }
"""


def run_of(text: str) -> Run:
    """Return a run of a scenario without a trial."""
    made = make(repetitions=1, seconds=1)
    changed = {"scenario": load_text(text, "s").scenario, "plan": ()}
    return Run(Path(), made.record.model_copy(update=changed), ())


def test_the_points_of_a_sweep_are_one_question_in_each_phase() -> None:
    """And none of both phases together."""
    found = questions(by_phase(run_of(SCENARIO)).record.scenario)
    assert [one.name for one in found] == ["w-enqueue", "w-dequeue", "plain"]
    assert [len(one.workloads) for one in found] == [2, 2, 1]
    assert found[0].load == "100 messages of 100 B to 200 B put in, 8 unconfirmed at a time, transient"


def test_a_run_without_a_count_is_as_it_was() -> None:
    """Not even copied."""
    run = run_of(SCENARIO.replace("messages = 100", "").replace('phases = "enqueue-dequeue"', ""))
    assert by_phase(run) is run
