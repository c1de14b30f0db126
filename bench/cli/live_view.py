"""The view of `--watch`: what a running trial does now and did over the last minute, as text for a terminal. Pure.

No colour carries a meaning, and none is set: it reads alike on light and dark ground. A second never
stands alone for several: where a column is more than one, it shows the worst of them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from bench.cli.recent import AWAY_S, KEPT, Second, away
from bench.run.phases import Phase
from bench.run.trial import Live
from bench.units import NS_PER_MS, NS_PER_S

LEVELS = "▁▂▃▄▅▆▇"
"""Without the full block, which would grow into the line above."""
_FLAT = LEVELS[3]
_NOTHING = "·"
_UNKNOWN = "–"
_STEADY = 0.01
"""Values that differ by no more than this share are one level: a steady rate shall not look like a mountain range."""
_LABEL, _NUMBER, _UNIT, _RANGE = 11, 9, 5, 19
_GAP = 2
_FEWEST_COLUMNS = 10
_PHASES = (Phase.WARM_UP, Phase.MEASURE, Phase.DRAIN)
_COUNTED = (Phase.ENQUEUE, Phase.DEQUEUE, Phase.DRAIN)
_HEAD_LINES = 2


@dataclass(frozen=True)
class Moment:
    """What there is to show.

    Attributes:
        head: which trial of how many, its target and workload.
        left: how long the run still takes, in words.
        live: how the trial goes; None while it is being prepared.
        seconds: its last ones, see `bench.cli.recent.Recent`.
        taken: as there.
    """

    head: str
    left: str
    live: Live | None = None
    seconds: tuple[Second, ...] = ()
    taken: int = 0


@dataclass(frozen=True)
class _Row:
    label: str
    unit: str
    value: Callable[[Second], float]
    worst: Literal["low", "high"] = "high"
    whole: bool = False
    """Whether it counts something."""


_ROWS = (
    _Row("offered", "msg/s", lambda second: second.offered, "low"),
    _Row("received", "msg/s", lambda second: second.received, "low"),
    _Row("p50", "ms", lambda second: second.p50_ns / NS_PER_MS),
    _Row("p99", "ms", lambda second: second.p99_ns / NS_PER_MS),
    _Row("backlog", "msg", lambda second: second.backlog, whole=True),
    _Row("broker CPU", "cores", lambda second: second.broker_cores),
    _Row("client CPU", "cores", lambda second: second.client_cores),
    _Row("host away", "%", lambda second: 100 * second.away),
)


def line(moment: Moment) -> RenderableType:
    """Return a moment as one line."""
    if moment.live is None:
        return Text(f"{moment.head}  preparing")
    last = moment.seconds[-1] if moment.seconds else None
    rate = f"{last.received:,.0f} msg/s" if last else "… msg/s"
    p99 = f"p99 {last.p99_ns / NS_PER_MS:.2f} ms" if last and not math.isnan(last.p99_ns) else "p99 …"
    return Text(f"{moment.head}  {moment.live.phase.value}  {rate}  {p99}  about {moment.left} left")


@dataclass(frozen=True)
class LiveView:
    """A moment as a dozen lines, or as one where the terminal is too low for them."""

    moment: Moment

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in the width and height there are."""
        if options.size.height <= _HEAD_LINES + 1 + len(_ROWS) + 1:
            yield line(self.moment)
            return
        for text in _lines(self.moment, options.max_width):
            text.no_wrap, text.overflow = True, "ellipsis"
            yield text


def _lines(moment: Moment, width: int) -> list[Text]:
    room = width - _LABEL - _NUMBER - 1 - _UNIT - _GAP - _GAP - _RANGE
    # Every column is as many seconds as the next, so that time goes evenly.
    each_s = math.ceil(KEPT / min(KEPT, room)) if room >= _FEWEST_COLUMNS else 0
    columns = math.ceil(KEPT / each_s) if each_s else 0
    used = width - room + columns if columns else width
    left = f"about {moment.left} left"
    title = Text(moment.head, style="bold")
    title.truncate(max(0, used - len(left) - _GAP), overflow="ellipsis", pad=True)
    title.append(" " * (used - len(title) - len(left)))
    title.append(left, style="not bold")
    if moment.live is None:
        return [title, Text("preparing")]
    return [
        title,
        _phases(moment.live),
        _columns(columns, each_s),
        *(_row(row, moment, columns, each_s) for row in _ROWS),
        _footer(moment),
    ]


def _phases(live: Live) -> Text:
    """Return the phases in their order; the one under way stands in brackets."""
    shown = _PHASES if live.phase in _PHASES else _COUNTED
    names = " > ".join(f"[{phase.value}]" if phase is live.phase else phase.value for phase in shown)
    if live.left_ns is None:
        return Text(names)
    most = "at most " if live.phase is Phase.WARM_UP else ""
    return Text(f"{names}   {most}{math.ceil(live.left_ns / NS_PER_S)} s left of this phase")


def _columns(columns: int, each_s: int) -> Text:
    """Return the headings of the columns."""
    head = "now".rjust(_LABEL + _NUMBER) + " " * (1 + _UNIT)
    if columns:
        what = "the last minute" + (f", {each_s} s a column" if each_s > 1 else "")
        head += " " * _GAP + what[:columns].ljust(columns)
    return Text(f"{head}{' ' * _GAP}lowest – highest")


def _row(row: _Row, moment: Moment, columns: int, each_s: int) -> Text:
    values = [row.value(second) for second in moment.seconds]
    known = [value for value in values if not math.isnan(value)]
    now = values[-1] if values else math.nan
    number = "{:,.0f}".format if row.whole else _number  # of what is known
    found = Text(row.label.ljust(_LABEL))
    found.append((_UNKNOWN if math.isnan(now) else number(now)).rjust(_NUMBER), style="bold")
    found.append(f" {row.unit:<{_UNIT}}")
    if columns:
        found.append(" " * _GAP + sparkline(_worst(values, moment.taken, each_s, row.worst), known).rjust(columns))
    if known:
        low, high = number(min(known)), number(max(known))
        found.append(f"{' ' * _GAP}{low if low == high else f'{low} – {high}'}")
    elif values:
        found.append(f"{' ' * _GAP}not known")
    return found


def _footer(moment: Moment) -> Text:
    """Return what there is to say of the host's pauses."""
    if moment.live is not None and not moment.live.metered_cpus:
        return Text("host away: not known, as no pause meter runs")
    share, longest_ns = away(moment.seconds)
    if math.isnan(share):
        return Text(f"host away in the last {AWAY_S} s: {_UNKNOWN}")
    longest = f", longest {_number(longest_ns / NS_PER_MS)} ms" if longest_ns else ""
    return Text(f"host away in the last {AWAY_S} s: {100 * share:.2f} % of CPU time{longest}")


def _worst(values: Sequence[float], taken: int, each_s: int, worst: Literal["low", "high"]) -> list[float]:
    """Return the worst value of each `each_s` seconds; a second stays with the same ones while it is shown."""
    first = taken - len(values)
    groups: dict[int, list[float]] = {}
    for number, value in enumerate(values, start=first):
        groups.setdefault(number // each_s, []).append(value)
    pick = min if worst == "low" else max
    found = []
    for group in list(groups.values())[-math.ceil(KEPT / each_s) :]:
        known = [value for value in group if not math.isnan(value)]
        found.append(pick(known) if known else math.nan)
    return found


def sparkline(values: Sequence[float], span: Sequence[float]) -> str:
    """Return a character a value: seven levels from the lowest to the highest value of `span`, a dot for NaN.

    Values that hardly differ are all on one level in the middle.
    """
    low, high = (min(span), max(span)) if span else (0.0, 0.0)
    flat = high - low <= _STEADY * max(abs(low), abs(high))

    def level(value: float) -> str:
        if math.isnan(value):
            return _NOTHING
        if flat:
            return _FLAT
        return LEVELS[max(0, min(len(LEVELS) - 1, int((value - low) / (high - low) * len(LEVELS))))]

    return "".join(map(level, values))


_DECIMALS = ((99.95, 0), (9.995, 1), (0.0995, 2), (0.0, 3))
"""From which value on a number has how many decimals: three digits are enough to watch."""


def _number(value: float) -> str:
    if not value:
        return "0"
    return next((f"{value:,.{decimals}f}" for least, decimals in _DECIMALS if value >= least), _UNKNOWN)
