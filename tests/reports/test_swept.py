"""Sweeps of any field in reports: where values stand, what makes one question, how it is drawn and told."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from matplotlib.figure import Figure

from bench.scenario.scenario import Workload
from reports.export.markdown import to_markdown
from reports.figures import pictures
from reports.page.page import render_page
from reports.questions import Question, questions
from reports.summarise import summarise
from reports.summary import Summary
from reports.swept import Axis, label_of, point_words, value_words
from tests.reports.in_memory import made_tables
from tests.reports.synthetic import RATE, TARGETS, scenario, unchanged

SIZES = {"size": {"sweep": ["1KiB", 32, "32KiB"]}}
STORES = {"durable": {"sweep": [False, True]}}
LOOP = {"load": {"kind": "in_flight", "in_flight": [1, 16]}}


def asked(sweep: Mapping[str, Any]) -> tuple[Question, ...]:
    """Return the questions of a scenario whose one workload has these fields."""
    return questions(scenario(sweep=sweep))


def told(sweep: Mapping[str, Any], **other: Any) -> tuple[Summary, dict[str, Figure]]:
    """Return what a report says of a made run, and its figures by kind."""
    data = made_tables(**{"repetitions": 1, "seconds": 1, "mode": "full"} | other, sweep=sweep)
    summary = summarise(data)
    return summary, {one.caption.kind: one.figure for one in pictures(data, summary)}


@pytest.mark.parametrize(
    ("field", "values", "scale", "span"),
    [
        ("size", (32, 1024, 32768), "log", "32 B to 32 KiB"),
        ("prefetch", (1, 10, 20), "linear", "1, 10 and 20"),
        ("prefetch", (1, 10, 21), "log", "1, 10 and 21"),
        ("prefetch", (0, 10, 21), "linear", "0, 10 and 21"),
        ("consumer_rate", (0.5, 2), "linear", "0.5 and 2"),
        ("spin", ("0us", "10us", "1ms"), "linear", "0us, 10us and 1ms"),
        ("durable", (False, True), "none", "false and true"),
        ("received_at", ("read", "kernel"), "none", "read and kernel"),
        ("prefetch", (1, "many"), "none", "1 and many"),
    ],
)
def test_numbers_and_times_have_a_scale_and_the_rest_stands_side_by_side(
    field: str, values: tuple[Any, ...], scale: str, span: str
) -> None:
    """The scale is logarithmic where values span more than a factor of 20, and begin above 0."""
    axis = Axis(field, values)
    assert ("log" if axis.logarithmic else "linear" if axis.numeric else "none", axis.span) == (scale, span)
    assert list(axis.places.values()) == sorted(axis.places.values())


def test_values_are_said_with_their_unit() -> None:
    """Bytes in the largest unit that is exact, the fields of a load without it, a long text cut."""
    at = {"size": 1024, "load.rate": 2000.0, "flows.0.ack_batch": 7, "durable": True}
    assert point_words(at) == "size 1 KiB, rate 2,000, flows 0 ack batch 7, durable true"
    assert label_of("load.in_flight") == "in flight"
    assert value_words("load", "x" * 99).endswith("x…")


def test_a_sweep_is_one_question_in_rising_order() -> None:
    """Of any number of fields; the load comes first on axes, then what has a scale."""
    [question] = asked(STORES | SIZES)
    assert question.name == "swept"
    assert question.swept == ("durable", "size")
    assert [axis.field for axis in question.axes] == ["size", "durable"]
    assert [(one.size, one.durable) for one in question.workloads] == [
        (size, durable) for size in (32, 1024, 32768) for durable in (False, True)
    ]
    assert question.load == f"{RATE:,} msg/s of 32 B to 32 KiB, transient and persistent"
    [loads] = asked(SIZES | LOOP)
    assert [axis.field for axis in loads.axes] == ["load.in_flight", "size"]
    assert loads.load == "1 to 16 messages in flight of 32 B to 32 KiB, transient"


def test_open_and_closed_loops_are_questions_of_their_own() -> None:
    """They are judged by different figures, even where one sweep made both."""
    loads = {"sweep": [{"kind": "rate", "rate": RATE}, {"kind": "in_flight", "in_flight": 4}]}
    found = asked(SIZES | {"load": loads})
    assert [(one.name, one.closed_loop, one.swept) for one in found] == [
        ("swept-open", False, ("size",)), ("swept-closed", True, ("size",)),
    ]  # fmt: skip


def test_points_are_told_apart_by_their_values_alone() -> None:
    """No name is taken apart: points of any name make the same question."""
    given = scenario(sweep=SIZES)
    renamed: list[Workload] = [one.model_copy(update={"name": f"x{n}"}) for n, one in enumerate(given.workloads)]
    [question] = questions(given.model_copy(update={"workloads": tuple(renamed)}))
    assert [question.called(one.name) for one in question.workloads] == ["size 32 B", "size 1 KiB", "size 32 KiB"]


def test_one_field_is_a_curve() -> None:
    """A line a target over the values, which the axis names; best and worst stand above it."""
    summary, drawn = told(SIZES)
    assert list(drawn) == ["decision", "cost"]
    [axes] = drawn["decision"].axes
    assert axes.get_xscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["32 B", "1 KiB", "32 KiB"]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3]  # type: ignore[arg-type]
    assert len(lines) == len(TARGETS)
    [caption] = [one for one in summary.captions if one.kind == "decision"]
    assert caption.title == "swept: p99 response against size"
    _best_and_worst_are_true(summary, caption.sentence)
    [answer] = summary.answers
    assert answer.swept == ("size",)
    assert summary.cells[0].at == {"size": 1024}


def _best_and_worst_are_true(summary: Summary, sentence: str) -> None:
    for target in summary.targets:
        found = re.search(
            rf"{re.escape(target.label)} ([\d.]+) ms at (.*?) to ([\d.]+) ms at (.*?)[;.](?:\s|$)", sentence
        )
        assert found, sentence
        figures = {
            point_words(cell.at): cell.latency_ns["p99"].centre or 0.0
            for cell in summary.cells
            if cell.target == target.name
        }
        low, high = min(figures.values()) / 1e6, max(figures.values()) / 1e6
        assert float(found[1]) == pytest.approx(low, rel=5e-3)
        assert float(found[3]) == pytest.approx(high, rel=5e-3)
        assert figures[found[2]] == min(figures.values())
        assert figures[found[4]] == max(figures.values())


def test_categories_are_no_lines() -> None:
    """True and false have no between: dots stand beside each other, over the words."""
    _, drawn = told(STORES)
    [axes] = drawn["decision"].axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["false", "true"]
    across = [line for line in axes.lines if line.get_xdata()[0] < line.get_xdata()[-1] - 0.5]  # type: ignore[index]
    assert len(across) == len(TARGETS)
    assert {line.get_linestyle() for line in across} == {"None"}


def test_two_fields_are_small_multiples() -> None:
    """A panel a value of the second field, all on one scale, in a closed loop with the latency as well."""
    summary, drawn = told({"size": {"sweep": [32, 1024]}} | LOOP)
    assert list(drawn) == ["decision", "sweep", "cost"]
    for kind, figure in drawn.items():
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["size 32 B", "size 1 KiB"], kind
        assert len({axes.get_ylim() for axes in figure.axes}) == 1
    titles = [one.title.partition(": ")[2] for one in summary.captions]
    assert titles[0] == "achieved rate against messages in flight, for each size"


def test_three_fields_are_a_table_with_the_best_and_the_worst() -> None:
    """Nothing is drawn; the answer says where each target is best and worst, and rows have a column a field."""
    summary, drawn = told({"size": {"sweep": [32, "32KiB"]}, "prefetch": {"sweep": [64, 100]}, **STORES})
    assert not drawn
    [answer] = summary.answers
    rows = [cell for cell in summary.cells if cell.target == TARGETS[0]]
    assert len(rows) == 8
    for extreme in (min, max):
        cell = extreme(rows, key=lambda one: one.latency_ns["p99"].centre or 0.0)
        assert f"ms at {point_words(cell.at)}" in answer.figures
    page = render_page(summary, ())
    for field in ("size", "durable", "prefetch"):
        assert f'<th scope="col" class="num">{field}</th>' in page
    assert '<data value="32768">32 KiB</data>' in page
    assert f"RabbitMQ AMQP 0-9-1, {point_words(rows[0].at)}" in to_markdown(summary)


def test_promises_of_both_kinds_are_told_where_durability_is_swept() -> None:
    """What a confirmed message survives is another thing at either value."""
    summary, _ = told(STORES)
    assert [line.partition(":")[0] for line in summary.promises[:2]] == ["swept, transient", "swept, persistent"]


def test_a_sweep_of_one_target_is_measured_and_not_ranked() -> None:
    """There is nothing to compare, and best and worst are the answer."""
    summary, _ = told(SIZES, change=lambda trial: trial if trial["target"] == TARGETS[0] else None, change_run=_alone)
    [answer] = summary.answers
    assert answer.kind == "measured"
    assert answer.headline.startswith("p99 response from ")


def _alone(run: dict[str, Any]) -> dict[str, Any]:
    run["plan"] = [line for line in run["plan"] if line["target"] == TARGETS[0]]
    return unchanged(run)
