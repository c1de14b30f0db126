"""What a report says of places: the models; see `reports.place_costs`. Pure."""

from reports.format import number
from reports.model import Model, Spread

P50, P99, CPU = "p50", "p99", "broker CPU a message"
METRICS = (P50, P99, CPU)
"""What the ratios of a place are of."""


class PlaceRatio(Model):
    """A figure of a row over that of the reference."""

    n: int
    """Repetitions in which both have it."""
    ratio: float | None
    """Geometric mean; None without any."""
    low: float | None
    """Interval at 95 %; None of fewer than four."""
    high: float | None
    """Its upper end."""

    @property
    def words(self) -> str:
        """For a table or a sentence."""
        if self.ratio is None:
            return "–"
        between = "" if self.low is None or self.high is None else f" ({number(self.low)}–{number(self.high)})"
        return f"×{number(self.ratio)}{between}"


class PlaceRow(Model):
    """One place of a broker under one workload."""

    target: str
    workload: str
    place: str
    """Its name and options."""
    reference: bool
    """Whether the others are compared with it."""
    emulated: bool
    ratios: dict[str, PlaceRatio]
    """By METRICS; empty for the reference."""
    first_confirm_s: Spread
    """From the start of the broker's program until a first message was confirmed, of each start."""
    idle_cores: float | None
    """CPUs that the idle broker used; None where that was not measured."""
    idle_rss: int | None
    """Memory of the idle broker, bytes."""
    path_us: Spread
    """p50 of the round trip of the bare path, microseconds, over its rounds."""
    path_p99_us: Spread
    path_cpu_us: Spread
    """CPU time of the place's processes for such a round trip."""


class PlaceCosts(Model):
    """What places cost one broker."""

    broker: str
    """Product, version and protocol."""
    reference: str
    """The place that the others are compared with."""
    rows: tuple[PlaceRow, ...]
    sentence: str
    """The answer in words."""
