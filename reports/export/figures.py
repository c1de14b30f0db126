"""Every figure as SVG and PNG, named as the summary names it."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl

from bench.results.archive import write_whole
from reports.charts.svg import standalone
from reports.charts.theme import RC
from reports.figures import Picture

_DPI = 200


def write_figures(folder: Path, pictures: Iterable[Picture]) -> None:
    """Write `<name>.svg` and `<name>.png` for each figure; raise OSError where that fails."""
    for picture in pictures:
        name, words = picture.caption.name, f"{picture.caption.title}. {picture.caption.sentence}"
        write_whole(folder / f"{name}.svg", standalone(picture.figure, words))
        with mpl.rc_context(RC):
            picture.figure.savefig(folder / f"{name}.png", dpi=_DPI, facecolor="white", metadata={"Title": words})
