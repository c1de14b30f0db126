"""Every notebook by "run all" in JupyterLab: `python -m tests.evidence.jupyter` does it in headless Chromium.

A copy of the notebooks is opened in a browser, as a reader would; all cells are run and the
notebook saved; each cell must have been run, none may have failed, and there must be a picture.
A screenshot of each is left in `results/page/` to be looked at.

Needs `chromium` beside what `make setup` installs. Two of the notebooks run real brokers.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat

from brokers.places.ports import free_ports
from tests.evidence.chromium import Browser, chromium

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
OUT = Path("results/page")
_PATIENCE_S = 60
_RUN_ALL = """
(async () => {
  const app = window.jupyterapp;
  await app.restored;
  const opened = await app.commands.execute("docmanager:open", { path: PATH, factory: "Notebook" });
  await opened.context.ready;
  await opened.sessionContext.ready;
  await app.commands.execute("notebook:run-all-cells");
  await app.commands.execute("docmanager:save");
})()
"""


def main() -> int:
    """Run all of every notebook; return the number of faults."""
    OUT.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="busbench-jupyter-") as scratch:
        root = Path(scratch) / "notebooks"
        shutil.copytree(NOTEBOOKS, root)
        with lab(root) as url, chromium() as browser:
            for notebook in sorted(root.glob("*.ipynb")):
                begun = time.monotonic()
                run_all(browser, url, notebook.name)
                browser.photograph(OUT / f"{notebook.stem}.png")
                found = list(faults_of(notebook))
                print(f"{notebook.name}: {time.monotonic() - begun:.0f} s, {', '.join(found) or 'nothing to report'}")
                faults += found
    return len(faults)


@contextmanager
def lab(root: Path) -> Iterator[str]:
    """Start JupyterLab on a folder and yield its address; end it afterwards."""
    token, port = secrets.token_hex(), free_ports().http
    options = [f"--ServerApp.root_dir={root}", f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser", *options],
        cwd=root,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}/lab?token={token}"
        _await(lambda: _answers(url), url)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def run_all(browser: Browser, url: str, name: str) -> None:
    """Open a notebook in the lab, run all of its cells and save it."""
    browser.open(url, width=1440, height=1000)
    _await(lambda: bool(browser.evaluate("Boolean(window.jupyterapp)")), url)
    browser.evaluate(_RUN_ALL.replace("PATH", f'"{name}"'))


def faults_of(path: Path) -> Iterator[str]:
    """Yield what a saved notebook lacks."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    unrun = sum(cell.execution_count is None for cell in cells)
    if unrun:
        yield f"{unrun} cells were not run"
    yield from (f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error")
    if not any("image/png" in output.get("data", {}) for output in outputs):
        yield "no picture"


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):  # noqa: S310  (our own server)
            return True
    except URLError:
        return False


def _await(ready: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
