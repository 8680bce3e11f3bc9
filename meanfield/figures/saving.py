"""How a figure becomes a file: the same bytes on every run, whatever the user's own settings of matplotlib are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["STYLE", "canvas", "is_picture", "own_style"]

# No date in the file, and its ids from a fixed salt.
STYLE: dict[Any, Any] = {"svg.hashsalt": "meanfield", "svg.fonttype": "none", "font.size": 9}


def is_picture(path: Path) -> bool:
    """Whether a file is a picture that matplotlib has drawn, as those of the commands are: SVG, PNG, PDF or PS."""
    with path.open("rb") as file:
        start, rest = file.read(4096), file.read(2**24)
    known = (b"<?xml", b"\x89PNG", b"%PDF", b"%!PS")
    return start.startswith(known) and b"matplotlib" in (start + rest).lower()


@contextlib.contextmanager
def own_style(settings: dict[Any, Any]) -> Iterator[None]:
    """Matplotlib's defaults and these settings, and no ``matplotlibrc`` of the user: it may ask for LaTeX, say."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield


@contextlib.contextmanager
def canvas(
    size: tuple[float, float], path: str | Path | None = None, ax: Axes | Sequence[Axes] | None = None, panels: int = 1
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure and its axes, to be drawn inside the ``with``: a new one (inches) in our style, or that of ``ax`` in its
    own. At the end it is written to ``path``, if there is one, in place of what is there; the suffix says the format.

    Raises
    ------
    ValueError
        For a format that matplotlib does not know or another number of axes than ``panels``, before anything is drawn;
        if the file can't be written.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    from meanfield.figures.shown import ShownFigure

    suffix, known = "" if path is None else Path(path).suffix[1:].lower(), FigureCanvasBase.get_supported_filetypes()
    if path is not None and suffix not in known:
        raise ValueError(f"plot: expected a file name ending in .{', .'.join(sorted(known))}, got {str(path)!r}")
    given = [] if ax is None else list(np.atleast_1d(np.asarray(ax, dtype=object)).ravel())
    if ax is not None and len(given) != panels:
        raise ValueError(f"ax: expected {panels} axes, got {len(given)}")
    with own_style(STYLE) if ax is None else contextlib.nullcontext():
        figure = given[0].figure if given else ShownFigure(figsize=size, layout="constrained")
        yield figure, given or list(np.ravel(figure.subplots(1, panels)))
        if path is not None:
            with whole_file("plot", Path(path), force=True) as partial:
                figure.savefig(partial, format=suffix, dpi=150, metadata={"Date": None} if suffix == "svg" else None)
