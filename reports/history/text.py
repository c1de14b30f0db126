"""A store in plain lines: a block for each series, and what watching all of them costs. Pure."""

from collections.abc import Iterator

from bench.units import percent
from reports.format import number
from reports.history.changes import STEP, Judged, LevelChange, State, Watched


def block(one: Judged) -> list[str]:
    """Return the lines on one series: its name, where it stands, its changes, what watching it can show."""
    return [f"{one.series.name}  {one.series.title}", *(f"    {line}" for line in _lines(one))]


def _lines(one: Judged) -> Iterator[str]:
    series = one.series
    yield f"on {series.key['host_class']}"
    points = len(series.values)
    noise = f"noise {percent(one.spread)}" + (f", correlated by {one.correlation:.1f}" if one.correlation else "")
    yield f"{points} run{'s' if points > 1 else ''}, last {figure(one, float(series.values[-1]))}; {noise}"
    yield from (change(found, one) for found in one.found)
    if one.small:
        yield f"{one.small} certain step{'s' if one.small > 1 else ''} too small to matter"
    yield watching(one)


def figure(one: Judged, value: float) -> str:
    """Return a value of a series with its unit."""
    metric = one.series.metric
    return f"{number(value * metric.scale)} {metric.unit}"


def change(found: LevelChange, one: Judged) -> str:
    """Return a change in a line, such as `proposed: 12 % worse (× 1.12) from run … (commit …), p = 0.005`."""
    which = "worse" if found.worse else "better"
    size = abs(found.ratio - 1)
    commit = f" (commit {found.commit[:12]})" if found.commit else ""
    by = f", {found.state} by {found.by}" if found.state is not State.PROPOSED else ""
    place = f"from run {found.run_id}{commit}, {one.series.times[found.at]:%Y-%m-%d}"
    return f"{found.state}: {percent(size)} {which} (× {found.ratio:.2f}) {place}, p = {found.p_value:.3f}{by}"


def watching(one: Judged) -> str:
    """Return minimum effect, delay and false alarms of a series, in a sentence."""
    least = (
        "no step is sure to be found 5 runs later"
        if one.least_effect is None
        else (f"a step of {percent(one.least_effect)} or more is found 5 runs later")
    )
    late = f"one of {percent(STEP)} in " + ("more than 30" if one.delay is None else f"{one.delay}")
    alarms = (
        "false alarms a week unknown"
        if one.alarms_a_week is None
        else f"at most {number(one.alarms_a_week)} false alarms a week"
    )
    return f"watched: {least}, {late} (95 % of steps); {alarms}"


def budget(watched: Watched) -> str:
    """Return what all series together cost in false alarms, against what is allowed."""
    expected = watched.alarms_a_week
    over = expected > watched.budget
    said = (
        f"False alarms: at most {number(expected)} a week over {len(watched.series)} series,"
        f" {number(watched.budget)} allowed (level {watched.level:g} a run and series)"
    )
    if not over:
        return f"{said}."
    return f"{said}: over budget, as runs are many or noise is correlated. Space runs out, or watch fewer metrics."
