"""Where the verdict of a gate goes: files, the terminal, annotations."""

import os
import platform
from pathlib import Path

from bench.cli.console import EXIT_FAILED, fail, out, print_table, tell
from bench.cli.gate import GateFiles
from bench.results import archive
from reports.dataset import load
from reports.errors import ReportError
from reports.gate.export import annotations, method, to_junit, to_markdown
from reports.gate.judge import judge_limits
from reports.gate.pairs import GateError
from reports.gate.result import Gate
from reports.gate.words import allowed, change, figure, limit_of, limited, percent


def keep_gate(folder: Path, found: Gate) -> None:
    """Put the verdict beside the trials."""
    archive.write_whole(folder / "gate.json", found.model_dump_json(indent=1) + "\n")
    archive.write_whole(folder / "gate.md", to_markdown(found))


def write_gate(found: Gate, wanted: GateFiles, took_s: float) -> None:
    """Write every file that was asked for; leave with 4 where one cannot be written."""
    texts = (
        (wanted.junit, "--junit", to_junit(found, platform.node() or "localhost", took_s)),
        (wanted.md, "--md", to_markdown(found, wanted.comment)),
        (wanted.json, "--json", found.model_dump_json(indent=1) + "\n"),
    )
    for path, option, text in texts:
        if path is not None:
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                fail(EXIT_FAILED, f"{option} {path} cannot be written ({error.strerror}): name another file")


def check_limits(folder: Path, *, silently: bool) -> int:
    """Judge a run by the limits of its scenario, and keep and print that; return the exit code.

    Args:
        folder: results of the run.
        silently: whether the verdict alone is printed, on standard error.
    """
    try:
        found = judge_limits(load(folder), None, [str(folder)])
    except (GateError, ReportError) as error:
        tell(str(error))
        return EXIT_FAILED
    keep_gate(folder, found)
    if silently:
        tell(found.sentence, kind="check")
    else:
        print_gate(found)
    if os.environ.get("GITHUB_ACTIONS") == "true" and not silently:
        print_annotations(found)
    return found.exit_code


def print_annotations(found: Gate) -> None:
    """Print what GitHub turns into annotations."""
    for line in annotations(found):
        out.print(line)


def print_gate(found: Gate) -> None:
    """Print every line and limit, how it was decided, what to know, and the verdict last."""
    if found.lines:
        _print_lines(found)
    if found.limits:
        _print_limits(found)
    out.print(method(found).replace("`", ""))
    for remark in found.remarks:
        out.print(f"  {remark}")
    out.print(found.sentence)


def _print_limits(found: Gate) -> None:
    rows: list[tuple[str, ...]] = [("", "figure (interval)", "limit", "trials", "verdict")]
    rows += [
        (
            f"{line.target} · {line.workload} · {line.metric}",
            limited(line),
            limit_of(line),
            f"{line.n} of {line.planned}",
            line.verdict,
        )
        for line in found.limits
    ]
    print_table(rows)


def _print_lines(found: Gate) -> None:
    rows: list[tuple[str, ...]] = [
        ("", "baseline", "candidate", "change (interval)", "allowed", "detectable", "pairs", "verdict")
    ]
    rows += [
        (
            f"{line.target} · {line.workload} · {line.metric}",
            figure(line, line.baseline),
            figure(line, line.candidate),
            change(line),
            allowed(line),
            percent(line.detectable),
            f"{line.n} of {line.planned}",
            line.verdict,
        )
        for line in found.lines
    ]
    print_table(rows)
