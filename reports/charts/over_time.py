"""Latency over time: whether a figure held over the trial, how the warm-up went, and what happened meanwhile."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from bench.units import NS_PER_MS
from reports.charts.theme import SHADE, Style, belongs, label_ends, millisecond_axis
from reports.events import spoken

_LONGEST_WARM_UP_S = 30
_WARM_UP_ROOM = 2.5  # how far beyond the measured part a warm-up may stretch the axis
_MARGIN = 1.2
_PHASES = ("warm-up", "measure", "drain")


def draw(axes: Axes, seconds: pd.DataFrame, styles: Mapping[str, Style], column: str, *, labels: bool = True) -> Axes:
    """Draw the median over trials of one percentile of each second, and the trials' range as a band.

    Args:
        axes: to draw on.
        seconds: rows of `Dataset.seconds` of one workload; time 0 is the start of the measured part.
        styles: by target.
        column: `p50`, `p99` or `max`.
        labels: whether to write targets' names at the right.
    """
    known = seconds[seconds[column].notna() & (seconds["from_s"] >= -_LONGEST_WARM_UP_S)]
    ends = []
    for target, style in styles.items():
        rows = known[known["target"] == target]
        if rows.empty:
            continue
        by_second = rows.assign(middle=(rows["from_s"] + rows["to_s"]) / 2).groupby("middle")[column]
        low, middle, high = (part / NS_PER_MS for part in (by_second.min(), by_second.median(), by_second.max()))
        at = middle.index.to_numpy(float)
        band = axes.fill_between(at, low.to_numpy(), high.to_numpy(), color=style.color, alpha=0.13, linewidth=0)
        belongs(band, style)
        (line,) = axes.plot(at, middle.to_numpy(), color=style.color, linestyle=style.dash, marker="o", markersize=2.5)
        belongs(line, style)
        ends.append((float(at[-1]), float(middle.iloc[-1]), style))
    start = float(known["from_s"].min()) if len(known) else 0.0
    end = float(known["to_s"].max()) if len(known) else 1.0
    axes.set_xlim(min(start, 0.0), max(end, 1.0))
    axes.set_ylim(*_limits(known, column))
    millisecond_axis(axes)
    if start < 0:
        axes.axvspan(start, 0, color=SHADE, zorder=0, linewidth=0)
        if labels:
            axes.text(start, 1.01, "warm-up", transform=axes.get_xaxis_transform(), fontsize=10, va="bottom")
    axes.set_xlabel("seconds of the measured part")
    axes.set_ylabel(f"{column}, ms")
    if labels:
        label_ends(axes, ends)
    return axes


def _limits(rows: pd.DataFrame, column: str) -> tuple[float, float]:
    """Return limits in ms that the measured part sets, and a wild warm-up does not."""
    measured = rows.loc[rows["from_s"] >= 0, column]
    shown = measured if len(measured) else rows[column]
    if not len(shown):
        return 0.1, 1.0
    low = max(float(rows[column].min()), float(shown.min()) / _WARM_UP_ROOM)
    high = min(float(rows[column].max()), float(shown.max()) * _WARM_UP_ROOM)
    return low / NS_PER_MS / _MARGIN, high / NS_PER_MS * _MARGIN


def marked(events: pd.DataFrame) -> list[str]:
    """Return the kinds of events that are drawn, in the order in which they came first."""
    return list(dict.fromkeys(events.loc[~events["event"].isin(_PHASES), "event"]))


def draw_events(axes: Axes, events: pd.DataFrame, styles: Mapping[str, Style]) -> Axes:
    """Draw one lane a kind of event and in it one line a target: where and how long it was in any trial.

    Args:
        axes: to draw on, above those of the latency.
        events: rows of `Dataset.events` of one workload.
        styles: by target.
    """
    kinds = marked(events)
    step = 0.7 / max(len(styles), 1)
    for lane, kind in enumerate(kinds):
        for place, (target, style) in enumerate(styles.items()):
            rows = events[(events["event"] == kind) & (events["target"] == target)]
            height = lane - 0.35 + (place + 0.5) * step
            for from_s, to_s, text in rows[["from_s", "to_s", "text"]].drop_duplicates().itertuples(index=False):
                moment = to_s <= from_s
                (line,) = axes.plot(
                    [from_s, to_s], [height] * 2, color=style.color, linewidth=2.2, solid_capstyle="butt",
                    clip_on=False, marker="|" if moment else "", markersize=7, markeredgewidth=2,
                )  # fmt: skip
                belongs(line, style, f"{style.label}: {text}")
    axes.set_yticks(range(len(kinds)), [spoken(kind) for kind in kinds], fontsize=9.5)
    axes.set_ylim(max(len(kinds), 1) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="both", length=0, labelbottom=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return axes
