"""From the results of a broker beside itself to the noise floor of the host they were made on. Pure."""

from bench.host.hostclass import host_class
from bench.results.records import NoiseFloor
from bench.stats.noise_floor import effects, sides
from bench.stats.ratio import Pair
from reports.dataset import Dataset
from reports.history.series import METRICS, rows


def noise_floor(data: Dataset) -> NoiseFloor | None:
    """Return the floor that one run found; None where it compared two things, or fewer than 10 pairs can be used."""
    [run] = data.runs
    both = sides(run.scenario)
    if both is None:
        return None
    pairs: dict[str, list[Pair]] = {}
    for (metric, _), group in rows(data, "").groupby(["metric", "workload"]):
        estimates = group.pivot_table(index="repetition", columns="target", values="value")
        if set(both) <= set(estimates.columns):
            alike = estimates[list(both)].dropna()
            lower = METRICS[str(metric)].lower_is_better
            pair = Pair(alike[both[0]].tolist(), alike[both[1]].tolist(), lower_is_better=lower)
            pairs.setdefault(str(metric), []).append(pair)
    found = effects(pairs)
    if not found:
        return None
    return NoiseFloor(
        run_id=run.run_id,
        measured_utc=run.started_utc,
        host_class=host_class(run.host),
        pairs=min(len(pair.first) for metric in found for pair in pairs[metric]),
        effects=found,
    )
