"""Histograms of the measured eigenvalues, with the predicted law of the bulk, its ends and mean, and the outliers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from meanfield.figures.ticks import log_ticks
from verify.judging.bulk import Bulk
from verify.judging.spectra import StoredSpectra
from verify.reporting.figures import style
from verify.reporting.figures.picture import IN_A_ROW, Drawing, Picture, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.bulk.law import SpectralDensity
    from verify.judging.verdict import Comparison

__all__ = ["draw_spectra", "spectra_rows", "spectra_section"]

BINS = 50
FEW = 3  # outliers that are drawn as lines; more would hide what was measured, and are ticks


_CAPTION = (
    "Eigenvalues per bin and network; outlined, the largest of each network, as many as theory has outliers. "
    "Dashed lines with triangles, or ticks above where they are many: predicted outliers. Small tick left of them: "
    "predicted mean of the bulk. Line, where there is one: the predicted law of the bulk, its ends ticked below."
)


def spectra_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """The pictures of each metric with stored spectra, a row of panels each."""
    pictures = []
    for metric in dict.fromkeys(s.metric for s in comparison.spectra):
        rows = spectra_rows(s for s in comparison.spectra if s.metric == metric)
        for number, row in enumerate(rows, start=1):
            name = style.slug(f"spectra {metric.label} {number}")
            pictures.append(Picture(name, metric.label, draw_spectra(name, row, comparison.bulks, names)))
    return Section("Spectra", _CAPTION, tuple(pictures))


def spectra_rows(spectra: Iterable[StoredSpectra]) -> list[tuple[StoredSpectra, ...]]:
    """The rows of panels for the spectra of one metric.

    A law measured at one size shares its row with others. Otherwise it has its own: along the sample numbers at its
    greatest width (along the widths, if there is but one sample number there), and one along N/M held fixed.
    """
    laws: defaultdict[str, list[StoredSpectra]] = defaultdict(list)
    for spectrum in sorted(spectra, key=_size):
        laws[spectrum.cell.law.digest].append(spectrum)
    alone = [law[0] for law in laws.values() if len(law) == 1]
    rows = [tuple(alone[i : i + IN_A_ROW]) for i in range(0, len(alone), IN_A_ROW)]
    for law in laws.values():
        widest = law[-1].cell
        at_widest = [s for s in law if s.cell.width == widest.width]
        proportional = [s for s in law if s.cell.samples * widest.width == s.cell.width * widest.samples]
        lines = [at_widest, proportional] if len(at_widest) > 1 else [law]
        rows += [_thinned(line) for line in lines if len(line) > 1]
    return rows


def _size(spectrum: StoredSpectra) -> tuple[int, int]:
    return spectrum.cell.width, spectrum.cell.samples


def _thinned(line: Sequence[StoredSpectra]) -> tuple[StoredSpectra, ...]:
    """At most ``IN_A_ROW`` of them, the first and the last among them."""
    count = min(len(line), IN_A_ROW)
    return tuple(line[i] for i in np.linspace(0, len(line) - 1, count).round().astype(int))


def draw_spectra(name: str, shown: Sequence[StoredSpectra], bulks: Iterable[Bulk], names: Mapping[str, str]) -> Drawing:
    """A row of spectra of one metric on common axes, eigenvalues counted per network."""
    titles = [f"{names[s.cell.law.digest]}, M = {s.cell.width}, N = {s.cell.samples}" for s in shown]
    edges = _edges(shown)
    laws = {(b.cell.key, b.metric): b.law for b in bulks}
    with style.panels(titles, height=2.5, sharey=True) as (figure, axes):
        highest = max(
            _draw(ax, spectrum, edges, list(names).index(spectrum.cell.law.digest))
            for ax, spectrum in zip(axes, shown, strict=True)
        )
        for ax, spectrum in zip(axes, shown, strict=True):
            law = laws.get((spectrum.cell.key, spectrum.metric))
            if law is not None:
                _draw_law(ax, law, edges)
        axes[0].set_ylim(0.5 / max(len(s.eigenvalues) for s in shown), 2 * highest)
        log_ticks(axes[0].yaxis)
        axes[0].set_ylabel("count per network")
        return style.drawing(
            figure,
            name,
            f"Eigenvalues of {shown[0].metric.label} with the predicted outliers: {'; '.join(titles)}",
        )


def _edges(shown: Sequence[StoredSpectra]) -> NDArray[np.float64]:
    """Bins, equal on a log axis, that hold all positive eigenvalues and predictions of a row."""
    values = np.concatenate([x for s in shown for x in (*s.eigenvalues, s.outliers, [s.bulk])])
    positive = values[np.isfinite(values) & (values > 0)]
    return np.geomspace(positive.min() / 1.1, positive.max() * 1.1, BINS + 1)


def _draw(ax: Axes, spectrum: StoredSpectra, edges: NDArray[np.float64], number: int) -> float:
    """Draw one panel; the count of its highest bin."""
    outliers = sorted({x for x in spectrum.outliers if np.isfinite(x)})
    # As many of each network are taken for outliers; eigenvalues are descending.
    count = int(np.sum(np.isfinite(spectrum.outliers)))
    shade: dict[str, Any] = {"color": style.colour(number)}
    highest = _stairs(ax, [e[count:] for e in spectrum.eigenvalues], edges, fill=True, alpha=0.55, **shade)
    if count:
        outlying = _stairs(ax, [e[:count] for e in spectrum.eigenvalues], edges, linewidth=1.1, **shade)
        highest = max(highest, outlying)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for outlier in outliers if len(outliers) <= FEW else ():
        ax.axvline(outlier, color=style.INK, linewidth=0.9, linestyle=(0, (4, 2)))
    mark = "v" if len(outliers) <= FEW else "|"
    ax.plot(outliers, [0.97] * len(outliers), mark, color=style.INK, transform=ax.get_xaxis_transform(), clip_on=False)
    if np.isfinite(spectrum.bulk):
        ax.plot([spectrum.bulk], [0.97], marker="|", markersize=9, color=style.INK, transform=ax.get_xaxis_transform())
    ax.set_xlabel("eigenvalue")
    log_ticks(ax.xaxis)
    return highest


def _draw_law(ax: Axes, law: SpectralDensity, edges: NDArray[np.float64]) -> None:
    """The law as expected counts in bins of the histogram's width, and the ends of its bulk."""
    low, high = np.log(max(law.lower, edges[0])), np.log(law.upper)
    half = 0.5 * np.log(edges[1] / edges[0])
    centre = np.linspace(low - half, high + half, 120)
    counts = law.multiplicity * (law.cdf(np.exp(centre + half)) - law.cdf(np.exp(centre - half)))
    ax.plot(np.exp(centre), counts, color=style.INK, linewidth=1.1)
    for edge in (law.lower, law.upper):
        ax.plot([edge], [0.03], marker="|", markersize=7, color=style.INK, transform=ax.get_xaxis_transform())


def _stairs(ax: Axes, networks: Sequence[NDArray[np.float64]], edges: NDArray[np.float64], **options: Any) -> float:
    counted = np.histogram(np.concatenate(networks), edges)[0] / len(networks)
    ax.stairs(counted, edges, **options)
    return float(counted.max())
