"""The words of each figure: a title, and the finding that the figure shows. Pure.

They stand above the figure, and describe it to readers who cannot see it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from bench.scenario.reference import IN_FLIGHT, RATE
from reports.dataset import Dataset, timeline_shown
from reports.events import spoken
from reports.format import Name, count, listed, milliseconds, number, rate
from reports.model import Spread
from reports.patterns import latency_words
from reports.questions import Question
from reports.seconds import widest
from reports.summary import Caption, Cell, Knee, LeftOut, Mark
from reports.sustained import Sustained
from reports.swept import label_of

Labels = Mapping[str, str]
"""Target -> its label."""


def captions(
    data: Dataset,
    asked: Sequence[Question],
    found: Mapping[str, Name],
    cells: Sequence[Cell],
    knees: Sequence[Knee],
    left_out: Sequence[LeftOut],
    marks: Sequence[Mark],
) -> Iterator[Caption]:
    """Yield the captions of every question's figures; the figure that decides comes first."""
    labels = {target: name.label for target, name in found.items()}
    for question in asked:
        names = {workload.name for workload in question.workloads}
        rows = [cell for cell in cells if cell.workload in names]
        crossed = any(row.workload in names and (question.closed_loop or row.p99_ns is not None) for row in left_out)
        usable = any(cell.n for cell in rows)
        if not usable and (question.many or not crossed):
            continue
        for kind, title, sentence in _of(data, question, rows, labels, knees, marks):
            if kind != "decision" and not usable:
                break
            key = "; × = left out" if crossed and kind == "decision" and not question.many else ""
            yield Caption(
                name=f"{question.name}-{kind}",
                question=question.name,
                kind=kind,
                title=f"{question.name}: {title}{key}",
                sentence=sentence,
            )


def sustained_caption(rows: Sequence[Sustained], labels: Labels) -> Iterator[Caption]:
    """Yield the caption of the highest sustainable rates, where a search found any."""
    if rows:
        each = [f"{labels.get(row.target, row.target)} {_held(row)}" for row in rows]
        yield Caption(
            name="sustained",
            question="",
            kind="sustained",
            title="Highest sustainable rate",
            sentence=f"The last rate that held and the first that failed, messages a second: {'; '.join(each)}.",
        )


def _held(row: Sustained) -> str:
    if row.low is None:
        return f"below {rate(row.high)}"
    return f"{rate(row.low)} or more" if row.high is None else f"{rate(row.low)} to {rate(row.high)}"


def _of(
    data: Dataset,
    question: Question,
    rows: Sequence[Cell],
    labels: Labels,
    knees: Sequence[Knee],
    marks: Sequence[Mark],
) -> Iterator[tuple[str, str, str]]:
    if question.of_fields:
        yield from _of_fields(question, rows, labels)
        return
    if question.many and question.closed_loop:
        yield "decision", "achieved rate against messages in flight", _sweep_sentence(rows, labels)
        both = "In a closed loop throughput is the number in flight divided by latency: read both panels together."
        bars = " Bars are 95 % intervals." if _has_intervals(question, rows) else ""
        sweep = f"{both} {_sweep_sentence(rows, labels)}{bars}"
        yield "sweep", "throughput and latency against messages in flight", sweep
        yield "cost", "CPU time a message", _cost_sentence(rows[-len(labels) :])
        return
    if question.many:
        yield "decision", f"{question.metric} against offered rate", _curve_sentence(question, rows, labels, knees)
        return
    metric = question.metric
    bars = " and the 95 % interval" if _has_intervals(question, rows) else ""
    yield "decision", f"{metric}, each trial{bars}", _decision_sentence(question, rows, labels)
    timed = question.workloads[0].phase != "dequeue"
    if timed and any(cell.n and not cell.overloaded for cell in rows):
        yield "percentiles", "latency by percentile", _percentiles_sentence(question, rows, labels)
    if question.workloads[0].phase == "enqueue":
        yield "depth", "filled and drained", _depth_sentence(data, question, rows, labels)
    if timed:
        yield "time", "latency over time", _time_sentence(data, question, marks)
    yield "rate", "throughput", _throughput_sentence(question, rows, labels)
    yield "cost", "CPU time a message", _cost_sentence(rows)


_LOADS = {RATE: "offered rate", IN_FLIGHT: "messages in flight"}
MOST_AXES = 2
"""Swept fields that a figure can show."""


def _of_fields(question: Question, rows: Sequence[Cell], labels: Labels) -> Iterator[tuple[str, str, str]]:
    """Yield the figures of a sweep of more than the load; more fields than a figure can show have a table only."""
    if len(question.swept) > MOST_AXES:
        return
    along, *others = [label_of(axis.field) for axis in question.axes]
    against = f"against {_LOADS.get(question.axes[0].field, along)}" + "".join(
        f", for each {other}" for other in others
    )
    bars = " Bars are 95 % intervals." if _has_intervals(question, rows) else ""
    tag = latency_words(question.workloads[-1])
    if question.closed_loop:
        best = _best_and_worst(
            question, rows, labels, lambda cell: cell.achieved_rate, rate, question.unit, highest=True
        )
        yield "decision", f"achieved rate {against}", f"{best}{bars}"
        both = "In a closed loop throughput is the number in flight divided by latency."
        slow = _best_and_worst(question, rows, labels, lambda cell: cell.latency_ns["p99"], milliseconds, "ms")
        title = f"throughput and latency {against}" if not others else f"p99 {tag} {against}"
        yield "sweep", title, f"p99 {tag}: {slow} {both}{bars}"
    else:
        best = _best_and_worst(question, rows, labels, lambda cell: cell.latency_ns["p99"], milliseconds, "ms")
        over = " Rows that did not carry the load have no point." if any(cell.saturated for cell in rows) else ""
        yield "decision", f"p99 {tag} {against}", f"{best}{bars}{over}"
    if any(cell.broker_cpu_us.centre is not None for cell in rows):
        spent = _best_and_worst(question, rows, labels, lambda cell: cell.broker_cpu_us, number, "µs a message")
        yield "cost", f"broker CPU time a message {against}", f"{spent}{bars}"


def _best_and_worst(
    question: Question,
    rows: Sequence[Cell],
    labels: Labels,
    figure: Callable[[Cell], Spread],
    text: Callable[[float | None], str],
    unit: str,
    *,
    highest: bool = False,
) -> str:
    """Return where each target's figure is best and where it is worst, as a sentence.

    Args:
        question: a sweep.
        rows: of all its points.
        labels: of the targets.
        figure: of a row.
        text: prints it.
        unit: of what is printed.
        highest: whether the highest is best.
    """
    each = []
    for target, label in labels.items():
        mine = [cell for cell in rows if cell.target == target and figure(cell).centre is not None]
        known = [cell for cell in mine if not cell.overloaded]
        if not known:
            continue
        known.sort(key=lambda cell: figure(cell).centre or 0.0, reverse=highest)
        best, worst = (f"{text(figure(cell).centre)} {unit}" for cell in (known[0], known[-1]))
        places = [question.called(cell.workload) for cell in (known[0], known[-1])]
        alike = f"{label} {best} everywhere"
        each.append(alike if best == worst else f"{label} {best} at {places[0]} to {worst} at {places[1]}")
    word = "highest to lowest" if highest else "lowest to highest"
    return f"From {word}: {'; '.join(each)}." if each else "No trial could be used."


def _has_intervals(question: Question, rows: Sequence[Cell]) -> bool:
    spreads = [row.achieved_rate if question.closed_loop else row.latency_ns["p99"] for row in rows]
    return any(spread.interval_low is not None for spread in spreads)


def interval(spread: Spread, text: Callable[[float | None], str]) -> str:
    """Return `1.20 (1.10–1.31)`, or `1.20 (1.12, 1.29)` of two or three trials; one trial's number alone."""
    if spread.never:
        return f"{text(spread.centre)} ({text(spread.low)}–never)"
    if spread.few and len(set(map(text, spread.few))) > 1:
        return f"{text(spread.centre)} ({', '.join(map(text, spread.few))})"
    if spread.interval_low is None or text(spread.interval_low) == text(spread.interval_high):
        return text(spread.centre)
    return f"{text(spread.centre)} ({text(spread.interval_low)}–{text(spread.interval_high)})"


def _decision_sentence(question: Question, rows: Sequence[Cell], labels: Labels) -> str:
    each = []
    for cell in rows:
        label = labels[cell.target]
        if not cell.n:
            each.append(f"{label} no usable trial")
        elif question.closed_loop:
            each.append(f"{label} {interval(cell.achieved_rate, rate)} {question.unit}")
        elif cell.overloaded:
            each.append(f"{label} overloaded")
        elif cell.latency_ns["p99"].centre is None:
            each.append(f"{label} {cell.latency_ns['p99'].why.partition(':')[0]}")
        else:
            each.append(f"{label} {interval(cell.latency_ns['p99'], milliseconds)} ms")
    return f"{'; '.join(each)}."


def _sweep_sentence(rows: Sequence[Cell], labels: Labels) -> str:
    each = []
    for target, label in labels.items():
        known = [cell for cell in rows if cell.target == target and cell.achieved_rate.centre is not None]
        if known:
            best = max(known, key=lambda cell: cell.achieved_rate.centre or 0.0)
            each.append(f"{label} {interval(best.achieved_rate, rate)} at {count(best.in_flight)}")
    return f"The highest rate that each achieved, messages a second: {'; '.join(each)}."


def _curve_sentence(question: Question, rows: Sequence[Cell], labels: Labels, knees: Sequence[Knee]) -> str:
    each = []
    for knee in (knee for knee in knees if knee.question == question.name):
        label = labels[knee.target]
        if knee.next_rate is None:
            each.append(f"{label} does not bend up to {rate(knee.rate)}")
        elif knee.rate is None:
            each.append(f"{label} bends at or below {rate(knee.next_rate)} ({knee.why})")
        else:
            each.append(f"{label} at {rate(knee.rate)}, at {rate(knee.next_rate)} {knee.why}")
    bars = "Bars are 95 % intervals; a" if _has_intervals(question, rows) else "A"
    marks = f"{bars} cross marks a row that did not carry the rate."
    return f"The knee, messages a second: {'; '.join(each)}. {marks}"


def _span(spreads: Sequence[Spread], text: Callable[[float | None], str], unit: str = "") -> str:
    known = sorted(spread.centre for spread in spreads if spread.centre is not None)
    if not known:
        return "is not known"
    if text(known[0]) == text(known[-1]):
        return f"is {text(known[0])}{unit}"
    return f"lies between {text(known[0])} and {text(known[-1])}{unit}"


def _percentiles_sentence(question: Question, rows: Sequence[Cell], labels: Labels) -> str:
    shown = [cell for cell in rows if cell.n and not cell.overloaded]
    middle = _span([cell.latency_ns["p50"] for cell in shown], milliseconds, " ms")
    tail = _span([cell.latency_ns["p99"] for cell in shown], milliseconds, " ms")
    over = " Overloaded rows are left out." if any(cell.overloaded for cell in rows) else ""
    last = [
        f"{labels[cell.target]} {milliseconds(cell.beside_ns['last']['p99'].centre)} ms"
        for cell in shown
        if "last" in cell.beside_ns
    ]
    slowest = f" The last of a message's copies came within, p99: {'; '.join(last)}." if last else ""
    return (
        f"Over all targets p50 of the {latency_words(question.workloads[-1])} {middle}, and p99 {tail}. A line is"
        " the geometric mean over usable trials, as in the table, and ends where some trial has fewer than ten messages"
        " beyond, or where the rest never came." + over + slowest
    )


def _time_sentence(data: Dataset, question: Question, marks: Sequence[Mark]) -> str:
    name = question.workloads[0].name
    width = widest(data.seconds[data.seconds["workload"] == name])
    each = "each second" if width == 1 else f"each {count(width)} s"
    over = bool((data.trials.loc[data.trials["workload"] == name, "overload"] != "").any())
    kinds = [mark.event for mark in marks if mark.question == question.name]
    marked = [f"{spoken(kind)} ({count(kinds.count(kind))})" for kind in dict.fromkeys(kinds)]
    events = f"Marked above: {listed(marked)}." if marked else "There was no restart, stall or other event."
    return (
        f"p99 and p50 of {each} of intended time: the line is the geometric mean over trials, the band"
        f" their range. The warm-up is shaded, of a long one its end, and may leave the frame. {events}"
        + (" Overloaded trials are left out: their latency grows with their length." if over else "")
    )


def _depth_sentence(data: Dataset, question: Question, rows: Sequence[Cell], labels: Labels) -> str:
    deepest = {
        labels[target]: int((ticks["confirmed"] - ticks["received"]).cumsum().max())
        for target, ticks in timeline_shown(data, question.workloads[0].name).items()
    }
    if not deepest:
        return "No trial could be used."
    words = "; ".join(f"{label} {count(most)}" for label, most in deepest.items())
    few = "" if all(cell.n == 1 for cell in rows) else " The trial of each target whose rate is in the middle."
    return f"Confirmed (line) and received (dotted), and what lay in the queue: at most {words}.{few}"


def _throughput_sentence(question: Question, rows: Sequence[Cell], labels: Labels) -> str:
    known = [(cell.achieved_rate.low, cell) for cell in rows if cell.achieved_rate.low is not None]
    if not known:
        return "No trial could be used."
    lowest, cell = min(known, key=lambda pair: pair[0])
    unit = question.unit
    if cell.asked_rate is None:
        return f"One dot a trial; the lowest achieved {rate(lowest)} {unit}."
    short = [labels[each.target] for _, each in known if each.saturated]
    if not short:
        return f"One dot a trial; each achieved {rate(lowest)} {unit} or more of {rate(cell.asked_rate)} offered."
    return (
        f"One dot a trial; the lowest achieved {rate(lowest)} of {rate(cell.asked_rate)} {unit} offered."
        f" Less than 99 % of what was due arrived in time: {listed(short)}."
    )


def _cost_sentence(rows: Sequence[Cell]) -> str:
    shown = [cell for cell in rows if cell.n]
    broker = _span([cell.broker_cpu_us for cell in shown], number)
    client = _span([cell.client_cpu_us for cell in shown], number)
    lines = " Lines are 95 % intervals." if any(cell.client_cpu_us.interval_low is not None for cell in shown) else ""
    copies = " A copy counts as a message." if any(cell.copies > 1 for cell in shown) else ""
    flows = " All flows of a trial count together." if any(cell.flow for cell in shown) else ""
    return (
        f"CPU seconds a million messages (µs a message), whole process trees: the broker's {broker}, our client's"
        f" {client}.{copies}{flows}{lines}"
    )
