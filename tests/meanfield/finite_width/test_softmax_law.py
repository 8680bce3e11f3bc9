"""Cross-entropy at the refined order: its limits, its law, and real networks."""

from __future__ import annotations

import numpy as np
import pytest

from empirical import measure
from meanfield import FIM, NTK, InputMetric, Network, predict
from meanfield.finite_width.classes import class_of
from meanfield.finite_width.outliers import average
from meanfield.finite_width.refined import kernel_law
from meanfield.finite_width.softmax_draws import draw_networks
from meanfield.kernels.setting import Setting
from meanfield.propagation.recursion import order_parameters

NETWORK = Network(3, "tanh", 3.0, 0.64, outputs=4)
CROSS = {"loss": "cross_entropy"}
METRICS = [FIM(**CROSS), NTK(**CROSS), InputMetric(**CROSS)]


def refined(network, metric, width, samples, **options):
    return predict(network, metric, width=width, samples=samples, order="refined", **options)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_infinite_width_is_the_leading_order(metric):
    leading, found = (predict(NETWORK, metric, width=10**8, samples=50, order=o) for o in ("leading", "refined"))
    error = 4 * np.hypot(leading.error, found.error)  # both are means over drawn networks
    for name in ("mean", "second_moment", "largest"):
        assert float(getattr(found, name)) == pytest.approx(float(getattr(leading, name)), rel=error), name
        assert float(found.std[name]) == pytest.approx(float(leading.std[name]), rel=0.2), name


@pytest.fixture(scope="module")
def drawn():
    law = kernel_law(Setting.of(NETWORK, FIM(), order_parameters(NETWORK), 100, 40))
    return law, draw_networks(law, 9.0 * law.coupling, 4, 40)


def test_draws_have_the_moments_of_the_law(drawn):
    law, networks = drawn
    mean = law.mean + law.shift
    assert np.mean(networks.f**2) == pytest.approx(mean[0, 0], rel=0.03)
    product = np.einsum("tkn,tkm->tnm", networks.f, networks.f) / 4
    other = (product.sum((1, 2)) - np.trace(product, axis1=1, axis2=2)) / 40 / 39
    assert other.mean() == pytest.approx(mean[0, 1], rel=0.03)
    assert networks.same.mean() == pytest.approx(mean[1, 0], rel=0.01)
    assert networks.other.mean() == pytest.approx(mean[1, 1], rel=0.01)
    variances = law.covariance[:, 1, 1].sum(0)
    assert networks.other.var() == pytest.approx(variances[class_of(0, 1, 2, 3)], rel=0.1)
    assert networks.same.var() == pytest.approx(variances[class_of(0, 0, 0, 0)], rel=0.1)
    assert networks.shared[:, 0, 1].var() == pytest.approx(average(law.crossing, 40.0), rel=0.1)
    assert networks.diagonal[:, 0, 1].var() == pytest.approx(law.crossing[class_of(0, 0, 1, 1)], rel=0.15)


def test_logits_and_kernel_of_a_network_go_together(drawn):
    """Without the coupling of logits and kernel no entry of G knows the logits' common part."""
    law, networks = drawn
    common = networks.f.mean(axis=2)
    covariance = np.mean(common[:, 0] * common[:, 1] * networks.shared[:, 0, 1])
    alone = draw_networks(law, 0.0 * law.coupling, 4, 40)
    without = np.mean(common[:, 0] * common[:, 1] * alone.shared[:, 0, 1])
    assert covariance - without == pytest.approx(9.0 * law.coupling[class_of(0, 1, 2, 3)], rel=0.15)


def test_arrays_are_single_answers():
    p, one = refined(NETWORK, FIM(**CROSS), [[100], [200]], [20, 60]), refined(NETWORK, FIM(**CROSS), 200, 20)
    for name in ("mean", "second_moment", "largest"):
        assert getattr(p, name)[1, 0] == pytest.approx(getattr(one, name), rel=1e-12)
    assert p.interval()["outliers"].shape == (2, 2, 3, 2)
    assert np.all(p.bounds[0] < p.largest)
    assert np.all(p.largest < p.bounds[1])


def test_merged_outliers_are_not_given():
    p = refined(NETWORK, FIM(**CROSS), 100, 20)
    assert np.isfinite(p.outliers[0])
    assert np.isnan(p.outliers[-1])
    assert np.isnan(p.std["outliers"][-1])
    assert any("not clear of the bulk" in w for w in p.warnings)
    odd = refined(Network(3, "tanh", 3.0, 0.0, outputs=4), NTK(**CROSS), 200, 50)
    assert np.all(np.isnan(odd.outliers))
    assert not odd.validity.outliers


def test_saturated_softmax_is_beyond_the_expansion():
    """Logits of size 100: s was 9 times too large."""
    p = refined(Network(3, "linear", 20.0, 5.0, outputs=4), NTK(**CROSS), 200, 50)
    assert not p.validity.moments
    assert np.isnan(p.second_moment)
    assert np.all(np.isnan(p.outliers))


def miss(values, mean, tolerance):
    """In units of 3.5 standard errors plus the theory's own error."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return abs(values.mean() - mean) / (3.5 * error + tolerance * mean)


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "weight", "bias"), [("tanh", 2.5, 0.5), ("relu", 2.0, 0.2), ("gelu", 2.0, 0.2)])
def test_networks(activation, weight, bias):
    """150 networks of width 100; for tanh the leading order misses s and the largest."""
    network, size = Network(3, activation, weight, bias, outputs=10), {"width": 100, "samples": 50}
    drawn = [measure(network, METRICS, **size, seed=s, spectrum="extremes") for s in range(9000, 9150)]
    for index, metric in enumerate(METRICS):
        p, leading = (predict(network, metric, **size, order=o) for o in ("refined", "leading"))
        for name in ("mean", "second_moment", "largest"):
            values = np.array([getattr(m[index], name) for m in drawn])
            assert miss(values, float(getattr(p, name)), 0.03) < 1, (metric, name)
            low, high = p.interval(0.95)[name]
            assert np.mean((low <= values) & (values <= high)) > 0.95 - 3.5 * np.sqrt(0.05 * 0.95 / 150), (metric, name)
            if activation == "tanh" and name == "second_moment":
                assert miss(values, float(leading.second_moment), 0.03) > 1
