"""How a figure becomes a file: the same bytes on every run, whatever the user's own settings of matplotlib are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meanfield.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["is_picture", "own_style", "saved_figure"]

# No date in the file, and its ids from a fixed salt.
_STYLE: dict[Any, Any] = {"svg.hashsalt": "meanfield", "svg.fonttype": "none", "font.size": 9}


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
def saved_figure(path: str | Path, size: tuple[float, float]) -> Iterator[Figure]:
    """An empty figure (inches), to be drawn inside the ``with`` and written at its end, in place of what is there; the
    suffix says the format.

    Raises
    ------
    ValueError
        For a format that matplotlib does not know, before anything is drawn; if the file can't be written.
    """
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.figure import Figure

    suffix, known = Path(path).suffix[1:].lower(), FigureCanvasBase.get_supported_filetypes()
    if suffix not in known:
        raise ValueError(f"plot: expected a file name ending in .{', .'.join(sorted(known))}, got {str(path)!r}")
    with own_style(_STYLE), whole_file("plot", Path(path), force=True) as partial:
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        figure.savefig(partial, format=suffix, dpi=150, metadata={"Date": None} if suffix == "svg" else None)
