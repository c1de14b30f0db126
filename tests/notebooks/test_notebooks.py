"""Every notebook runs from top to bottom, is stored with what it shows, and holds no logic of its own."""

import ast
import importlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LIMIT_S = 600
"""For one cell; the longest runs trials on real brokers."""
SMALL_BYTES = 2_000_000


def test_there_are_notebooks() -> None:
    """The four that the README names are there."""
    assert [path.stem.partition("-")[0] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


def run_alone(path: Path) -> Any:
    """Return a notebook to run; one that starts brokers is a live test as well. The first runs always."""
    marks = [pytest.mark.live] if path.stem.startswith(("01", "03")) else []
    marks += [] if path.stem.startswith("01") else [pytest.mark.soak]
    return pytest.param(path, id=path.stem, marks=marks)


def stored(path: Path) -> Any:
    """Return a notebook as it lies there."""
    return json.loads(path.read_text())


@pytest.mark.notebook
@pytest.mark.parametrize("path", [run_alone(path) for path in NOTEBOOKS])
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All cells run in a fresh kernel, and each leaves what it promises: no error, no empty picture."""
    import nbformat  # noqa: PLC0415  (whoever collects the tests would wait seconds for it)
    from nbclient import NotebookClient  # noqa: PLC0415  (as above)

    # A copy, so that nothing is left beside the notebooks; their kernel finds `bench` as a user's does.
    place = tmp_path / "notebooks"
    shutil.copytree(FOLDER, place)
    for scenario in (place / "scenarios").glob("*.toml"):
        # What cells do with results is the point here; they need not be good ones.
        short = re.sub(r'^duration = "5s"', 'duration = "2s"', scenario.read_text(), flags=re.MULTILINE)
        scenario.write_text(short.replace('at_least = "4s", window = "2s"', 'at_least = "1s", window = "1s"'))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", resources={"metadata": {"path": str(place)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not any(output.output_type == "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_what_it_shows(path: Path) -> None:
    """Outputs of one run in order, with small pictures, no error and no folder of the machine it ran on."""
    notebook = stored(path)
    assert notebook["nbformat"] == 4
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not any(output["output_type"] == "error" for output in outputs)
    pictures = ["".join(output["data"]["image/png"]) for output in outputs if "image/png" in output.get("data", {})]
    assert pictures
    assert max(map(len, pictures)) < 80_000
    assert path.stat().st_size < 250_000
    assert "/tmp/" not in path.read_text()  # noqa: S108  (a name that must not be there)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_calls_is_there(path: Path) -> None:
    """Names that cells import from our packages, and members of imported modules that they use, exist."""
    known: dict[str, Any] = {}
    for cell in stored(path)["cells"]:
        lines = [line for line in "".join(cell["source"]).splitlines() if not line.lstrip().startswith(("!", "%"))]
        for node in ast.walk(ast.parse("\n".join(lines))) if cell["cell_type"] == "code" else ():
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in {
                "bench",
                "brokers",
                "reports",
            }:
                module = importlib.import_module(str(node.module))
                for name in node.names:
                    whole = f"{node.module}.{name.name}"
                    known[name.name] = getattr(module, name.name, None) or importlib.import_module(whole)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
                assert hasattr(known[node.value.id], node.attr), f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_logic(path: Path) -> None:
    """Cells call what the packages offer: they define nothing and decide nothing."""
    for cell in stored(path)["cells"]:
        if cell["cell_type"] == "code":
            lines = [line for line in "".join(cell["source"]).splitlines() if not line.lstrip().startswith(("!", "%"))]
            nodes = ast.walk(ast.parse("\n".join(lines)))
            assert not any(isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.If, ast.While)) for node in nodes)


def test_the_published_results_are_small() -> None:
    """What is committed for notebooks and tests stays under 2 MB."""
    assert sum(path.stat().st_size for path in (FOLDER / "data").rglob("*") if path.is_file()) < SMALL_BYTES
