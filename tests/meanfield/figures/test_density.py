"""The whole spectrum as a figure."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from meanfield import FIM, Network, plot_density, spectrum


def test_edges_outliers_and_their_interval_are_in_the_legend() -> None:
    law = spectrum(Network(3, "tanh", 3.0, 0.64, outputs=2), FIM(), width=200, samples=50)
    figure = plot_density(law)
    (ax,) = figure.axes
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["bulk, theory", "edges of the bulk", "outliers, 95 % of networks"]
    spans = sorted((p.get_x(), p.get_x() + p.get_width()) for p in ax.patches)
    value, spread = law.outliers.values[0], law.outliers.std[0]
    assert spans[-1] == pytest.approx((value - 1.96 * spread, value + 1.96 * spread))
    assert "tanh" in ax.get_title()
    assert "$M$ = 200, $N$ = 50" in ax.get_title()


def test_it_draws_on_axes_that_are_given() -> None:
    ax = Figure().subplots()
    law = spectrum(Network(2, "tanh", 3.0, 0.64), FIM(), width=200, samples=50)
    assert plot_density(law, ax=ax) is ax.figure
