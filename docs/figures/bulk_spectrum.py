"""The figure of docs/bulk_spectrum.md: four spectra of one random network each, over the law.

python docs/figures/bulk_spectrum.py FILE
"""

from __future__ import annotations

import sys

from matplotlib.figure import Figure

from empirical import measure
from meanfield import FIM, NTK, Network, spectrum
from meanfield.figures.density import draw_density
from meanfield.figures.saving import STYLE, own_style

PANELS = [
    ("tanh, L = 3, FIM, N = M/2", Network(3, "tanh", 3.0, 0.64), FIM(), 1000, 500),
    ("relu, L = 4, NTK, N = M", Network(4, "relu", 2.0, 0.1), NTK(), 800, 800),
    ("erf, no bias (centred), L = 3, FIM, N = M", Network(3, "erf", 2.0), FIM(), 800, 800),
    ("tanh, L = 3, M_0 = N/10, FIM, N = M", Network(3, "tanh", 3.0, 0.64, width_ratios=[0.1, 1, 1]), FIM(), 800, 800),
]


def main(path: str) -> None:
    with own_style(STYLE):
        figure = Figure(figsize=(9, 5.2), layout="constrained")
        for axes, (title, network, metric, width, samples) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
            trial = measure(network, metric, width=width, samples=samples, seed=1, spectrum="full")
            law = spectrum(network, metric, width=width, samples=samples, kernels=trial.order_parameters)
            draw_density(axes, law, trial.eigenvalues)
            axes.set_title(title)
        figure.savefig(path, metadata={"Date": None} if path.endswith("svg") else None)


if __name__ == "__main__":
    main(sys.argv[1])
