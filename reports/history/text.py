"""A store in plain lines: a block for each series, and what watching all of them costs. Pure."""

import math
from collections.abc import Iterator
from datetime import timedelta

from bench.stats.detection import AFTER
from bench.units import percent
from reports.format import number
from reports.history.changes import Drift, Judged, LevelChange, State, Watched
from reports.history.promise import STEP, Promise

_SHOWN = 12
"""Digits of a commit."""


def block(one: Judged) -> list[str]:
    """Return the lines on one series: its name, where it stands, its changes, what watching it can show."""
    return [f"{one.series.name}  {one.series.title}", *(f"    {line}" for line in _lines(one))]


def _lines(one: Judged) -> Iterator[str]:
    series = one.series
    yield f"on {series.key['host_class']}"
    points = len(series.values)
    of_branch = f", {points - series.begin} of them on {series.branch}" if series.branch else ""
    yield f"{_runs(points)}{of_branch}, last {figure(one, float(series.values[-1]))}; {noise(one.promise)}"
    yield from (change(found, one) for found in one.found)
    if one.drift:
        yield drift(one.drift, one)
    elif one.small:
        yield f"{one.small} certain step{'s' if one.small > 1 else ''} too small to matter"
    if one.ended:
        yield f"ended: no run since {series.newest:%Y-%m-%d}; it raises no alarm and costs none"
        return
    if one.silent:
        yield silent(one)
    yield watching(one)


def noise(seen: Promise) -> str:
    """Return what is known of a series' noise."""
    if seen.spread is None:
        return "noise not known yet"
    correlated = f", correlated by {seen.correlation:.1f}" if seen.correlation else ""
    return f"noise {percent(math.expm1(seen.spread))}{correlated}"


def alarms(one: Judged) -> list[str]:
    """Return a line for everything in a series that somebody has to look at."""
    if not one.suspect:
        return []
    found = [change(each, one) for each in one.suspects]
    return found + ([drift(one.drift, one)] if one.drift else []) + ([silent(one)] if one.silent else [])


def figure(one: Judged, value: float) -> str:
    """Return a value of a series with its unit."""
    metric = one.series.metric
    return f"{number(value * metric.scale)} {metric.unit}"


def change(found: LevelChange, one: Judged) -> str:
    """Return a change in a line, such as `proposed: 12 % worse (× 1.12) from run … (commit …), p = 0.005`."""
    by = ""
    if found.state is State.ACCEPTED:
        by = f": {found.by}" if found.by else ""
    elif found.state is not State.PROPOSED:
        by = f", {found.state} by {found.by}"
    place = f"from {_point(one, found.at)}, {one.series.times[found.at]:%Y-%m-%d}"
    sure = "" if found.p_value is None else f"{where(found, one)}, p = {found.p_value:.3f}"
    return f"{found.state}: {_size(found.ratio, worse=found.worse)} {place}{sure}{by}"


def where(found: LevelChange, one: Judged) -> str:
    """Return in which commits a change may have come, where that is not the one commit; empty where it is."""
    series = one.series
    last_old, last = series.commits[found.low - 1], series.commits[found.high]
    if not last or not last_old:
        return "" if found.low == found.high else f", or another of runs {found.low + 1} to {found.high + 1}"
    if set(series.commits[found.low - 1 : found.high + 1]) == {last}:
        return ", with the same commit before and after it: look at the host"
    one_commit = found.low == found.high and (not series.parents or series.parents[found.at] in {"", last_old})
    return "" if one_commit else f", somewhere in {last_old[:_SHOWN]}..{last[:_SHOWN]}"


def drift(found: Drift, one: Judged) -> str:
    """Return a drift in a line, with the points between which it came about."""
    beside = ", beside what is named above" if any(each.at > found.since for each in one.found) else ""
    plural = "s" if found.steps > 1 else ""
    return (
        f"drift: {_size(found.ratio, worse=found.worse)} from {_point(one, found.since)}"
        f" to {_point(one, found.until)}, little by little: {found.steps} certain step{plural}, none of which stands"
        f" out{beside}"
    )


def silent(one: Judged) -> str:
    """Return that a series has had no run for long."""
    gap = one.silent or timedelta(0)
    return f"silent: no run for {gap.days} days, since {one.series.newest:%Y-%m-%d}, while others had some"


def _size(ratio: float, *, worse: bool) -> str:
    return f"{percent(abs(ratio - 1))} {'worse' if worse else 'better'} (× {ratio:.2f})"


def _point(one: Judged, at: int) -> str:
    commit = one.series.commits[at]
    return f"run {one.series.run_ids[at]}" + (f" (commit {commit[:_SHOWN]})" if commit else "")


def _runs(number_of: int) -> str:
    return f"{number_of} run{'s' if number_of != 1 else ''}"


def watching(one: Judged) -> str:
    """Return minimum effect, delay and false alarms of a series, in a sentence; or what it needs before."""
    seen = one.promise
    alarms = (
        "false alarms a week not known yet"
        if seen.alarms_a_week is None
        else f"at most {number(seen.alarms_a_week)} false alarms a week"
    )
    if seen.needed != 0:
        more = "more than 30" if seen.needed is None else str(seen.needed)
        plural = "" if seen.needed == 1 else "s"
        last = " since the last change" if one.found else ""
        return (
            f"watched: {more} more run{plural}{last} needed, before which no step, however large, is sure to be found"
            f" {AFTER} runs later; {alarms}"
        )
    least = (
        f"no step is sure to be found {AFTER} runs later"
        if seen.least_effect is None
        else f"a step of {percent(seen.least_effect)} or more is found {AFTER} runs later"
    )
    late = f"one of {percent(STEP)} in " + ("more than 30" if seen.delay is None else f"{seen.delay}")
    return f"watched: {least}, {late} (95 % of steps); {alarms}"


def headline(watched: Watched) -> str:
    """Return in a sentence whether something has to be looked at."""
    which = f"{len(watched.alive)} series" + (f" of branch {watched.branch}" if watched.branch else "")
    ended = len(watched.series) - len(watched.alive)
    rest = f" {ended} more {'have' if ended > 1 else 'has'} ended." if ended else ""
    days = None if watched.silent is None else watched.silent.days
    silence = "" if days is None else f"no run for {days} days: does the job that adds them still run?"
    kinds = {
        "a change": sum(bool(one.suspects) for one in watched.alive),
        "a drift": sum(one.drift is not None for one in watched.alive),
        "no new run": sum(one.silent is not None for one in watched.alive),
    }
    (first, count), *more = [pair for pair in kinds.items() if pair[1]] or [("", 0)]
    if not count:
        return f"{f'Suspect: {silence} ' if silence else ''}No unconfirmed change in {which}.{rest}"
    if silence:
        rest += f" {silence.capitalize()}"
    seen = ", ".join([f"{count} of {which} with {first}", *(f"{count} with {kind}" for kind, count in more)])
    side = "" if first == "no new run" else " Measure old and new side by side to confirm or dismiss it."
    return f"Suspect: {seen}.{side}{rest}"


def budget(watched: Watched) -> str:
    """Return what all series together cost in false alarms, against what is allowed."""
    expected = watched.alarms_a_week
    level = f"(level {watched.level:g} a run and series)"
    if expected is None:
        return f"False alarms: not known yet, as runs are too few; {number(watched.budget)} a week allowed {level}."
    unknown = sum(one.promise.alarms_a_week is None for one in watched.alive)
    few = f", {unknown} more with too few runs to tell" if unknown else ""
    said = (
        f"False alarms: at most {number(expected)} a week over {len(watched.alive) - unknown} series{few},"
        f" {number(watched.budget)} allowed {level}"
    )
    if expected <= watched.budget:
        return f"{said}."
    return f"{said}: over budget, as runs are many or noise is correlated. Space runs out, or watch fewer metrics."


def branches(watched: Watched) -> list[str]:
    """Return a line on the branches that the store holds beside the main one, if there are any."""
    if not watched.branches or watched.branch:
        return []
    named = ", ".join(f"{name} ({_runs(runs)})" for name, runs in watched.branches.items())
    return [f"Branches, seen with --branch: {named}."]
