"""The figure of all eigenvalues holds the numbers of the prediction and of the networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meanfield import FIM, Network, plot_eigenvalues, predict

NETWORK = Network(3, "relu", 2.0, 0.1, outputs=2)
X = np.random.default_rng(4).standard_normal((12, 7))
ASKED = {"width": 60, "inputs": X}


def test_it_holds_theory_and_networks(tmp_path: Path) -> None:
    p = predict(NETWORK, FIM(), **ASKED)
    networks = np.repeat(p.eigenvalues, 2) * np.exp(0.1 * np.random.default_rng(1).standard_normal((5, 24)))
    figure = plot_eigenvalues(p, tmp_path / "x.svg", networks)
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), np.repeat(p.eigenvalues, 2))
    assert figure.axes[0].get_yscale() == figure.axes[0].get_xscale() == "log"
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["95 % of networks", "theory"]
    assert (tmp_path / "x.svg").stat().st_size > 1000
    alone = plot_eigenvalues(p, measured=networks[0], ax=figure.axes[0])
    assert alone is figure


def test_what_is_not_resolved_is_marked() -> None:
    linear = predict(Network(1, "linear", 1.0), FIM(), **ASKED)
    assert linear.resolved < 12
    words = [t.get_text() for t in plot_eigenvalues(linear).axes[0].get_legend().get_texts()]
    assert words == ["theory", "resolved above"]


def test_refusals() -> None:
    with pytest.raises(ValueError, match="plot: expected a prediction with inputs=X at one width"):
        plot_eigenvalues(predict(NETWORK, FIM(), width=60, samples=12))
    with pytest.raises(ValueError, match="measured: expected 24 eigenvalues a network"):
        plot_eigenvalues(predict(NETWORK, FIM(), **ASKED), measured=np.ones(7))
