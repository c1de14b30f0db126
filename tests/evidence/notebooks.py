"""The notebooks with their outputs: `python -m tests.evidence.notebooks` runs each in place and stores what it shows.

A host of notebooks shows stored outputs to readers who run nothing. Pictures are small. 01 and 03 start brokers, so the
machine should have nothing else to do. Names of temporary folders are shortened, so that nothing of this machine stays.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
LIMIT_S = 1_800
_TEMPORARY = re.compile(r"/tmp/tmp\w+|" + re.escape(str(Path(__file__).parents[2])))  # noqa: S108  (to be found)


def main(names: list[str]) -> int:
    """Run the notebooks of these names, or all."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for path in sorted(FOLDER.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=LIMIT_S, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
        ).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            cell["outputs"] = [_shown(output) for output in cell.get("outputs", ())] if "outputs" in cell else []
            if cell.cell_type != "code":
                del cell["outputs"]
        notebook.metadata.pop("language_info", None)
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


def _shown(output: Any) -> Any:
    """Return an output without names of this machine's folders."""
    if output.output_type == "stream":
        output["text"] = _TEMPORARY.sub("folder", output["text"])
    for kind, text in output.get("data", {}).items():
        if kind.startswith("text/"):
            output["data"][kind] = _TEMPORARY.sub("folder", text)
    return output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
