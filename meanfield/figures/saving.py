"""How a figure becomes a file: the same bytes on every run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["saved_figure"]

# No date in the file, and its ids from a fixed salt.
_STYLE: dict[Any, Any] = {"svg.hashsalt": "meanfield", "svg.fonttype": "none", "font.size": 9}


@contextlib.contextmanager
def saved_figure(path: str | Path, size: tuple[float, float]) -> Iterator[Figure]:
    """An empty figure (inches), to be drawn inside the ``with`` and written at its end; the suffix says the format.

    Raises
    ------
    ValueError
        For a format that matplotlib does not know, before anything is drawn.
    OSError
        If the file can't be written.
    """
    import matplotlib
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.figure import Figure

    suffix, known = Path(path).suffix[1:].lower(), FigureCanvasBase.get_supported_filetypes()
    if suffix not in known:
        raise ValueError(f"plot: expected a file name ending in .{', .'.join(sorted(known))}, got {str(path)!r}")
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        figure.savefig(path, dpi=150, metadata={"Date": None} if suffix == "svg" else None)
