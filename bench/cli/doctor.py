"""`bench doctor`: what this machine lacks, and how fast each driver is on it."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from bench.cli.completion import driver_names
from bench.cli.console import EXIT_USAGE, err, fail, out, tell, warn_of_former
from bench.units import time_words


def doctor(
    ceiling: Annotated[
        bool, typer.Option("--ceiling", help="Measure each driver against a peer that does nothing: its own limit.")
    ] = False,
    driver: Annotated[
        list[str] | None,
        typer.Option(help="With --ceiling: only this driver; may be given several times.", autocompletion=driver_names),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="With --ceiling: length of each of a driver's four measurements.", min=0.2, max=60)
    ] = 2.0,
    noise: Annotated[
        bool, typer.Option("--noise", help="Say in half a minute which effects a gate can decide on this host at all.")
    ] = False,
    effect: Annotated[
        str | None,
        typer.Option(
            help="With --noise: the change to be decided, such as 5%; by default those of the gate's built-in budget.",
            metavar="SHARE",
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(help="With --noise: pairs of trials that a gate makes.", min=5, max=1000)] = 10,
    json: Annotated[bool, typer.Option("--json", help="With --noise: print what was seen as JSON.")] = False,
) -> None:
    """Say what is missing on this machine and how to get it; exit code 4 where something is.

    With --noise: exit code 0 where a gate decides the effects that matter, 3 where this host is too noisy for one.
    """
    from bench.host.doctor import examine  # noqa: PLC0415  (what it looks for is heavy)

    if not noise and (effect is not None or json):
        fail(EXIT_USAGE, "--effect and --json go with --noise only")
    if noise and ceiling:
        fail(EXIT_USAGE, "--noise and --ceiling would disturb each other: ask for one")
    if noise:
        from bench.cli import noise as noise_work  # noqa: PLC0415  (as above)

        noise_work.noise(None if effect is None else _share(effect), pairs, json=json)
    if ceiling:
        _ceilings(driver or [], seconds)
        return
    if driver:
        fail(EXIT_USAGE, "--driver goes with --ceiling only")
    missing = 0
    for check in examine():
        missing += not check.ok
        mark = ("ok     ", "green") if check.ok else ("missing", "red")
        out.print(Text.assemble(mark, f"  {check.name}: {check.found}"))
        if not check.ok:
            out.print(f"         needed for {check.needed_for}; {check.how_to_get}")
    _pauses()
    if missing:
        raise typer.Exit(4)


def _share(text: str) -> float:
    """Return a share that was given as `5%`, `5 %` or `0.05`; leave where it is none."""
    number, percents, _ = text.strip().partition("%")
    try:
        found = float(number) / (100 if percents else 1)
    except ValueError:
        found = 0.0
    if not 0 < found < 1:
        fail(EXIT_USAGE, f"--effect {text!r} is no share: write 5% or 0.05, above 0 and below 100 %")
    return found


def _pauses() -> None:
    """Say how often the host is away; nothing is refused for that."""
    from bench.pauses.meter import PauseMeter  # noqa: PLC0415  (as above)
    from bench.pauses.outlook import LOOK_S, look  # noqa: PLC0415
    from brokers.places.limits import root_group  # noqa: PLC0415

    with err.status(f"watching for pauses of the host, {time_words(LOOK_S)}"), PauseMeter(root_group()) as meter:
        found = look(meter)
        mark = ("unknown", "red") if meter.trouble else ("ok     ", "green")
    out.print(Text.assemble(mark, f"  pauses: {found}"))


def _ceilings(names: list[str], seconds: float) -> None:
    """Measure, print and keep the ceilings of drivers; by default of all that are to be had."""
    from bench.ceiling import stored  # noqa: PLC0415  (as above)
    from bench.ceiling.measure import PeerFailed, measure  # noqa: PLC0415
    from bench.ceiling.stored import host_name, kept_file  # noqa: PLC0415
    from bench.drivers.registry import registry  # noqa: PLC0415

    found = registry()
    warn_of_former(names)
    refusals = [refusal for name in names if (refusal := found.refusal(name)) is not None]
    refusals += [f"{name!r} runs on virtual time: it has no ceiling" for name in names if name == "memory"]
    if refusals:
        fail(EXIT_USAGE, *(f"--driver: {refusal}" for refusal in refusals))
    chosen = [
        one
        for name, one in found.installed.items()
        if not one.member.inline and (name in names if names else not (one.member.now or one.member.lacks()))
    ]
    table = Table(title=f"What one worker does at most, {host_name()}, 100 B")
    table.add_column("driver")
    for head in ("send", "send,\nconfirmed", "receive", "receive,\nacknowledged"):
        table.add_column(head, justify="right")
    failed = 0
    for one in chosen:
        with err.status(f"measuring {one.member.name}, about {time_words(4 * (seconds + 2))}"):
            try:
                measured = measure(one, seconds)
            except PeerFailed as error:
                failed += 1
                tell(str(error))
                continue
        stored.keep(kept_file(), [measured])
        cells = [f"{way.rate:,.0f} msg/s\n{way.cpu_us:.2f} µs CPU" for way in measured.ways]
        table.add_row(one.member.name, *cells)
    out.print(table)
    out.print("Kept to judge later trials: a trial at more than half of this rate is client-bound, and invalid.")
    if failed:
        raise typer.Exit(4)
