"""Help and completion are quick: they load what they show, and nothing of what does the work."""

import os
import subprocess
import sys

import pytest

from bench.cli.gate import _FEWEST
from bench.cli.main import VERBS, verb
from bench.stats.noninferiority import MIN_PAIRS

HEAVY = ("pandas", "numba", "pyarrow", "scipy", "matplotlib", "pika", "proton")
LOADED = """
import atexit, sys
atexit.register(lambda: print("LOADED", *sys.modules))
sys.argv[0] = "bench"
from bench.cli import main
main()
"""


def loaded(*words: str, **environment: str) -> tuple[str, set[str]]:
    """Run the command; return what it printed, and every module that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, modules = done.stdout.rpartition("LOADED ")
    return said, set(modules.split())


def test_help_loads_nothing_but_itself() -> None:
    """Every verb stands there with its line."""
    said, modules = loaded("--help")
    for name, (_, line) in VERBS.items():
        assert f"  {name:<10}  {line}\n" in said
    assert not modules & {*HEAVY, "numpy", "pydantic", "bench.cli.run", "rich.markdown"}


def test_completion_of_a_verb_loads_none() -> None:
    """`bench g<TAB>`."""
    said, modules = loaded(_BENCH_COMPLETE="complete_bash", COMP_WORDS="bench g", COMP_CWORD="1")
    assert said.split() == ["gate"]
    assert not modules & {*HEAVY, "numpy", "bench.cli.gate"}


@pytest.mark.parametrize("name", VERBS)
def test_help_of_a_verb_loads_nothing_heavy(name: str) -> None:
    """Nor does completion of its options, which needs the same."""
    said, modules = loaded(name, "--help")
    assert "Usage:" in said
    assert not modules & set(HEAVY)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_where_the_list_says(name: str) -> None:
    """And is called so."""
    assert verb(name).name == name


def test_the_fewest_pairs_are_those_of_the_statistics() -> None:
    """The option cannot import them."""
    assert _FEWEST == MIN_PAIRS
