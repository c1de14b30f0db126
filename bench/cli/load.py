"""`bench load`: one load on one broker, or on several, from one line and no file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.cli.completion import broker_kinds, driver_names
from bench.cli.console import AsJson, ConsumeExisting, MetricsAddress, NoReport, OutFolder, Quiet, WatchOption


def load(
    uris: Annotated[
        list[str],
        typer.Argument(
            metavar="URI...", help="Brokers: amqp://user@host:5672/vhost, or amqps://. Several are measured in turn."
        ),
    ],
    rate: Annotated[float | None, typer.Option(help="Messages a second; by default 1000.")] = None,
    in_flight: Annotated[
        int | None, typer.Option(help="Instead of a rate: as fast as it goes with so many messages on their way.")
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="Instead of a rate: find the highest one that holds.")
    ] = False,
    size: Annotated[str, typer.Option(help="Bytes of a message body, such as 100 or 1KiB; at least 32.")] = "100",
    duration: Annotated[str, typer.Option(help="Length of the measured part, whole seconds.")] = "10s",
    warm_up: Annotated[str, typer.Option(help="Load before it that is not counted.")] = "10s",
    producers: Annotated[int, typer.Option(help="Producers, a connection each.")] = 1,
    consumers: Annotated[int, typer.Option(help="Consumers, a connection each.")] = 1,
    durable: Annotated[bool, typer.Option("--durable", help="Durable queue, persistent messages.")] = False,
    queue: Annotated[
        list[str] | None,
        typer.Option(help="Use this queue, which is there, instead of declaring one; may be repeated."),
    ] = None,
    queue_type: Annotated[
        str | None, typer.Option(help="Kind of the queue that is declared, such as classic or quorum; with --kind.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Product of the brokers, see `bench broker list`; by default any, by its protocol.",
            autocompletion=broker_kinds,
        ),
    ] = None,
    protocol: Annotated[
        Literal["auto", "amqp091", "amqp10"],
        typer.Option(help="What is spoken; by default what the port answers to."),
    ] = "auto",
    driver: Annotated[
        str | None, typer.Option(help="Driver to use; by default our compiled one.", autocompletion=driver_names)
    ] = None,
    repetitions: Annotated[int, typer.Option(help="Trials of each broker; below ten nobody wins.")] = 1,
    save: Annotated[
        Path | None, typer.Option(help="Write the scenario that this stands for here, and run nothing.", metavar="FILE")
    ] = None,
    out_folder: OutFolder = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the schedule; by default a fresh one.", min=0)] = None,
    watch: WatchOption = False,
    metrics: MetricsAddress = None,
    quiet: Quiet = False,
    json: AsJson = False,
    no_report: NoReport = False,
    consume_existing: ConsumeExisting = False,
) -> None:
    """Put a load on a broker that you run, and print what latency it gives: a quick look.

    User and password are read from BUSBENCH_USERNAME and BUSBENCH_PASSWORD (guest and guest where they are unset); for
    a user in the URI the password is asked for. Queues are declared, named busbench-…, and deleted afterwards.

    Exit codes: 0 done · 2 usage · 3 invalid trials · 4 host or broker failed · 130 interrupted.
    """
    from bench.cli import load_work, run_work  # noqa: PLC0415  (a second of Numba, pandas and matplotlib)
    from bench.cli.watching import watching  # noqa: PLC0415  (as above)

    asked = load_work.Line(
        uris=tuple(uris),
        rate=rate,
        in_flight=in_flight,
        search=search,
        size=size,
        duration=duration,
        warm_up=warm_up,
        producers=producers,
        consumers=consumers,
        durable=durable,
        queues=tuple(queue or ()),
        queue_type=queue_type,
        kind=kind,
        protocol=None if protocol == "auto" else protocol,
        driver=driver,
        repetitions=repetitions,
    )
    shown = run_work.shown(quiet=quiet, json=json, no_report=no_report, watch=watch)
    with watching(watch=watch, metrics=metrics, quiet=quiet) as watched:
        load_work.start(asked, save, out_folder, seed, shown, watched, consume_existing=consume_existing)
