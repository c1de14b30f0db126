"""Markdown of a gate, for a pull request: the verdict first, then one table, then what to know."""

from collections.abc import Iterator

from reports.format import listed
from reports.gate.result import Gate, GateLine
from reports.gate.words import allowed, change, figure, percent

_COLUMNS = (
    "target", "workload", "metric", "baseline", "candidate", "change (interval)", "allowed", "detectable", "pairs",
    "verdict",
)  # fmt: skip


def to_markdown(gate: Gate) -> str:
    """Return a gate as Markdown text."""
    return "\n".join(_lines(gate)) + "\n"


def method(gate: Gate) -> str:
    """Return how it was decided, in two sentences."""
    how = (
        f"{gate.pairs} pairs a row, both sides in turn on one host"
        if gate.paired
        else f"stored results, {gate.pairs} trials a row"
    )
    known = [f"{name} {percent(share)}" for name, share in gate.noise_floor.items()]
    floor = f" Noise floor of the host: {listed(known)}." if known else " The host's noise floor is not known."
    return (
        f"{how[0].upper()}{how[1:]}. Two equal sides give a regression in at most {percent(gate.alarm)} of gates"
        f" (Holm over all lines); what is worse than its limit passes in {percent(gate.miss)};"
        f" `detectable` is found in {percent(gate.power)}.{floor}"
    )


def _lines(gate: Gate) -> Iterator[str]:
    yield f"**{_text(gate.sentence)}**"
    yield ""
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|---|---|---|" + "---:|" * (len(_COLUMNS) - 4) + "---|"
    for line in gate.lines:
        yield "| " + " | ".join(map(_text, _cells(line))) + " |"
    yield ""
    yield _text(method(gate)).replace("\\`", "`")
    if gate.remarks:
        yield ""
        yield from (f"- {_text(remark)}" for remark in gate.remarks)
    yield ""
    yield f"Baseline: {_text(gate.baseline)}. Candidate: {_text(gate.candidate)}."
    yield f"Host: {_text(' / '.join(gate.host_classes))}. Results: {listed([f'`{one}`' for one in gate.results])}."


def _cells(line: GateLine) -> Iterator[str]:
    yield from (line.target, line.workload, line.metric)
    yield from (figure(line, line.baseline), figure(line, line.candidate))
    yield change(line)
    yield allowed(line)
    yield percent(line.detectable)
    yield f"{line.n} of {line.planned}"
    needed = f" (about {line.needed} pairs would decide)" if line.needed is not None else ""
    yield f"{line.verdict}{needed}"


def _text(words: str) -> str:
    for mark in ("\\", "|", "*", "_", "<", "`"):
        words = words.replace(mark, f"\\{mark}")
    return words.replace("\n", " ")
