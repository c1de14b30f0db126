"""What is given away: the source archive of this checkout, and the wheel that is built from that."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def wheel(folder: Path) -> Path:
    """Build both in a folder, by what is installed here; return the wheel."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found
