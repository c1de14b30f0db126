"""Estimates without the host's pauses, as reports use them."""

import math

import numpy as np
import pytest

from bench.record.histogram import encode, to_histogram
from bench.results.comparability import estimator
from bench.results.records import PauseRecord, TagRecord, TrialRecord
from bench.units import NS_PER_MS, NS_PER_S
from reports import undisturbed
from reports.dataset import Dataset
from reports.export.terminal import to_terminal
from reports.format import milliseconds
from reports.history.series import METRICS, rows
from reports.summarise import summarise
from tests.reports.in_memory import made_tables
from tests.reports.synthetic import filled

PAUSES = PauseRecord(
    fifo=True, cpus=2, count=10, away_share=0.02, longest_ns=30 * NS_PER_MS, clean_s=4.9, drain=0.1, cpu_share=0.03
)


def tag(all_ms: list[float], events_ms: list[float], censored_ms: list[float]) -> TagRecord:
    """Return a latency: all values, those of events, and how long the censored were watched; in ms."""
    whole, events, censored = (
        encode(filled((np.array(part) * NS_PER_MS).astype(np.int64))) if part else encode(to_histogram(*_NONE))
        for part in (all_ms, events_ms, censored_ms)
    )
    return TagRecord(count=len(all_ms), histogram=whole, negative=0, out_of_range=0, events=events, censored=censored)


_NONE = np.empty((2, 0), np.int64)


def test_an_estimate_leaves_out_what_a_pause_did() -> None:
    """990 messages took 1 ms; 10 were cut off at .5 ms and took 50 ms: the estimate knows nothing of 50 ms."""
    record = tag([1.0] * 990 + [50.0] * 10, [1.0] * 990, [0.5] * 10)
    found = undisturbed.pooled([record], above=0)
    assert found.at(99.9) == pytest.approx(1 * NS_PER_MS, rel=0.001)
    assert undisturbed.of_all(record, above=0).at(99.9) == pytest.approx(50 * NS_PER_MS, rel=0.001)
    assert undisturbed.entered(record) == 1.0


def test_few_at_risk_carry_no_percentile() -> None:
    """Beyond the value that 30 messages reached nothing is printed."""
    record = tag([1.0] * 1000, [1.0] * 900 + [9.0] * 20, [0.5] * 80)
    found = undisturbed.pooled([record], above=0)
    assert found.reliable(90.0) == pytest.approx(1 * NS_PER_MS, rel=0.001)
    assert math.isnan(found.reliable(99.0))


def test_messages_that_never_came_rank_above() -> None:
    """Of 1,100, a hundred never came: p90 is known, p99 has no bound; of none that came no percentile has."""
    record = tag([1.0] * 1000, [1.0] * 1000, [])
    found = undisturbed.pooled([record], above=100)
    assert found.reliable(90.0) == pytest.approx(1 * NS_PER_MS, rel=0.001)
    assert found.reliable(99.0) == math.inf
    nothing = undisturbed.pooled([tag([], [], [])], above=1000)
    assert nothing.reliable(50.0) == nothing.reliable(99.0) == math.inf


def test_of_messages_that_never_came_as_many_enter_as_of_the_others() -> None:
    """Where half of the messages entered, half of the lost ones count."""
    record = tag([1.0] * 1000, [1.0] * 500, [])
    assert undisturbed.entering([record], 100) == 50


def test_episodes_are_stalls_and_not_messages() -> None:
    """Seconds with a longer wait, of which two in a row are one stall where the first reached into the second."""
    longest = {0: 1, 1: 80, 2: 80, 5: 700, 6: 300, 7: 1}
    values = {name: value * NS_PER_MS for name, value in {"p99": 50, "p50": 0.5}.items()}
    found = undisturbed.episodes({second: ms * NS_PER_MS for second, ms in longest.items()}, values)
    assert found == {"p99": 3, "p50": 5}
    row = undisturbed.pooled([tag([1.0] * 4000, [1.0] * 4000, [])], above=0)
    assert undisturbed.too_few("p99", [3, 4], row) == "rests on 7 episodes"
    assert undisturbed.too_few("p99", [1], row) == "rests on 1 episode"
    assert undisturbed.too_few("p99", [5, 5], row) == undisturbed.too_few("p50", [0], row) == ""
    thin = undisturbed.pooled([tag([1.0] * 1000, [1.0] * 900 + [9.0] * 20, [0.5] * 80)], above=0)
    assert undisturbed.too_few("p99", [5, 5], thin) == "too few seen: fewer than 30 messages took that long"


def test_dependence_is_told_from_all_trials_together() -> None:
    """One trial in twenty is off by chance; ten that say the same are not."""
    one = PAUSES.model_copy(update={"crossing": 1.2, "crossing_low": 0.9, "crossing_high": 1.6})
    assert undisturbed.dependence([one]) == ""
    assert "1.20 times as many messages" in undisturbed.dependence([one] * 10)
    assert undisturbed.dependence([PAUSES]) == ""


def metered(trial: dict[str, object]) -> dict[str, object]:
    """Give a synthetic trial a pause meter, and a stall of 900 ms for two in a hundred messages that a pause made."""
    latency = dict(trial["latency"])  # type: ignore[call-overload]
    for name, stored in latency.items():
        latency[name] = stored | {"events": stored["histogram"], "censored": encode(to_histogram(*_NONE))}
    return trial | {"latency": latency, "pauses": PAUSES.model_dump()}


def _data() -> Dataset:
    return made_tables(change=metered)


def test_a_report_of_metered_trials_shows_both() -> None:
    """Each row has its share of messages, and percentiles of all of them beside the estimates."""
    summary = summarise(_data())
    open_loop = [cell for cell in summary.cells if cell.latency_tag == "response"]
    assert open_loop
    for cell in open_loop:
        assert cell.entered == pytest.approx(1.0, abs=0.01)
        assert cell.all_ns["p50"].median == pytest.approx(cell.latency_ns["p50"].median, rel=0.002)


def test_a_closed_loop_that_pauses_cut_up_has_no_latency() -> None:
    """Where a message meets more than a pause in five lives, its latency tells of the host."""
    trial = next(iter(_data().records.values()))
    many = PAUSES.model_copy(update={"drain": None, "count": 500})
    closed = trial.model_copy(update={"pauses": many})
    assert isinstance(closed, TrialRecord)
    name = next(iter(closed.latency))
    assert "times in the life of a message" in undisturbed.doubt(closed, name, 0.01 * NS_PER_S)
    assert undisturbed.doubt(closed, name, 0.0001 * NS_PER_S) == ""
    assert undisturbed.doubt(trial, name, NS_PER_S) == ""


def test_a_history_keeps_both_as_series_of_their_own() -> None:
    """What is of all messages goes on as before; what leaves pauses out is another metric."""
    kept = rows(_data(), "c0ffee")
    assert {"p99 response", "p99 response without pauses"} <= set(kept["metric"])
    assert set(kept["metric"]) <= METRICS.keys()
    plain = rows(made_tables(), "c0ffee")
    assert not any("pauses" in metric for metric in plain["metric"])


def test_rows_by_another_estimator_are_unlike() -> None:
    """A row that leaves pauses out, and one of all messages, differ in what their percentiles are of."""
    with_meter, without = (list(data.records.values()) for data in (_data(), made_tables()))
    assert estimator(with_meter) == "without the host's pauses"
    assert estimator(without) == "of all messages"
    assert estimator([]) is None


def test_a_closed_loop_is_rated_over_the_time_that_the_host_was_there() -> None:
    """With CPUs away for a fifth of the time, what was received counts over the rest; an open loop is as it was."""
    trial = next(iter(_data().records.values()))
    away = PAUSES.model_copy(update={"drain": None, "away_share": 0.2})
    assert undisturbed.rate(trial.model_copy(update={"pauses": away})) == pytest.approx(trial.achieved_rate / 0.8)
    assert undisturbed.rate(trial) == trial.achieved_rate
    lost = away.model_copy(update={"lost": "it fell behind"})
    assert undisturbed.rate(trial.model_copy(update={"pauses": lost})) == trial.achieved_rate


def test_a_trial_that_lost_sight_of_the_meter_has_no_percentile_among_others() -> None:
    """Its row goes on without it: figures of all messages and estimates do not mix."""
    seen: list[str] = []

    def some(trial: dict[str, object]) -> dict[str, object]:
        seen.append(str(trial["target"]))
        lost = PAUSES.model_copy(update={"lost": "it fell behind"}).model_dump()
        return metered(trial) | ({"pauses": lost} if len(seen) == 1 else {})

    data = made_tables(change=some)
    cell = next(one for one in summarise(data).cells if one.target == seen[0] and one.n)
    rows_ = data.latency[(data.latency["target"] == seen[0]) & (data.latency["workload"] == cell.workload)]
    assert rows_["entered"].isna().any()
    assert cell.latency_ns["p50"].n == cell.n - 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": "x"},
        {"censored": "x"},
    ],
)
def test_a_latency_with_half_of_an_estimate_is_refused(wrong: dict[str, str]) -> None:
    """Events and censored stand together."""
    plain = {"count": 0, "histogram": "", "negative": 0, "out_of_range": 0}
    with pytest.raises(ValueError, match="stand together"):
        TagRecord.model_validate(plain | wrong)
    with pytest.raises(ValueError, match="greater than or equal"):
        PauseRecord.model_validate(PAUSES.model_dump() | {"crossing_low": -1.0})


def test_a_row_whose_estimate_is_withheld_shows_all_messages_instead() -> None:
    """On the terminal with a star and what it means; the sentence says why, and the figure of all messages."""
    dependent = PAUSES.model_copy(update={"crossing": 2.8, "crossing_low": 1.9, "crossing_high": 4.0}).model_dump()
    summary = summarise(made_tables(closed_loop=False, change=lambda trial: metered(trial) | {"pauses": dependent}))
    cell = summary.cells[0]
    assert cell.latency_ns["p99"].centre is None
    block = next(to_terminal(summary))
    assert f"{milliseconds(cell.all_ns['p99'].centre)}*" in block.rows[1]
    assert block.sentence.startswith("* of all messages, pauses of the host included")
    answer = summary.answers[0]
    assert (answer.kind, answer.headline) == ("no result", "No p99 without the host's pauses")
    assert "pauses not independent" in answer.effect
    assert f"p99 is RabbitMQ AMQP 0-9-1 {milliseconds(cell.all_ns['p99'].centre)} ms" in answer.effect
