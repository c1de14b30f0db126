"""Latency against load: which workloads make a curve, and where it bends."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import reports
from bench.scenario.scenario import InFlightLoad, Workload
from reports.curves import knees
from reports.model import spread
from reports.questions import questions
from tests.reports.synthetic import TARGETS, build, scenario, search_text

RATES = (500.0, 1_000.0, 2_000.0, 4_000.0)


@dataclass
class Point:
    """A cell, as far as a curve needs it."""

    offered_rate: float | None
    p99_ms: float
    overloaded: int = 0
    saturated: bool = False
    latency_ns: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the spread of three like trials."""
        self.latency_ns = {"p99": spread([self.p99_ms * 1e6] * 3)}


def workloads(rates: tuple[float, ...]) -> list[Workload]:
    """Return workloads that differ in their rate alone."""
    plain = scenario().workloads[0]
    return [
        plain.model_copy(
            update={
                "name": f"curve-{rate:.0f}",
                "part_of": "curve",
                "load": plain.load.model_copy(update={"rate": rate}),
            }
        )
        for rate in rates
    ]


def curve(p99: dict[float, float], over: tuple[float, ...] = ()) -> tuple[float | None, float | None, str]:
    """Return rate, next rate and why of a curve with these p99 in ms."""
    asked = scenario().model_copy(update={"workloads": tuple(workloads(RATES))})
    (question,) = questions(asked)
    cells = {("a", f"curve-{rate:.0f}"): Point(rate, p99[rate], rate in over) for rate in RATES}
    (knee,) = knees(question, ["a"], cells)  # type: ignore[arg-type]
    return knee.rate, knee.next_rate, knee.why


def rates_folder(folder: Path) -> Path:
    """Turn the sweep of a synthetic run into a curve: the same trials, due by a schedule."""
    build(folder, repetitions=2, seconds=1)
    run = json.loads((folder / "run.json").read_text())
    for workload in run["scenario"]["workloads"]:
        if workload["load"]["kind"] == "in_flight":
            rate = 100.0 * workload["load"]["in_flight"][0]
            workload |= {"load": {"kind": "rate", "rate": rate}, "size": 200}
    (folder / "run.json").write_text(json.dumps(run))
    for trial in (folder / "trials").glob("*in-flight*"):
        record, log = trial / "trial.json", trial / "latency.hlog"
        record.write_text(record.read_text().replace('"service":', '"response":'))
        log.write_text(log.read_text().replace("Tag=service", "Tag=response"))
    return folder


@pytest.mark.compiled
def test_a_report_draws_curves_and_sustained_rates(tmp_path: Path) -> None:
    """A folder with several rates and a search has a curve with knees, and a card with intervals."""
    folder = rates_folder(tmp_path / "run")
    answers = [{"target": TARGETS[0], "workload": "steady", "low": 9_000.0, "high": 9_450.0, "why": "p99 was 80 ms"}]
    (folder / "search.json").write_text(search_text(*answers))
    summary = reports.render([folder], reports.Outputs(html=tmp_path / "page.html"))
    assert [answer.question for answer in summary.answers] == ["steady", "durable", "in-flight"]
    assert {knee.question for knee in summary.knees} == {"in-flight"}
    assert {caption.kind for caption in summary.captions} >= {"sustained", "decision"}
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Where latency bends as the load rises" in page
    assert "9,000 to 9,450" in page
    assert "p99 was 80 ms" in page


def test_three_rates_make_a_curve_and_two_do_not() -> None:
    """Rates of otherwise like workloads are one question from three on, in rising order, called after their whole."""
    asked = scenario().model_copy(update={"workloads": tuple(reversed(workloads(RATES)))})
    (question,) = questions(asked)
    assert question.name == "curve"
    assert [w.name for w in question.workloads] == ["curve-500", "curve-1000", "curve-2000", "curve-4000"]
    assert question.load == "500 to 4,000 msg/s of 100 B, transient"
    own = tuple(one.model_copy(update={"part_of": ""}) for one in asked.workloads)
    (question,) = questions(asked.model_copy(update={"workloads": own}))
    assert question.name == "curve-500..curve-4000"
    two = scenario().model_copy(update={"workloads": tuple(workloads(RATES[:2]))})
    assert [question.name for question in questions(two)] == ["curve-500", "curve-1000"]


def test_closed_loops_are_one_sweep_only_where_they_were_one_list() -> None:
    """Two that a user named apart are two questions, whatever their bounds."""
    (first, *_) = (one for one in scenario().workloads if isinstance(one.load, InFlightLoad))
    bounds = {"low": 1, "high": 256}
    own = tuple(
        first.model_copy(
            update={"name": name, "part_of": "", "load": first.load.model_copy(update={"in_flight": (bound,)})}
        )
        for name, bound in bounds.items()
    )
    asked = scenario().model_copy(update={"workloads": own})
    assert [question.name for question in questions(asked)] == ["low", "high"]
    parts = tuple(one.model_copy(update={"part_of": "both"}) for one in own)
    assert [question.name for question in questions(asked.model_copy(update={"workloads": parts}))] == ["both"]


@pytest.mark.parametrize(
    ("p99", "over", "expected"),
    [
        ({500: 1, 1000: 1.1, 2000: 1.9, 4000: 9}, (), (2000, 4000, "p99 is over 2 times that at the lowest rate")),
        ({500: 1, 1000: 1.1, 2000: 1.5, 4000: 1.8}, (), (4000, None, "")),
        ({500: 1, 1000: 1.1, 2000: 1.2, 4000: 1.3}, (2000, 4000), (1000, 2000, "overloaded")),
        ({500: 1, 1000: 1, 2000: 1, 4000: 1}, (500, 1000, 2000, 4000), (None, 500, "overloaded")),
    ],
)
def test_the_knee_is_the_last_rate_before_the_bend(
    p99: dict[float, float], over: tuple[float, ...], expected: tuple[float | None, float | None, str]
) -> None:
    """Twice the p99 of the lowest rate, or the first overload, ends the flat part."""
    assert curve(p99, over) == expected
