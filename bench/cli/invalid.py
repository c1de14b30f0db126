"""What a run says first when it ends: which trials are invalid, and why."""

from bench import archive

_NAMED = 8
"""Trials that a reason names by number."""


def invalid_words(finished: archive.Run) -> list[str]:
    """Return the number of invalid trials, then a line for each reason with its trials and advice; else nothing."""
    invalid = [trial.record for trial in finished.trials if not trial.record.valid]
    if not invalid:
        return []
    reasons: dict[str, list[tuple[int, str]]] = {}
    for record in invalid:
        hard = [(note.code, note.text) for note in record.health if note.hard]
        for code, text in hard or [(str(record.outcome), record.reason)]:
            reasons.setdefault(code, []).append((record.index, text))
    first = f"{len(invalid)} of {len(finished.trials)} trials are invalid and left out of every comparison"
    return [first, *(_reason(code, found) for code, found in reasons.items())]


def _reason(code: str, found: list[tuple[int, str]]) -> str:
    trials = ", ".join(str(index) for index, _ in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{code} (trial{'s' if len(found) > 1 else ''} {trials}{more}): {found[0][1]}"
