"""The house rules: who may import whom, which rooms are pure, how long a file may be.

Imports are read from the syntax tree, those inside functions included, so a rule cannot be
slipped past by importing late. Each rule is also shown a bad file and must object to it.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
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
        "bench.scenario",
        "bench.load",
        "bench.plan",
        "bench.results",
        "bench.reference",
        "bench.faults",  # words for the faults that a scenario's settings have
        "bench.scripted",  # parts of a scenario, as the two below
        "bench.profile",
        "bench.warming",
        "bench.products",  # what products say of their settings
    ),
    "brokers.registry": (
        "bench.scenario",  # a scenario may ask for the products that are installed
        "bench.faults",  # words for the faults that their settings have
        "bench.consistency",  # what settings of brokers and workloads forbid together
        "bench.products",  # what goes into the record of a run
    ),
    "brokers.product": ("bench.products",),
    "brokers.entry_points": ("bench.drivers",),  # how packages bring drivers, as they do products and places
    "brokers.durability": ("bench.durability", "bench.results"),  # classes of what a confirmed message survives
    "brokers.endpoint": ("bench.drivers", "bench.ceiling"),
    "brokers.sasl": ("bench.drivers",),  # pika's credentials, for drivers as for the control connection
    "brokers.sasl10": ("bench.drivers",),  # SASL over 1.0, for drivers as for admins
    "brokers.tls": ("bench.drivers",),  # certificates and their faults, for drivers as for the control connection
}
REPORTS_READ = (
    "bench.results",
    "bench.durability",  # classes and the evidence for them
    "bench.parity",  # which rows are alike
    "bench.schema_versions",  # the words that refuse a newer one
    "bench.archive",  # reads the folder that bench.results describes
    "bench.hostclass",  # whether two stored runs come from alike hosts
    "bench.record",
    "bench.scenario",
    "bench.stats",
    "bench.noise.floor",
    "bench.units",
    "bench.reference",  # writes models down, those of a summary too
)
PURE = (
    "bench.scenario",
    "bench.plan",
    "bench.rerun",
    "bench.schedule",
    "bench.source",
    "bench.profile",
    "bench.cumulative",
    "bench.scripted",
    "bench.warming",
    "bench.sizes",
    "bench.blocked",
    "bench.stats",
    "bench.units",
    "bench.hostclass",
    "bench.noise.floor",
    "bench.stamp",
    "bench.wire",
    "bench.results",
    "bench.schema_versions",
    "bench.model",
    "bench.cost",
    "bench.durability",
    "bench.parity",
    "bench.run.syncs",
    "bench.run.control",
    "bench.run.cost",
    "bench.run.merge",
    "bench.run.health",
    "bench.run.findings",
    "bench.run.reading",
    "bench.run.timeline",
    "bench.crosscheck.peer",
    "bench.crosscheck.artemis",
    "bench.crosscheck.perftest",
    "bench.crosscheck.pairing",
    "bench.crosscheck.pcap",
    "bench.crosscheck.frames091",
    "bench.crosscheck.frames10",
    "bench.crosscheck.wire",
    "bench.crosscheck.record",
    "bench.crosscheck.verdict",
    "brokers.settings",
    "brokers.endpoint",
    "brokers.durability",
    "brokers.log_patterns",
    "brokers.rabbitmq.settings",
    "brokers.rabbitmq.config",
    "brokers.qpid_broker_j.settings",
)
IMPURE = ("time", "socket", "subprocess", "os", "pathlib", "tempfile", "asyncio", "threading")


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
        "only bench.cli imports reports": within(name, "reports") and not within(importer, "reports", "bench.cli"),
        "drivers never import bench.run": within(importer, "bench.drivers") and within(name, "bench.run"),
        "bench.ceiling imports of bench.run only punctual": within(importer, "bench.ceiling")
        and within(name, "bench.run")
        and not within(name, "bench.run.punctual"),
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
    assert {"bench.scenario", "brokers.base", "reports.dataset"} <= set(names)
    assert [room for room in PURE if room not in names] == []


def test_imports_keep_their_direction() -> None:
    """No module imports what its room may not know."""
    found = {module: faults_of(module, path.read_text(), package=path.stem == "__init__") for module, path in modules()}
    assert {module: faults for module, faults in found.items() if faults} == {}


def test_files_are_short_and_say_what_they_are() -> None:
    """Every file has at most 600 lines and opens with a docstring."""
    found = {module: shape_faults(path.read_text()) for module, path in modules()}
    assert {module: faults for module, faults in found.items() if faults} == {}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("bench.scenario", "from brokers.base import Broker"),
        ("bench.pump", "import brokers.settings"),
        ("bench.pump", "from brokers import endpoint"),
        ("bench.drivers.pika", "from brokers.settings import External"),
        ("bench.drivers.pika", "from bench.run import board"),
        ("bench.drivers.pika", "from ..run.board import Board"),
        ("bench.doctor", "from brokers import image"),
        ("bench.ceiling.figures", "from bench.run.health import health"),
        ("bench.settings_like", "from brokers.settings_more import x"),
        ("brokers.rabbitmq.product", "from bench.units import NS_PER_S"),
        ("brokers.places.sandbox", "import reports"),
        ("reports.dataset", "from bench.run.health import judge"),
        ("reports.dataset", "from bench import clock"),
        ("reports.dataset", "from brokers.settings import External"),
        ("bench.run.conductor", "from reports import render"),
        ("bench.run.conductor", "from bench.crosscheck.conduct import conduct"),
        ("bench.crosscheck.perftest", "import subprocess"),
        ("bench.plan", "import time"),
        ("bench.stats.compare", "from pathlib import Path"),
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
    assert faults_of("bench.plan", f"import importlib\n{call}\n")


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("bench.scenario", "from brokers.settings import Frozen"),
        ("bench.drivers.base", "from brokers.endpoint import Endpoint"),
        ("bench.run.assignment", "from brokers.endpoint import Endpoint"),
        ("bench.cli.broker", "from brokers.open import open_broker"),
        ("bench.crosscheck.jvm", "from brokers.base import Broker"),
        ("bench.cli.crosschecking", "from bench.crosscheck.conduct import conduct"),
        ("bench.cli.report", "import reports"),
        ("reports.dataset", "from bench.archive import read"),
        ("reports.durability", "from bench.durability import Probe"),
        ("reports.parity", "from bench import parity"),
        ("reports.verdict", "from bench.stats.compare import DELTA"),
        ("bench.clock", "import time"),
        ("bench.run.conductor", "from bench.ceiling.kept import ceilings_of"),
        ("bench.plan", "from timeit import default_number"),
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
