"""A series of measurements that leaves files, and the page that is written from them.

Each step of a series leaves a JSON file in its folder; a step whose file is there is not
repeated, so that an interrupted series goes on where it stopped. What the figures mean
stands in the page above the mark, written by hand; below it nothing is.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.run.host_record import host_facts

ROOT = Path(__file__).parents[2]
MARK = "## Measured"
"""Heading of the part of a page that is written from the files."""


@dataclass(frozen=True)
class Step:
    """One measurement.

    Attributes:
        title: heading of its table.
        command: what writes its JSON file, whose name is appended.
        table: its JSON as lines of Markdown.
    """

    title: str
    command: tuple[str, ...]
    table: Callable[[Any], Iterator[str]]


def program(name: str, *flags: str) -> tuple[str, ...]:
    """Return the command of a program of this folder."""
    return (sys.executable, "-m", f"tests.evidence.{name}", *flags, "--json")


def measure(steps: Mapping[str, Step], folder: Path) -> list[str]:
    """Run the steps whose files are missing; return those that ended badly, whose figures are kept if they left any."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, step in steps.items():
        file = folder / f"{name}.json"
        if file.exists():
            continue
        sys.stderr.write(f"== {name}\n")
        begin = time.monotonic()
        partial = file.with_suffix(".partial")
        if subprocess.run([*step.command, str(partial)], cwd=ROOT, check=False).returncode:
            failed.append(name)
        if partial.exists():
            partial.rename(file)
        sys.stderr.write(f"== {name}: {time.monotonic() - begin:.0f} s\n")
    facts = host_facts(ROOT, ROOT) | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
    (folder / "host.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return failed


def render(steps: Mapping[str, Step], folder: Path, page: Path, command: str) -> None:
    """Write the page from its hand-written part and the measured files."""
    host = json.loads((folder / "host.json").read_text(encoding="utf-8"))
    machine = ", ".join(host[name] for name in ("cpu", "memory", "kernel", "distribution", "virtualisation", "python"))
    written = page.read_text(encoding="utf-8").partition(MARK)[0].rstrip()
    lines = [written, f"\n{MARK}\n", f"{host['date']}, {host['cpus']} CPUs: {machine}. Command: `{command}`."]
    for name, step in steps.items():
        file = folder / f"{name}.json"
        if file.exists():
            lines += [f"\n### {step.title}\n", *step.table(json.loads(file.read_text(encoding="utf-8")))]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def carry_out(steps: Mapping[str, Step], folder: Path, page: Path, about: str) -> int:
    """Be the program of a series: measure unless --render is given, render, and return 1 where a step ended badly."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--render", action="store_true")
    given = parser.parse_args()
    failed = [] if given.render else measure(steps, folder)
    render(steps, folder, page, "make evidence")
    for name in failed:
        sys.stderr.write(f"{name}: not as it must be\n")
    return 1 if failed else 0


def pairs(found: dict[str, Any] | list[dict[str, Any]]) -> Iterator[str]:
    """Return a table of names and values."""
    rows = found.items() if isinstance(found, dict) else ((row["what"], row["value"]) for row in found)
    yield "| what | figure |"
    yield "|---|---|"
    for name, value in rows:
        yield f"| {name} | {value if isinstance(value, str) else f'{value:,.2f}'.removesuffix('.00')} |"
