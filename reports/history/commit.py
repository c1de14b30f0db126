"""Where the code of a run stands among commits: what orders a series and keeps branches apart. Pure."""

from dataclasses import asdict, dataclass

UNKNOWN = -1
"""A position that is not known."""


@dataclass(frozen=True)
class MeasuredCommit:
    """What a run measured; texts are empty where they are not known.

    Attributes:
        commit: its name, or any word for what was measured.
        parent: its first parent.
        branch: what it was measured on; for a pull request a name of its own, such as `pull/7`.
        main: the main branch; runs of a branch that is called otherwise never join its series.
        position: commits from the first one to this one, first parents only; -1 where unknown.
        committed_utc: when it was committed, ISO 8601 with its offset.
        base: the newest commit of the main branch in it; on the main branch, itself.
        base_position, base_committed_utc: of that.
    """

    commit: str
    parent: str = ""
    branch: str = ""
    main: str = ""
    position: int = UNKNOWN
    committed_utc: str = ""
    base: str = ""
    base_position: int = UNKNOWN
    base_committed_utc: str = ""

    def columns(self) -> dict[str, str | int]:
        """Return it as columns of the store."""
        return asdict(self)


COMMIT = tuple(MeasuredCommit.__dataclass_fields__)
"""Columns of the store that say what was measured."""
