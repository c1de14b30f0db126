"""What a run of a broker beside itself leaves behind: the noise floor of this host, for later comparisons."""

from pathlib import Path

from bench.cli.console import err, tell
from bench.noise.kept import keep
from bench.results import RunRecord
from bench.units import percent


def keep_floor(folder: Path, record: RunRecord) -> None:
    """Keep the noise floor that a finished run found, and say what it is, or why there is none."""
    from reports.dataset import load  # noqa: PLC0415  (a second of pandas that other runs do not need)
    from reports.floor import noise_floor  # noqa: PLC0415  (as above)

    if record.mode == "quick":
        err.print("no noise floor is kept: a quick run shows the shape; run it without --quick")
        return
    floor = noise_floor(load(folder))
    if floor is None:
        tell("no noise floor is kept: it needs 10 pairs of usable trials under each workload", kind="warning")
        return
    try:
        keep(floor)
    except OSError as error:
        tell(f"the noise floor cannot be kept in the cache ({error.strerror}): make room there", kind="warning")
        return
    found = ", ".join(f"{metric} {percent(effect)}" for metric, effect in floor.effects.items())
    err.print(f"noise floor of this host ({floor.pairs} pairs): {found}; later runs look for no smaller effect")
