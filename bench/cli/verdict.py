"""What `bench gate` found: as files, as a table, and as annotations."""

import platform
from collections.abc import Sequence

from bench.cli.console import EXIT_FAILED, fail, out
from bench.cli.gate import Wanted
from reports.gate.annotations import annotations
from reports.gate.junit import to_junit
from reports.gate.markdown import method, to_markdown
from reports.gate.record import Gate
from reports.gate.words import allowed, change, figure, percent


def write(found: Gate, wanted: Wanted, took_s: float) -> None:
    """Write every file that was asked for; leave with 4 where one cannot be written."""
    texts = (
        (wanted.junit, "--junit", to_junit(found, platform.node() or "localhost", took_s)),
        (wanted.md, "--md", to_markdown(found)),
        (wanted.json, "--json", found.model_dump_json(indent=1) + "\n"),
    )
    for path, option, text in texts:
        if path is not None:
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                fail(EXIT_FAILED, f"{option} {path} cannot be written ({error.strerror}): name a file that can")


def print_annotations(found: Gate) -> None:
    """Print what GitHub turns into annotations."""
    for line in annotations(found):
        out.print(line)


def print_gate(found: Gate) -> None:
    """Print every line, how it was decided, what to know, and the verdict last."""
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
    _print_table(rows)
    out.print(method(found).replace("`", ""))
    for remark in found.remarks:
        out.print(f"  {remark}")
    out.print(found.sentence)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        out.print("  ".join((first.ljust(widths[0]), *cells)))
