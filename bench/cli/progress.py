"""Live progress of a run: on a terminal what changes, and one line a trial anywhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.live import Live as Screen
from rich.text import Text

from bench.cli.console import err
from bench.cli.live_view import Moment, line
from bench.cli.recent import Recent
from bench.results.quantile import quantile_ns
from bench.results.records import PlannedTrial, TrialRecord
from bench.run.conductor import Watch
from bench.run.trial import Live
from bench.units import NS_PER_MS, time_words
from brokers.plain_text import printable


class Progress:
    """Shows one changing line on a terminal, or what else a moment is drawn as, and one line a trial anywhere."""

    def __init__(self, total_s: float, draw: Callable[[Moment], RenderableType] = line) -> None:
        """Expect the whole run to take about `total_s`."""
        self._total_s = total_s
        self._draw = draw
        self._recent = Recent()
        self._started = time.monotonic()
        self._screen = Screen(Text(""), console=err, refresh_per_second=4, transient=True)
        self._head = ""
        self._number, self._of = 1, 1
        self._began = self._started

    def __enter__(self) -> Self:
        """Begin to show."""
        if err.is_terminal:
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the changing line."""
        if err.is_terminal:
            self._screen.stop()

    def say(self, text: str) -> None:
        """Print a word on what is being done."""
        err.print(Text(f"  {printable(text)}", style="dim"))

    def begin(self, planned: PlannedTrial, number: int, of: int) -> None:
        """Note that a trial begins."""
        self._number, self._of = number, of
        self._began = time.monotonic()
        self._head = self._heading(planned)
        self._recent = Recent()
        self._show(None)

    def live(self, live: Live) -> None:
        """Show how the trial goes."""
        self._recent.take(live)
        self._show(live)

    def end(self, record: TrialRecord) -> None:
        """Print the trial's line in place of what was drawn."""
        self._screen.update(Text(""))
        state = "" if record.valid else "  INVALID"
        if record.reason:
            state += f"  {record.outcome.value}: {record.reason}"
        hard = "; ".join(note.text for note in record.health if note.hard)
        said = f"{self._head}  {_figures(record)}{state}{'  ' + hard if hard else ''}"
        err.print(Text(printable(said), style="" if record.valid else "red"))

    def _heading(self, planned: PlannedTrial) -> str:
        return f"trial {self._number} of {self._of}  {planned.target} · {planned.workload}"

    def _show(self, live: Live | None) -> None:
        moment = Moment(self._head, self._left(), live, self._recent.seconds, self._recent.taken)
        self._screen.update(self._draw(moment))

    def _left(self) -> str:
        left = time_left(
            self._total_s, self._began - self._started, time.monotonic() - self._began, self._number, self._of
        )
        return time_words(round(left))


class Audience:
    """Several who watch a run, told one after the other."""

    def __init__(self, *watches: Watch) -> None:
        """Tell these."""
        self._watches = watches

    def say(self, text: str) -> None:
        """See `bench.run.conductor.Watch`."""
        for one in self._watches:
            one.say(text)

    def begin(self, planned: PlannedTrial, number: int, of: int) -> None:
        """See `bench.run.conductor.Watch`."""
        for one in self._watches:
            one.begin(planned, number, of)

    def live(self, live: Live) -> None:
        """See `bench.run.conductor.Watch`."""
        for one in self._watches:
            one.live(live)

    def end(self, record: TrialRecord) -> None:
        """See `bench.run.conductor.Watch`."""
        for one in self._watches:
            one.end(record)


def _figures(record: TrialRecord) -> str:
    """Return what a trial measured: rate, p50 and p99 of its main latency; of a queue filled and drained two rates."""
    if len(record.phases) > 1:
        return "  ".join(f"{phase.name} {phase.rate:,.0f} msg/s" for phase in record.phases)
    latency = record.latency.get("response") or record.latency.get("service")
    found = ((name, quantile_ns(latency, share)) for name, share in (("p50", 0.50), ("p99", 0.99)))
    shown = "".join(f"  {name} {ns / NS_PER_MS:.3g} ms" for name, ns in found if ns is not None)
    return f"{record.achieved_rate:,.0f} msg/s{shown}"


def time_left(estimate_s: float, before_s: float, within_s: float, number: int, of: int) -> float:
    """Return about how many seconds a run still takes.

    Args:
        estimate_s: what the plan says of the whole.
        before_s: what the trials before this one took.
        within_s: what this one has taken so far.
        number: of this trial, from 1.
        of: how many there are.
    """
    done = number - 1
    # The first trials of a broker warm it and are long, so what was seen only gradually takes over.
    seen = done / of
    a_trial = (1 - seen) * estimate_s / of + seen * (before_s / done if done else 0.0)
    return max(0.0, a_trial * (of - done) - within_s)
