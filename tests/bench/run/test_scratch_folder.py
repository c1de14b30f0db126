"""Scratch folders: held while a run goes on, removed when it ends, also when it was killed."""

import subprocess
import sys
from pathlib import Path

from bench.run.scratch_folder import scratch_folder


def test_a_killed_run_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    """What a SIGKILL left goes when the next run begins; what another run holds stays."""
    code = (
        "import sys, os, signal; from pathlib import Path\n"
        "from bench.run.scratch_folder import scratch_folder\n"
        "with scratch_folder(Path(sys.argv[1])) as f:\n"
        "    (f / 'data').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "data").exists()
    with scratch_folder(tmp_path) as first:
        assert not left.exists()
        with scratch_folder(tmp_path) as second:
            assert first.exists()
            assert first != second
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_of_a_run_stays(tmp_path: Path) -> None:
    """A file, or a link to somebody's folder, among scratch folders holds up no run and is not removed."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "file").write_text("x")
    (tmp_path / "runs" / "link").symlink_to(tmp_path)
    with scratch_folder(tmp_path / "runs") as folder:
        assert folder.is_dir()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["file", "link"]
