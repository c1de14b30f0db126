"""Compiled code is kept by content: another clone has it at once, and an import makes no folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import jit

pytestmark = pytest.mark.compiled

CALL = """
import sys
from pathlib import Path
import numpy as np
from bench.loadgen import backpressure
home = Path(sys.argv[1])
assert not any(home.rglob("*")) or sys.argv[2] == "warm"
episodes = np.zeros((3, 1), np.int64)
backpressure.backpressure_between(episodes, 0, 0, 0, 0)
print(backpressure.__file__, sum(backpressure.backpressure_between.stats.cache_hits.values()))
"""


def called(tree: Path, home: Path, state: str) -> tuple[Path, int]:
    """Call a kernel of the suite in `tree`; return the file it came from, and how much of it was in the cache."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", CALL, str(home), state],
        cwd=home,
        env=os.environ | {"XDG_CACHE_HOME": str(home), "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    file, hits = done.stdout.split()
    return Path(file), int(hits)


def sources(tree: Path) -> None:
    """Copy what the kernels of `bench.loadgen.backpressure` need, and what has them."""
    root = Path(__file__).parents[2]
    for path in (root / "bench").rglob("*.py"):
        copy = tree / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


@pytest.mark.parametrize(
    "line",
    [
        "from bench.drivers.base import Sends",
        "from bench.drivers.base import (\n    Int64,\n    Sends,\n)",
        "from bench.drivers import base",
        "from bench.drivers import (\n    base as contract,\n    registry,\n)  # as ever",
    ],
)
def test_what_a_kernel_imports_is_seen_however_it_is_written(line: str) -> None:
    """A constant may come from any of them, and is compiled in."""
    root = Path(jit.__file__).parent
    assert root / "drivers/base.py" in set(jit._imported(f"import numpy\n{line}\nfrom bench.units import x\n".encode()))


def test_code_is_found_by_content(tmp_path: Path) -> None:
    """A first call compiles; another clone finds that, and one with another kernel in it, however far off, does not."""
    first, second, home = tmp_path / "first", tmp_path / "second", tmp_path / "home"
    home.mkdir()
    sources(first)
    sources(second)
    assert called(first, home, "cold") == (first / "bench/loadgen/backpressure.py", 0)
    assert called(second, home, "warm") == (second / "bench/loadgen/backpressure.py", 1)
    # The first has kernels; the second has none, but the order of columns that kernels read.
    for far in ("bench/record/buckets.py", "bench/drivers/base.py"):
        (second / far).write_text((second / far).read_text() + "\n# changed\n")
        assert called(second, home, "warm") == (second / "bench/loadgen/backpressure.py", 0)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """The code is compiled all the same."""
    tree = tmp_path / "tree"
    sources(tree)
    (tmp_path / "busbench").write_text("no folder")
    assert called(tree, tmp_path, "warm") == (tree / "bench/loadgen/backpressure.py", 0)


def test_code_kept_in_a_temporary_folder_goes_with_the_process(tmp_path: Path) -> None:
    """Where the cache cannot be written, nothing is left for the next process to find."""
    code = "from bench import jit; folder = jit._cache_folder(); assert folder.is_dir(); print(folder)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"XDG_CACHE_HOME": "/dev/null", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
