"""The gallery: run presets, and put their figures into ``docs/figures``. ``make gallery`` calls it.

What is stored already (in ``runs/gallery``) is not run again. Arguments: the presets to do, all if none is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

from verify import Sweep, compare, report, run
from verify.reporting import Document

ROOT = Path(__file__).parents[1]

# Preset → what is changed to keep the whole below half an hour of one processor, and the figures shown.
SHOWN: dict[str, tuple[list[str], list[str]]] = {
    "quick": ([], ["scaling-width-fim", "scaling-width-ntk", "scaling-width-input-metric", "extrapolation-fim",
                   "order-parameters-two-inputs"]),
    "widths": (["run.trials=10"], ["extrapolation-fim-layer-2"]),
    "samples": (["run.trials=8"], ["scaling-samples-ntk"]),
    "depths": (["run.trials=10"], ["scaling-width-ntk"]),
    "spectra": ([], ["spectra-fim-2", "spectra-fim-4", "distances-fim"]),
    "given_data": ([], ["eigenvalues-fim-1", "eigenvalues-fim-3", "data-fim-2"]),
    "data_slope": ([], ["data-fim-1", "data-fim-2", "eigenvalues-fim-2"]),
    "paper-fig3": ([], ["spectra-fim-1", "spectra-fim-layer-1-1", "spectra-fim-layer-2-1", "spectra-fim-layer-3-1",
                        "spectra-fim-cross-entropy-1"]),
    "paper-fig4": ([], ["scaling-width-fim-cross-entropy", "outliers-fim-cross-entropy-1"]),
    "paper-fig6": ([], ["spectra-ntk-1", "spectra-ntk-2", "spectra-ntk-centered-1", "spectra-ntk-centered-2"]),
    "paper-fig7": ([], ["spectra-input-metric-1", "spectra-input-metric-layer-0-1",
                        "spectra-input-metric-cross-entropy-1", "spectra-input-metric-layer-0-cross-entropy-1"]),
}  # fmt: skip


def main(presets: list[str]) -> None:
    for preset in presets or SHOWN:
        changes, figures = SHOWN[preset]
        sweep, folder = Sweep.preset(preset, changes), ROOT / "runs" / "gallery" / preset
        with run(sweep, folder.with_suffix(".sqlite")) as store:
            report(store, folder)
            told = Document(compare(sweep, store.trials()))
        print(f"{preset}: {told.headline}")
        print(*told.remarks, sep="\n")
        for figure in figures:
            on_paper((folder / "figures" / f"{figure}.svg").read_text("utf-8"), f"{preset}-{figure}.svg")


def on_paper(svg: str, name: str) -> None:
    """Write a figure on a white ground: it is shown on pages that may be dark."""
    end = svg.index("</title>") + len("</title>")
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    (ROOT / "docs" / "figures" / name).write_text(svg[:end] + ground + svg[end:], "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
