"""The view of --watch as text: at any width it holds its numbers, stays within it, and needs no colour."""

import io
import math
from dataclasses import replace
from typing import Literal

import pytest
from rich.cells import cell_len
from rich.console import Console

from bench.cli.live_view import LEVELS, LiveView, Moment, line, sparkline
from bench.cli.recent import Recent, Second
from bench.run.phases import Phase
from bench.units import NS_PER_MS
from tests.bench.cli.watched import live, remembered, trial

HEAD = "trial 3 of 24  rabbitmq-amqp091 · steady-1k"
ROWS = ("offered", "received", "p50", "p99", "backlog", "broker CPU", "client CPU", "host away")


def moment(found: Recent, **changes: object) -> Moment:
    """Return a moment of a trial."""
    return replace(Moment(HEAD, "12 min 05 s", live(5), found.seconds, found.taken), **changes)  # type: ignore[arg-type]


def drawn(what: Moment, width: int, height: int = 30, *, colour: bool = False) -> list[str]:
    """Return the lines of a view on a terminal of that size."""
    system: Literal["truecolor"] | None = "truecolor" if colour else None
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=colour, color_system=system, highlight=False
    )
    console.print(LiveView(what))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def row(lines: list[str], label: str) -> str:
    """Return the row of a label."""
    [found] = [one for one in lines if one.startswith(f"{label} ") and " in the last " not in one]
    return found


def bars(text: str) -> str:
    """Return the sparkline of a row."""
    return "".join(one for one in text if one in f"{LEVELS}·")


def spiked(values: dict[int, Second], count: int) -> Recent:
    """Return so many seconds of a steady trial, some of which are others."""
    found = remembered(trial(count))
    found.seconds = tuple(values.get(number, second) for number, second in enumerate(found.seconds))
    return found


@pytest.mark.parametrize(("width", "columns"), [(80, 30), (120, 60), (200, 60)])
def test_a_minute_at_every_width(width: int, columns: int) -> None:
    """All rows with their numbers, a minute in columns of equal length, nothing cut and nothing too wide."""
    lines = drawn(moment(remembered(trial(70))), width)
    assert max(map(cell_len, lines)) <= width
    assert lines[0].startswith(HEAD)
    assert lines[0].rstrip().endswith("about 12 min 05 s left")
    assert lines[1] == "warm-up > [measure] > drain   18 s left of this phase"
    assert ("2 s a column" in lines[2]) == (columns == 30)
    found = {label: row(lines, label) for label in ROWS}
    assert {label: len(bars(text)) for label, text in found.items()} == dict.fromkeys(ROWS, columns)
    assert found["received"].split()[1:3] == ["1,000", "msg/s"]
    assert found["p50"].split()[1:3] == ["0.40", "ms"]
    assert found["p99"].split()[1:3] == ["2.00", "ms"]
    assert found["backlog"].split()[1:3] == ["3", "msg"]
    assert found["broker CPU"].split()[2:4] == ["0.50", "cores"]
    assert lines[-1] == "host away in the last 10 s: 0.00 % of CPU time"
    assert not any("…" in one for one in lines)


@pytest.mark.parametrize("width", [80, 120])
def test_the_worst_second_is_never_hidden(width: int) -> None:
    """A dip of the rate and a peak of p99 are seen where a column is two seconds, and the range names them."""
    found = remembered(trial(60))
    bad = replace(found.seconds[30], received=400.0, p99_ns=50 * NS_PER_MS)
    lines = drawn(moment(spiked({30: bad}, 60)), width)
    assert bars(row(lines, "received")).count(LEVELS[0]) == 1
    assert row(lines, "received").endswith("400 – 1,000")
    assert bars(row(lines, "p99")).count(LEVELS[-1]) == 1
    assert row(lines, "p99").endswith("2.00 – 50.0")
    assert bars(row(lines, "p99")).index(LEVELS[-1]) == bars(row(lines, "received")).index(LEVELS[0])


def test_a_column_keeps_its_seconds() -> None:
    """As time goes on columns move to the left, and do not change."""
    found = remembered(trial(60))
    lengths = [replace(second, p99_ns=(number % 7 + 1) * NS_PER_MS) for number, second in enumerate(found.seconds)]
    shapes = []
    for count in (41, 42, 43):
        what = Moment(HEAD, "", live(5), tuple(lengths[:count]), count)
        shapes.append(bars(row(drawn(what, 80), "p99")))
    assert shapes[0][:-1] == shapes[1][:-1] == shapes[2][:-2]


def test_a_trial_that_is_prepared_or_has_just_begun() -> None:
    """Nothing is known, and nothing is made up."""
    assert drawn(Moment(HEAD, "12 s"), 80)[1:] == ["preparing"]
    lines = drawn(Moment(HEAD, "12 s", live(0, phase=Phase.WARM_UP)), 80)
    assert lines[1] == "[warm-up] > measure > drain   at most 18 s left of this phase"
    assert row(lines, "p99").split() == ["p99", "–", "ms"]
    one = drawn(moment(remembered(trial(1))), 80)
    assert len(bars(row(one, "p99"))) == 1


def test_what_cannot_be_known_is_said() -> None:
    """CPU time of a broker elsewhere, pauses without a meter, a phase without an end."""
    found = remembered(trial(20))
    blind = {
        number: replace(second, broker_cores=math.nan, away=math.nan) for number, second in enumerate(found.seconds)
    }
    what = moment(spiked(blind, 20), live=live(5, phase=Phase.DRAIN, left_ns=None, metered_cpus=0))
    lines = drawn(what, 80)
    assert lines[1] == "warm-up > measure > [drain]"
    assert row(lines, "broker CPU").endswith("not known")
    assert lines[-1] == "host away: not known, as no pause meter runs"


def test_no_colour_is_set() -> None:
    """Bold alone: it reads alike on light and dark ground."""
    text = "\n".join(drawn(moment(remembered(trial(20))), 80, colour=True))
    codes = {part.partition("m")[0] for part in text.split("\x1b[")[1:]}
    assert codes <= {"0", "1"}


def test_small_terminals_get_less() -> None:
    """One that is low gets the one line; one that is narrow no sparklines, and a long name is cut."""
    found = moment(remembered(trial(20)))
    assert " ".join(drawn(found, 100, height=11)).split() == str(line(found)).split()
    lines = drawn(found, 50)
    assert max(map(cell_len, lines)) <= 50
    assert bars(row(lines, "received")) == ""
    assert "…" in lines[0]
    assert lines[0].endswith("left")


def test_the_one_line() -> None:
    """As it is without --watch: phase, rate, p99, time left; unknown where nothing came yet."""
    assert (
        str(line(moment(remembered(trial(20))))) == f"{HEAD}  measure  1,000 msg/s  p99 2.00 ms  about 12 min 05 s left"
    )
    assert str(line(Moment(HEAD, "9 s", live(0)))) == f"{HEAD}  measure  … msg/s  p99 …  about 9 s left"
    assert str(line(Moment(HEAD, "9 s"))) == f"{HEAD}  preparing"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([5.0], "▄"),
        ([0.0, 0.0], "▄▄"),
        ([1000.0, 1009.0, 1001.0], "▄▄▄"),
        ([0.0, 1.0], "▁▇"),
        ([math.nan, math.nan], "··"),
        ([1.0, math.nan, 7.0], "▁·▇"),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇"),
    ],
)
def test_sparklines(values: list[float], shown: str) -> None:
    """From the lowest to the highest; what hardly differs is flat; what is unknown is a dot."""
    assert sparkline(values, [value for value in values if not math.isnan(value)]) == shown
