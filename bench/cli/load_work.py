"""The work of `bench load`: from options to a scenario of one load, which then runs as any other."""

import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import tomlkit
import typer
from pydantic import ValidationError

from bench.cli import run_work, search_work
from bench.cli.console import EXIT_FAILED, EXIT_USAGE, as_typed, err, fail
from bench.cli.watching import Watching
from bench.plan.plan import make_plan
from bench.results.archive import write_whole
from bench.run.search import SearchOptions
from bench.scenario.errors import Fault, ScenarioError
from bench.scenario.loading import Loaded, load_text
from bench.scenario.reference import SCHEMA_FILE, SCHEMA_LINE, schema_text
from bench.units import NS_PER_S
from brokers.admin.handshake import answers
from brokers.endpoint import Protocol
from brokers.places.external import address
from brokers.settings import External

_DRIVERS: dict[Protocol, str] = {"amqp091": "wire091", "amqp10": "wire10"}
_DEFAULT_RATE = 1_000.0
_LONGEST_NAME = 24
_OPTIONS = (
    (r"brokers\.(\d+)\.external\.queues.*", "--queue"),
    (r"brokers\.(\d+)\.(transient|durable)_queue", "--queue-type"),
    (r"brokers\.(\d+)\.external.*", "URI"),
    (r"brokers\.(\d+)\.kind", "--kind"),
    (r"targets\.(\d+)\.(driver|protocol)", "--driver"),
    (r"workloads\.0\.load\.rate", "--rate"),
    (r"workloads\.0\.load\.in_flight.*", "--in-flight"),
    (r"workloads\.0\.(size|duration|producers|consumers|durable).*", r"--\1"),
    (r"plan\.warm_up.*", "--warm-up"),
    (r"plan\.repetitions", "--repetitions"),
)
"""What a user calls the fields of the scenario."""


@dataclass(frozen=True)
class Line:
    """The options of `bench load`; see there."""

    uris: tuple[str, ...]
    rate: float | None = None
    in_flight: int | None = None
    search: bool = False
    size: str = "100"
    duration: str = "10s"
    warm_up: str = "10s"
    producers: int = 1
    consumers: int = 1
    durable: bool = False
    queues: tuple[str, ...] = ()
    queue_type: str | None = None
    kind: str | None = None
    protocol: Protocol | None = None
    driver: str | None = None
    repetitions: int = 1

    def options(self) -> dict[str, object]:
        """Return what was given, as it is typed."""
        given = {
            field.name: value
            for field in fields(self)
            if field.name not in {"uris", "queues"} and (value := getattr(self, field.name)) != field.default
        }
        return {f"--{name.replace('_', '-')}": value for name, value in given.items()} | {"--queue": self.queues}


def start(
    asked: Line,
    save: Path | None,
    folder: Path | None,
    seed: int | None,
    shown: run_work.Shown,
    watched: Watching,
    *,
    consume_existing: bool,
) -> None:
    """Run the load, or write the scenario that it stands for."""
    if faults := [*_contradictions(asked, shown)]:
        fail(EXIT_USAGE, *faults)
    text = tomlkit.dumps(document(asked, _protocols(asked)))
    try:
        loaded = replace(load_text(text, "load"), quick=True)
    except ScenarioError as error:
        fail(EXIT_USAGE, *map(str, as_options(error.faults)))
    if save is not None:
        _save(save, text)
        return
    _ask_for_passwords(loaded)
    chosen = secrets.randbelow(1 << 31) if seed is None else seed
    options = asked.options() | {"--consume-existing": consume_existing, "--seed": chosen}
    command = as_typed("load", *asked.uris, options=options)
    if asked.search:
        _search(loaded, chosen, folder, command, watched, consume_existing=consume_existing)
        return
    planned = make_plan(loaded.scenario, chosen)
    place, record, roots = run_work.begin(
        loaded, planned, chosen, folder, "load", command, consume_existing=consume_existing, said=_as_typed
    )
    run_work.carry_out(record, place, roots, shown, watched, consume_existing=consume_existing)


def document(asked: Line, protocols: Sequence[Protocol]) -> dict[str, Any]:
    """Return the scenario that a load stands for, as a file has it.

    Args:
        asked: the options.
        protocols: what is spoken to each broker.
    """
    names = [*_names(asked.uris)]
    kinds = [asked.kind or protocol for protocol in protocols]
    own_queue = {f"{'durable' if asked.durable else 'transient'}_queue": asked.queue_type} if asked.queue_type else {}
    external = {"queues": list(asked.queues)} if asked.queues else {}
    in_flight = {"kind": "in_flight", "in_flight": [asked.in_flight]}
    load = (
        in_flight
        if asked.in_flight is not None
        else {"kind": "rate", "rate": _DEFAULT_RATE if asked.rate is None else asked.rate}
    )
    return {
        "name": "load",
        "title": f"One load on {' and '.join(names)}",
        "question": f"What latency {'does it' if len(names) == 1 else 'do they'} give under this load?",
        "brokers": [
            {"name": name, "kind": kind, "place": "external", "external": {"host": uri} | external} | own_queue
            for name, kind, uri in zip(names, kinds, asked.uris, strict=True)
        ],
        "targets": [
            {"name": name, "broker": name, "protocol": protocol, "driver": asked.driver or _DRIVERS[protocol]}
            for name, protocol in zip(names, protocols, strict=True)
        ],
        "workloads": [
            {
                "name": "load",
                "size": asked.size,
                "durable": asked.durable,
                "producers": asked.producers,
                "consumers": asked.consumers,
                "queues": len(asked.queues) or 1,
                "duration": asked.duration,
                "load": load,
            }
        ],
        "plan": {
            "repetitions": asked.repetitions,
            "restart": "run",
            "warm_up": {"at_least": asked.warm_up, "at_most": asked.warm_up, "settle": "1s"},
            "idle": False,
        },
    }


def as_options(faults: Sequence[Fault]) -> Iterator[Fault]:
    """Yield faults under the names of options; what several brokers have alike, once."""
    seen: set[Fault] = set()
    for fault in faults:
        named = fault
        for pattern, option in _OPTIONS:
            # What does not fit together is told of the whole, and begins with the field.
            field = re.match(r"\w+(?= = )", fault.text) if fault.path == "workloads.0" else None
            if match := re.fullmatch(pattern, f"{fault.path}.{field[0]}" if field else fault.path):
                named = Fault(match.expand(option), fault.text)
                break
        if named not in seen:
            seen.add(named)
            yield named


def _as_typed(fault: str) -> str:
    """Return a fault of a broker in the words of the command line."""
    return re.sub(r"\bworkloads\.load\.(\w+)", r"--\1", re.sub(r"^brokers\.\d+ \((.*?)\): ", r"\1: ", fault))


def _contradictions(asked: Line, shown: run_work.Shown) -> Iterator[str]:
    loads = {"--rate": asked.rate is not None, "--in-flight": asked.in_flight is not None, "--search": asked.search}
    given = [option for option, is_so in loads.items() if is_so]
    if len(given) > 1:
        yield f"{' and '.join(given)}: each is a load of its own: choose one"
    if asked.queue_type is not None and asked.kind is None:
        yield "--queue-type: kinds of queues are those of a product: name it with --kind, see `bench broker list`"
    if asked.search and shown.json:
        yield "--json: a search writes search.json, whose path it prints: leave --json out"
    twice = {uri for uri in asked.uris if asked.uris.count(uri) > 1}
    yield from (f"URI {uri!r} is given twice: name each broker once" for uri in sorted(twice))


def _names(uris: Sequence[str]) -> Iterator[str]:
    """Yield a name for each broker, made of its host."""
    taken: set[str] = set()
    for uri in uris:
        host = re.sub(r"^[a-z]+://", "", uri.lower()).rpartition("@")[2].partition("/")[0]
        plain = re.sub(r"[^a-z0-9._-]+", "-", host).strip("-._")[:_LONGEST_NAME] or "broker"
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}-{number}", number + 1
        taken.add(name)
        yield name


def _protocols(asked: Line) -> list[Protocol]:
    """Return what is spoken to each broker: as asked, or what its port answers to."""
    if asked.protocol is not None:
        return [asked.protocol] * len(asked.uris)
    return [_spoken(uri) for uri in asked.uris]


def _spoken(uri: str) -> Protocol:
    try:
        at = address(External(host=uri), "/", os.environ)
    except ValidationError:
        return "amqp091"  # the scenario says what is wrong with it
    if answers("amqp091", at):
        return "amqp091"
    # Where nobody answers, the run says why.
    return "amqp10" if answers("amqp10", at) else "amqp091"


def _ask_for_passwords(loaded: Loaded) -> None:
    for broker in loaded.scenario.brokers:
        external = getattr(broker, "external", None)
        if external is None or external.username is None or os.environ.get(external.password_env):
            continue
        if not sys.stdin.isatty():
            fail(
                EXIT_USAGE,
                f"no password for {external.username} at {external.host}: set {external.password_env}, or run this in a"
                " terminal to be asked",
            )
        said = typer.prompt(f"password of {external.username} at {external.host}", hide_input=True, err=True)
        os.environ[external.password_env] = said


def _search(
    loaded: Loaded, seed: int, folder: Path | None, command: str, watched: Watching, *, consume_existing: bool
) -> None:
    wanted = SearchOptions(
        base=search_work.base(loaded.scenario, None),
        rules=search_work.QUICK_RULES,
        short_ns=2 * NS_PER_S,
        hold_ns=10 * NS_PER_S,
        objective_ns=None,
        quick=True,
        curve=False,
        consume_existing=consume_existing,
    )
    search_work.carry_out(search_work.narrowed(loaded, wanted, []), wanted, seed, folder, command, None, watched)


def _save(place: Path, text: str) -> None:
    if place.exists():
        fail(EXIT_USAGE, f"--save {place} exists already: name a new file")
    schema = place.with_name(SCHEMA_FILE)
    if place.name == SCHEMA_FILE or (schema.exists() and schema.read_text(encoding="utf-8") != schema_text()):
        fail(EXIT_USAGE, f"--save {place}: {SCHEMA_FILE} is written beside it, and is taken: name another folder")
    try:
        write_whole(place, f"{SCHEMA_LINE}\n{text}")
        write_whole(schema, schema_text())
    except OSError as error:
        fail(EXIT_FAILED, f"--save {place} cannot be written ({error.strerror}): name a file in a folder with room")
    err.print(f"beside it, for editors: {SCHEMA_FILE}")
    err.print(f"to run it: bench run {place}")
