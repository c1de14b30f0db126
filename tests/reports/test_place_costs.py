"""What each place costs: whom it is compared with, in what, and what is said."""

from typing import Any

import pytest

from bench.results.bare_path import BarePath
from reports.dataset import Dataset, load
from reports.export.markdown import to_markdown
from reports.naming import names
from reports.page.page import render_page
from reports.place_costs import place_costs
from reports.place_rows import CPU, P50, P99, PlaceCosts
from reports.summarise import summarise
from tests.reports.in_memory import served
from tests.reports.synthetic import Made, make

TWICE = 2.0


def _started(trial: dict[str, Any], *, emulated: bool = False) -> dict[str, Any]:
    """Let a trial's broker tell of its start; that of Broker-J stands for the same one in another place."""
    other = trial["broker"]["name"] == "broker-j"
    trial["broker"] |= {"ready_s": 5.0 + other, "first_confirm_s": 5.5 + other}
    trial["broker"]["labels"] = ["emulated"] if other and emulated else []
    return trial


def _made(*, emulated: bool = False, repetitions: int = 5, place: str = "container") -> Made:
    """Return a run in which one broker was in two places."""
    made = make(change=lambda trial: _started(trial, emulated=emulated), repetitions=repetitions)
    first, second = made.record.products["rabbitmq"], made.record.products["broker-j"]
    options = {} if place == "sandbox" else {"network": "own"}
    moved = second.place.model_copy(update={"name": place, "options": options, "caps": first.place.caps})
    alike = first.model_copy(update={"place": moved})
    paths = (
        BarePath(place="sandbox", brokers=("rabbitmq",), p50_ns=(30e3,) * 5, p99_ns=(90e3,) * 5, cpu_us=(9.0,) * 5),
        BarePath(place=place, brokers=("broker-j",), p50_ns=(45e3,) * 5, p99_ns=(99e3,) * 5),
    )
    update = {"products": made.record.products | {"broker-j": alike}, "bare_paths": paths}
    object.__setattr__(made, "record", made.record.model_copy(update=update))
    return made


def _data(made: Made) -> Dataset:
    with served(made) as folders:
        return load(*folders)


def _found(made: Made) -> list[PlaceCosts]:
    data = _data(made)
    return list(place_costs(data, names(data)))


def test_a_place_is_compared_with_the_sandbox_repetition_by_repetition() -> None:
    """Each protocol for itself; the ratios are those of the trials' own figures."""
    over_091, over_10 = _found(_made())
    assert over_091.reference == over_10.reference == "sandbox"
    rows = {(row.target, row.workload): row for row in over_091.rows}
    reference, other = rows["rabbitmq-091", "steady"], rows["broker-j-091", "steady"]
    assert (reference.reference, reference.ratios) == (True, {})
    assert other.place == "container, network own"
    assert set(other.ratios) == {P50, P99, CPU}
    assert other.ratios[P50].n == 5
    assert other.ratios[P50].ratio == pytest.approx(0.42 / 0.31, rel=0.1)
    assert other.ratios[P99].low is not None
    assert other.ratios[P99].low <= (other.ratios[P99].ratio or 0.0)
    assert (reference.path_us.centre, other.path_us.centre) == (pytest.approx(30), pytest.approx(45))
    assert (reference.path_cpu_us.centre, other.path_cpu_us.why) == (pytest.approx(9), "not measured")
    assert reference.first_confirm_s.centre == pytest.approx(5.5)
    assert other.first_confirm_s.centre == pytest.approx(6.5)


def test_the_sentence_has_ratios_path_and_start() -> None:
    """Of the first workload, with what the bare path grew by."""
    said = _found(_made())[0].sentence
    assert " under steady, over sandbox: container, network own p50 ×1." in said
    assert "its bare path 45.0 µs against 30.0 µs" in said
    assert "first confirm after 6.50 s against 5.50 s" in said
    assert "mulated" not in said


def test_what_is_emulated_is_named_apart() -> None:
    """It tells nothing of virtualisation."""
    found = _found(_made(emulated=True))[0]
    assert [row.emulated for row in found.rows if not row.reference] == [True] * (len(found.rows) // 2)
    assert "over sandbox: no other place on real hardware. Emulated, so that it tells nothing" in found.sentence


def test_few_trials_have_no_interval() -> None:
    """Below four."""
    ratio = next(row.ratios[P50] for row in _found(_made(repetitions=3))[0].rows if not row.reference)
    assert (ratio.n, ratio.low, ratio.high) == (3, None, None)
    assert "(" not in ratio.words


def test_brokers_in_one_place_are_not_compared_by_place(quick: Dataset) -> None:
    """Nor are two products, wherever they are."""
    assert list(place_costs(quick, names(quick))) == []
    assert _found(_made(place="sandbox")) == []


def test_the_first_screen_and_the_exports_have_it() -> None:
    """Before everything else but the answers' own section."""
    data = _data(_made())
    summary = summarise(data)
    page = render_page(summary, [])
    assert page.index('id="place-costs"') < page.index('id="answers"')
    assert "container, network own" in page
    assert "its bare path 45.0 µs" in to_markdown(summary)
    started = {row.broker: row.first_confirm_s.centre for row in summary.starts}
    assert started == {"rabbitmq": pytest.approx(5.5), "broker-j": pytest.approx(6.5)}
