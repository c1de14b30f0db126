"""The house rules: who may import whom, which rooms are pure, how long a file may be, what kernels take.

Imports are read from the syntax tree, those inside functions included, so a rule cannot be
slipped past by importing late. Each rule is also shown a bad file and must object to it.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "brokers", "reports")
LONGEST = 600

# Who starts brokers and works with them.
USE_BROKERS = ("bench.run", "bench.crosscheck", "bench.cli")
# Who else may import what of `brokers`.
BROKERS_ALLOWED = {
    "brokers.settings": (
        "bench.scenario.scenario",
        "bench.scenario.loading",
        "bench.plan.plan",
        "bench.results.records",
        "bench.scenario.reference",
        "bench.scenario.errors",  # words for the faults that a scenario's settings have
        "bench.scenario.sweep",  # what may be a name
        "bench.scenario.memory_broker",  # parts of a scenario, as the two below
        "bench.scenario.profile",
        "bench.scenario.warmup",
        "bench.scenario.absolute_limit",
        "bench.scenario.flow",
        "bench.scenario.load",
        "bench.scenario.topology",
        "bench.scenario.products",  # what products say of their settings
    ),
    "brokers.registry": (
        "bench.scenario.scenario",  # a scenario may ask for the products that are installed
        "bench.scenario.errors",  # words for the faults that their settings have
        "bench.scenario.flow_checks",  # what a broker has not of what flows ask for
        "bench.scenario.checks",  # what settings of brokers and workloads forbid together
        "bench.scenario.products",  # what goes into the record of a run
    ),
    "brokers.product": ("bench.scenario.products",),
    "brokers.entry_points": ("bench.drivers",),  # how packages bring drivers, as they do products and places
    "brokers.durability": (
        "bench.results.durability",
        "bench.results.product_record",
    ),  # classes of what a confirmed message survives
    "brokers.topology": ("bench.drivers", "bench.topology", "bench.scenario", "bench.run"),  # what is declared
    "brokers.endpoint": ("bench.drivers", "bench.ceiling"),
    "brokers.sasl": ("bench.drivers",),  # pika's credentials, for drivers as for the control connection
    "brokers.sasl10": ("bench.drivers",),  # SASL over 1.0, for drivers as for admins
    "brokers.plain_text": (
        "bench.untrusted",
        "bench.results.archive",
        "bench.drivers.base",
    ),  # text of others, escaped in records as it is in settings
    "brokers.cpu_numbers": (
        "bench.scenario.scenario",
        "bench.scenario.checks",
        "bench.scenario.products",
        "bench.host",
    ),  # CPUs as people and the kernel write them
    "brokers.ground": ("bench.results.comparability",),  # what the facts are called that brokers are compared in
    "brokers.byte_sizes": ("bench.units",),  # sizes as people write and read them
    "brokers.user_cache": ("bench.host.cache",),  # where the user's cache is
    "brokers.places.sandbox": ("bench.host.doctor",),  # why no sandbox can be started
    "brokers.regular_file": ("bench.untrusted",),  # what is no file is refused alike
    "brokers.frame091": ("bench.drivers",),  # the first look at octets, for drivers as for admins
    "brokers.admin.checked_connection": ("bench.drivers",),  # pika's connection with that look, for both
    "brokers.tls": ("bench.drivers",),  # certificates and their faults, for drivers as for the control connection
}
REPORTS_READ = (
    "bench.results",
    "bench.host.hostclass",  # whether two stored runs come from alike hosts
    "bench.record",
    "bench.scenario.scenario",
    "bench.scenario.reference",  # writes models down, those of a summary too
    "bench.stats",
    "bench.units",
    "bench.untrusted",  # files of other tools, of bounded size
    "brokers.ground",  # what the facts are called that brokers are compared in
    "brokers.plain_text",  # what brokers and strangers wrote, escaped
)
PURE = (
    "bench.scenario.scenario",
    "bench.scenario.absolute_limit",
    "bench.scenario.profile",
    "bench.scenario.memory_broker",
    "bench.scenario.warmup",
    "bench.scenario.settable",
    "bench.scenario.flow",
    "bench.scenario.load",
    "bench.scenario.topology",
    "bench.scenario.control_plane",
    "bench.scenario.backlog",
    "bench.topology",
    "bench.scenario.sweep",
    "bench.plan",
    "bench.arrivals",
    "bench.loadgen.source",
    "bench.loadgen.backpressure",
    "bench.stats",
    "bench.units",
    "bench.host.hostclass",
    "bench.wire",
    "bench.results.base",
    "bench.results.records",
    "bench.results.bare_path",
    "bench.results.product_record",
    "bench.results.search",
    "bench.results.schema_versions",
    "bench.results.cost",
    "bench.results.durability",
    "bench.results.comparability",
    "bench.run.cost",
    "bench.run.findings",
    "bench.run.fsync_count",
    "bench.run.health",
    "bench.run.merge",
    "bench.run.counts",
    "bench.run.phases",
    "bench.run.rate_evidence",
    "bench.run.timeline",
    "bench.crosscheck.artemis_perf",
    "bench.crosscheck.wire_times",
    "bench.crosscheck.frames091",
    "bench.crosscheck.frames10",
    "bench.crosscheck.pairing",
    "bench.crosscheck.pcap",
    "bench.crosscheck.peer",
    "bench.crosscheck.perftest",
    "bench.crosscheck.ratios",
    "bench.crosscheck.readings",
    "brokers.byte_sizes",
    "brokers.cpu_numbers",
    "brokers.ground",
    "brokers.credentials",
    "brokers.plain_text",
    "brokers.settings",
    "brokers.topology",
    "brokers.endpoint",
    "brokers.durability",
    "brokers.topology",
    "brokers.log_patterns",
    "brokers.rabbitmq.settings",
    "brokers.rabbitmq.config",
    "brokers.rabbitmq.queue_types",
    "brokers.qpid_broker_j.settings",
    "brokers.qpid_broker_j.translation",
    "brokers.artemis.routing",
    "brokers.activemq_classic.routing",
    "brokers.activemq_classic.settings",
)
IMPURE = ("time", "socket", "subprocess", "os", "pathlib", "tempfile", "asyncio", "threading", "ctypes", "select")
KERNELS = ("kernel", "kernel_entry", "kernel_part", "kernel_aside")
MOST_PARAMETERS = 8
AT_THE_TOP = 12
"""Modules that may lie directly in `bench`."""
SHARED_NAMES = {
    # Members of a contract: each product, place or driver has one of these.
    "admin": "how the queues of a product are declared, counted and deleted",
    "config": "the files and the command line of a product",
    "facts": "what is known of a product that runs",
    "routing": "a topology in the words of a product that has addresses and no bindings",
    "product": "the contract of a product, and each that fills it in",
    "settings": "what a scenario may ask of a product",
    "base": "the contract of the room, or the base of its models",
    "registry": "the members of a contract that are installed",
    "blocking_lane": "lanes over a library's blocking connection",
    "lane": "producers and consumers over a client library",
    "memory_broker": "the scripted broker in memory",
    "connection": "one connection of a port",
    "topology": "exchanges, queues and bindings: as a scenario asks for them, and as a broker is told",
    "port": "all connections of a worker",
    # One subject, seen by the rooms that measure, judge, store or draw it.
    "counts": "rates over a number of messages, by phase, and what backlogs took",
    "absolute_limit": "what a figure must keep to, whatever other runs had",
    "cache": "where something is kept that can be made again",
    "comparability": "which rows differ only in what a comparison is about",
    "cost": "what a trial costs in CPU time, memory and writes",
    "durability": "what a confirmed message survives",
    "errors": "what a user did wrong, in words",
    "noise_floor": "how much two alike brokers seem to differ",
    "page": "a report in HTML",
    "reference": "documentation that is generated from models",
    "search": "the search for the highest rate that a target sustains",
    "sustained": "whether a rate was sustained",
}
"""Names of modules that occur more than once, and the one meaning that each has everywhere."""


@dataclass(frozen=True)
class Import:
    """One imported name: `from a import b` is `a.b`, as `b` may be a module."""

    importer: str
    line: int
    name: str

    def __str__(self) -> str:
        """Return place and name, as a failing test prints them."""
        return f"{self.importer}:{self.line} imports {self.name}"


def within(name: str, *rooms: str) -> bool:
    """Return whether a dotted name is one of these rooms or lies in one."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def imports(module: str, source: str, *, package: bool = False) -> Iterator[Import]:
    """Yield everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                above = parts[: len(parts) - node.level + package]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                yield Import(module, node.lineno, f"{base}.{alias.name}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"__import__", "importlib.import_module"}:
            literals = (word.value for word in node.args[:1] if isinstance(word, ast.Constant))
            yield from (Import(module, node.lineno, str(literal)) for literal in literals)


def fault(found: Import) -> str | None:
    """Return the rule that an import breaks, or None."""
    importer, name = found.importer, found.name
    allowed = [room for room, users in BROKERS_ALLOWED.items() if within(importer, *users)]
    broken = {
        "a pure room knows no clock, socket, file or process": within(importer, *PURE) and within(name, *IMPURE),
        "brokers imports nothing of bench and reports": within(importer, "brokers")
        and within(name, "bench", "reports"),
        f"reports imports only {', '.join(REPORTS_READ)}": within(importer, "reports")
        and within(name, "bench", "brokers")
        and not within(name, *REPORTS_READ),
        "reports read of a broker what its record says": within(importer, "reports")
        and within(name, "bench.scenario.scenario.MemoryBroker"),
        "only bench.cli imports reports": within(name, "reports") and not within(importer, "reports", "bench.cli"),
        "bench.wire knows the contract of drivers, and none of them": within(importer, "bench.wire")
        and within(name, "bench.drivers")
        and not within(name, "bench.drivers.base"),
        "bench.wire makes no system call": within(importer, "bench.wire") and within(name, "bench.host.libc"),
        "what bench.wire compiles is compiled by bench.jit": within(importer, "bench.wire") and within(name, "numba"),
        "drivers never import bench.run": within(importer, "bench.drivers") and within(name, "bench.run"),
        "bench.ceiling imports nothing of bench.run": within(importer, "bench.ceiling") and within(name, "bench.run"),
        "only bench.cli imports bench.crosscheck": within(name, "bench.crosscheck")
        and not within(importer, "bench.crosscheck", "bench.cli"),
        f"only {', '.join(USE_BROKERS)} import brokers, beside what is allowed above": within(importer, "bench")
        and within(name, "brokers")
        and not within(importer, *USE_BROKERS)
        and not within(name, *allowed),
    }
    return next((rule for rule, is_broken in broken.items() if is_broken), None)


def shape_faults(source: str) -> list[str]:
    """Return what is wrong with a file as a whole: its length, its opening."""
    lines = len(source.splitlines())
    faults = [f"{lines} lines, at most {LONGEST} are allowed"] if lines > LONGEST else []
    if not ast.get_docstring(ast.parse(source)):
        faults.append("does not open with a docstring")
    return faults


def kernel_faults(source: str) -> list[str]:
    """Return which kernels take too much by place, or neighbours that could be swapped in silence.

    Those are arrays, or tables, of one annotation. Many of them belong into a NamedTuple, made by keyword.
    """
    faults = []
    for node in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
        if not any(isinstance(mark, ast.Name) and mark.id in KERNELS for mark in node.decorator_list):
            continue
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if len(parameters) > MOST_PARAMETERS:
            faults.append(f"{node.name} takes {len(parameters)} parameters, at most {MOST_PARAMETERS} are allowed")
        for one, other in pairwise(parameters):
            kind = ast.unparse(one.annotation) if one.annotation else "nothing that is said"
            if other.annotation and kind == ast.unparse(other.annotation) and kind not in {"int", "bool", "float"}:
                faults.append(f"{node.name} takes {one.arg} beside {other.arg}, both {kind}")
    return faults


def addresses(source: str) -> list[int]:
    """Return the lines that ask an array for its address."""
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    return [node.lineno for node in found if node.attr in {"ctypes", "__array_interface__"}]


def modules() -> list[tuple[str, Path]]:
    """Return name and file of every module of the three packages."""
    found = []
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def faults_of(module: str, source: str, *, package: bool = False) -> list[str]:
    """Return every broken import rule of a module, with its place."""
    found = ((one, fault(one)) for one in imports(module, source, package=package))
    return sorted({f"{one}: {rule}" for one, rule in found if rule})


def test_the_walk_finds_the_house() -> None:
    """The rules below are applied to all three packages, and every pure room exists."""
    names = [name for name, _ in modules()]
    assert {"bench.scenario.scenario", "brokers.base", "reports.dataset"} <= set(names)
    assert [room for room in PURE if room not in names] == []


def test_imports_keep_their_direction() -> None:
    """No module imports what its room may not know."""
    found = {module: faults_of(module, path.read_text(), package=path.stem == "__init__") for module, path in modules()}
    assert {module: faults for module, faults in found.items() if faults} == {}


def test_files_are_short_and_say_what_they_are() -> None:
    """Every file has at most 600 lines and opens with a docstring."""
    found = {module: shape_faults(path.read_text()) for module, path in modules()}
    assert {module: faults for module, faults in found.items() if faults} == {}


def test_kernels_take_tables() -> None:
    """No kernel takes a long row of arrays whose order nobody checks."""
    found = {module: kernel_faults(path.read_text()) for module, path in modules()}
    assert {module: faults for module, faults in found.items() if faults} == {}


def test_a_kernel_that_takes_too_much_is_seen() -> None:
    """Parameters are counted under every decorator; two arrays side by side could be swapped, two numbers are few."""
    many = ", ".join(f"p{n}: int" for n in range(MOST_PARAMETERS + 1))
    for mark in KERNELS:
        assert kernel_faults(f"@{mark}\ndef f({many}): ...") == ["f takes 9 parameters, at most 8 are allowed"]
        assert kernel_faults(f"@{mark}\ndef f(a: Int64, b: Int64): ...") == ["f takes a beside b, both Int64"]
        assert kernel_faults(f"@{mark}\ndef f(a: int, b: int, c: Octets, d: Int64, *, e: bool): ...") == []
    assert kernel_faults(f"def f({many}): ...") == []


def test_codecs_ask_for_no_addresses() -> None:
    """What waits, reads and sends needs them; it lives with the drivers."""
    codecs = {module: addresses(path.read_text()) for module, path in modules() if within(module, "bench.wire")}
    assert {module: lines for module, lines in codecs.items() if lines} == {}
    assert addresses((ROOT / "bench/drivers/wire/receive_loop.py").read_text())


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return each circle of imports once (Tarjan's strongly connected components of more than one module)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in edges[module]:
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            circle = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(circle) > 1:
                found.append(sorted(circle))

    for module in edges:
        if module not in order:
            visit(module)
    return found


def edges_of(sources: dict[str, str], packages: set[str]) -> dict[str, set[str]]:
    """Return which modules each imports when it is imported: those at the top of a file, not within functions."""
    edges = {}
    for module, source in sources.items():
        top = [node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = imports(module, "\n".join(map(ast.unparse, top)), package=module in packages)
        edges[module] = {
            name if name in sources else name.rpartition(".")[0]
            for name in (one.name for one in names)
            if name in sources or name.rpartition(".")[0] in sources
        } - {module}
    return edges


def test_imports_go_in_no_circle() -> None:
    """Each module can be understood after those that it imports."""
    found = modules()
    packages = {module for module, path in found if path.stem == "__init__"}
    assert circles(edges_of({module: path.read_text() for module, path in found}, packages)) == []


def test_a_circle_is_seen() -> None:
    """Two modules that import each other are one; a chain, or an import within a function, is none."""
    loop = {"a.x": "from a import y", "a.y": "from a.z import f", "a.z": "import a.x", "a.w": "import a.x"}
    assert circles(edges_of(loop, set())) == [["a.x", "a.y", "a.z"]]
    assert circles(edges_of({**loop, "a.z": "def f():\n    import a.x"}, set())) == []


def test_a_name_has_one_meaning() -> None:
    """No class is defined twice, and a module's name occurs once, or wherever it means the same.

    A verb of the command line has the name of what it does.
    """
    classes: dict[str, list[str]] = {}
    files: dict[str, list[str]] = {}
    for module, path in modules():
        if path.stem not in {"__init__", "__main__"} and path.parent != ROOT / "bench/cli":
            files.setdefault(path.stem, []).append(module)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(module)
    assert {name: where for name, where in classes.items() if len(where) > 1} == {}
    twice = {name: where for name, where in files.items() if len(where) > 1}
    assert {name: where for name, where in twice.items() if name not in SHARED_NAMES} == {}
    assert [name for name in SHARED_NAMES if name not in twice] == []


def test_few_modules_lie_in_no_room() -> None:
    """A newcomer looks into a dozen at most before choosing a room."""
    assert len(list((ROOT / "bench").glob("*.py"))) <= AT_THE_TOP


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("bench.scenario.scenario", "from brokers.base import Broker"),
        ("bench.loadgen.pump", "import brokers.settings"),
        ("bench.loadgen.pump", "from brokers import endpoint"),
        ("bench.drivers.pika", "from brokers.settings import External"),
        ("bench.drivers.pika", "from bench.run import board"),
        ("bench.drivers.pika", "from ..run.board import Board"),
        ("bench.host.doctor", "from brokers import image"),
        ("bench.ceiling.stored", "from bench.run.health import health"),
        ("bench.wire.amqp10_scan", "from bench.host import libc"),
        ("bench.wire.octets", "from numba.core import types"),
        ("bench.wire.octets", "import ctypes"),
        ("bench.settings_like", "from brokers.settings_more import x"),
        ("brokers.rabbitmq.product", "from bench.units import NS_PER_S"),
        ("brokers.places.sandbox", "import reports"),
        ("reports.dataset", "from bench.run.health import judge"),
        ("reports.dataset", "from bench.host import clock"),
        ("reports.dataset", "from brokers.settings import External"),
        ("reports.durability", "from brokers.registry import products"),
        ("reports.caveats", "from bench.scenario.products import describe"),
        ("reports.tables", "from bench.scenario.scenario import MemoryBroker"),
        ("bench.run.conductor", "from reports import render"),
        ("bench.run.conductor", "from bench.crosscheck.conduct import conduct"),
        ("bench.crosscheck.perftest", "import subprocess"),
        ("bench.plan.plan", "import time"),
        ("bench.stats.ratio", "from pathlib import Path"),
        ("bench.run.health", "import os.path"),
        ("brokers.endpoint", "import socket"),
    ],
)
def test_a_forbidden_import_is_seen(module: str, line: str) -> None:
    """Each rule objects, at the top of a file as well as inside a function, and names the line."""
    assert faults_of(module, line)
    [inside] = faults_of(module, f"def late():\n    {line}\n")
    assert inside.startswith(f"{module}:2 imports ")


@pytest.mark.parametrize("call", ["__import__('time')", "importlib.import_module('subprocess')"])
def test_an_import_by_call_is_seen(call: str) -> None:
    """Importing by a call with a literal name is an import."""
    assert faults_of("bench.plan.plan", f"import importlib\n{call}\n")


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("bench.scenario.scenario", "from brokers.settings import Frozen"),
        ("bench.drivers.base", "from brokers.endpoint import Endpoint"),
        ("bench.run.worker_assignment", "from brokers.endpoint import Endpoint"),
        ("bench.cli.broker", "from brokers.opening import open_broker"),
        ("bench.crosscheck.jvm", "from brokers.base import Broker"),
        ("bench.cli.crosscheck_work", "from bench.crosscheck.conduct import conduct"),
        ("bench.cli.report", "import reports"),
        ("reports.dataset", "from bench.results.archive import read"),
        ("reports.exclusions", "from bench.results.durability import Probe"),
        ("reports.comparability", "from bench.results import comparability"),
        ("reports.verdict", "from bench.stats.ratio import DELTA"),
        ("bench.host.clock", "import time"),
        ("bench.wire.amqp10_encode", "from bench.drivers.base import Sends"),
        ("bench.run.conductor", "from bench.ceiling.stored import ceilings_of"),
        ("bench.plan.plan", "from timeit import default_number"),
    ],
)
def test_an_allowed_import_passes(module: str, line: str) -> None:
    """The rules forbid no more than they say: a room's own name is not that of a longer one."""
    assert faults_of(module, line) == []


def test_a_relative_import_of_a_package_stays_inside_it() -> None:
    """In an `__init__.py` one dot is the package itself, in a module the package around it."""
    assert [one.name for one in imports("bench.cli", "from .main import x", package=True)] == ["bench.cli.main.x"]
    assert [one.name for one in imports("bench.cli.run", "from .main import x")] == ["bench.cli.main.x"]


def test_long_files_and_files_without_a_docstring_are_seen() -> None:
    """600 lines pass and 601 do not; a comment is no docstring."""
    opening = '"""What lives here."""\n'
    assert shape_faults(opening + "x = 1\n" * (LONGEST - 1)) == []
    assert shape_faults(opening + "x = 1\n" * LONGEST) == ["601 lines, at most 600 are allowed"]
    assert shape_faults("# What lives here.\nx = 1\n") == ["does not open with a docstring"]


def test_live_tests_stand_where_make_test_looks_for_them() -> None:
    """It collects them from these paths alone; elsewhere they would never run."""
    [paths] = re.findall(r"^LIVE := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    marked = [
        path.relative_to(ROOT)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if path != Path(__file__) and "pytest.mark.live" in path.read_text()
    ]
    assert marked
    for path in marked:
        assert any(path.is_relative_to(place) for place in paths.split()), path
