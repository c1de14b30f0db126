"""A package that is installed as far as Python can tell: its metadata, and modules if it has any."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.drivers.registry import registry


def install(
    site: Path,
    package: str,
    points: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    group: str = "busbench.drivers",
) -> Path:
    """Write version 1.0 of a package into a folder that is to stand on sys.path; return its metadata folder."""
    folder = site / f"{package.replace('-', '_')}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]) if lines else "")
    for name, text in (files or {}).items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    return folder


@contextmanager
def on_path(site: Path) -> Iterator[None]:
    """Put a folder on sys.path, and have drivers looked for anew, until the context ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        registry.cache_clear()
        yield
    registry.cache_clear()
